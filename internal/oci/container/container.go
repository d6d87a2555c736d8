// Package container runs one command in a container of a Docker engine, and
// removes the container. It shares no files with it. Deployments are not its
// business: what stays is made by a platform.
package container

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"strings"

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
// there is no engine is a problem. The caller closes the Engine.
func Open(ctx context.Context, getenv func(string) string, credentials oci.Credentials) (*Engine, error) {
	e := &Engine{address: cmp.Or(getenv(client.EnvOverrideHost), client.DefaultDockerHost), credentials: credentials}
	options := []client.Opt{client.WithAPIVersion(getenv(client.EnvOverrideAPIVersion))}
	if folder := getenv(client.EnvOverrideCertPath); folder != "" {
		options = append(options, client.WithTLSClientConfig(
			filepath.Join(folder, "ca.pem"), filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")))
	}
	var err error
	if e.docker, err = client.New(append(options, client.WithHost(e.address))...); err != nil {
		return nil, &diag.Problem{
			Summary: "Unusable settings of a Docker engine",
			Detail: fmt.Sprintf("The address is %q. It comes from the variable DOCKER_HOST and is of the form \"unix:///PATH\" or "+
				"\"tcp://HOST:PORT\"; DOCKER_CERT_PATH and DOCKER_API_VERSION count, too.", e.address),
			Err: err,
		}
	}
	if _, err := e.docker.Ping(ctx, client.PingOptions{NegotiateAPIVersion: true}); err != nil {
		_ = e.docker.Close() // it was never connected
		return nil, e.unreachable(ctx, err)
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

// unreachable says why there is no connection. The client's error names a
// socket that is missing or closed to us in its text only, so this knocks
// itself.
func (e *Engine) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil || !client.IsErrConnectionFailed(err) {
		return explain(ctx, "connecting to the Docker engine", err)
	}
	problem := &diag.Problem{
		Summary: "Docker engine not reachable",
		Detail: fmt.Sprintf("A command in an image needs a Docker engine, and nothing answers at %q. Start the engine, "+
			"name another one with the variable DOCKER_HOST, or remove the step.", e.address),
		Err: err,
	}
	socket, local := strings.CutPrefix(e.address, "unix://")
	if !local {
		return problem
	}
	conn, knocked := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	switch {
	case knocked == nil:
		_ = conn.Close() // it was only asked whether it opens
	case errors.Is(knocked, fs.ErrNotExist):
		problem.Detail = fmt.Sprintf("A command in an image needs a Docker engine, and there is no socket at %q. Start the engine, name another "+
			"one with the variable DOCKER_HOST, or remove the step. Hosted runners have an engine on Linux only.", socket)
	case errors.Is(knocked, fs.ErrPermission):
		problem.Detail = fmt.Sprintf("A command in an image needs a Docker engine, and this user may not open its socket %q. Add the user to the "+
			"group that owns the socket, usually \"docker\", or run as root.", socket)
	}
	return problem
}
