// Package container runs one command in a container of a Docker engine, and
// removes the container. It shares no files with it but those of the mounts that
// it is told, and says which the container is that this program is in. Deployments
// are not its business: what stays is made by a platform.
package container

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci"
)

// Engine is a Docker engine that answers.
type Engine struct {
	docker      *client.Client
	address     string
	credentials oci.Credentials
}

// Open connects to the engine that the variable DOCKER_HOST names, or else to
// the one of this machine. Images are pulled with what credentials know. That
// there is no engine is a problem in the words of need. The caller closes the
// Engine.
func Open(ctx context.Context, getenv func(string) string, credentials oci.Credentials, need Need) (*Engine, error) {
	e := &Engine{address: cmp.Or(getenv(client.EnvOverrideHost), client.DefaultDockerHost), credentials: credentials}
	options := []client.Opt{client.WithAPIVersion(getenv(client.EnvOverrideAPIVersion))}
	if folder := getenv(client.EnvOverrideCertPath); folder != "" {
		options = append(options, client.WithTLSClientConfig(
			filepath.Join(folder, "ca.pem"), filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")))
	}
	var err error
	if e.docker, err = client.New(append(options, client.WithHost(e.address))...); err != nil {
		return nil, Unusable(e.address, err)
	}
	if _, err := e.docker.Ping(ctx, client.PingOptions{NegotiateAPIVersion: true}); err != nil {
		_ = e.docker.Close() // it was never connected
		if ctx.Err() != nil || !client.IsErrConnectionFailed(err) {
			return nil, explain(ctx, "connecting to the Docker engine", err)
		}
		return nil, need.Unreachable(ctx, e.address, err)
	}
	return e, nil
}

// Close ends the connection.
func (e *Engine) Close() error { return e.docker.Close() }

// Has reports whether the engine has an image.
func (e *Engine) Has(ctx context.Context, image string) (bool, error) {
	_, err := e.docker.ImageInspect(ctx, image)
	if cerrdefs.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, explain(ctx, fmt.Sprintf("looking for image %q", image), err)
	}
	return true, nil
}

// Pull makes the engine pull an image.
func (e *Engine) Pull(ctx context.Context, image string) error {
	parsed, err := oci.ParseReference(image)
	if err != nil {
		return err
	}
	login, err := e.credentials.Lookup(ctx, oci.Host(parsed.Repository))
	if err != nil {
		return err
	}
	header, err := login.Header()
	if err != nil {
		return err
	}
	progress, err := e.docker.ImagePull(ctx, image, client.ImagePullOptions{RegistryAuth: header})
	if err == nil {
		err = progress.Wait(ctx)
	}
	if err == nil || ctx.Err() != nil {
		return explain(ctx, "pulling", err)
	}
	detail := fmt.Sprintf("The Docker engine has no image %q and cannot pull it. The image must exist, and the engine itself must reach the registry.", image)
	if login == (oci.Login{}) {
		detail += " It was given no login: if the registry wants one, sign in with the action's input registry-auth, or with docker login."
	} else {
		detail += " It was given a login, which must allow pulling."
	}
	return &diag.Problem{Summary: "Image cannot be pulled", Detail: detail, Err: err}
}

// explain makes of an error of the client what the user should read.
func explain(ctx context.Context, doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return fmt.Errorf("%s: %w", doing, err)
}
