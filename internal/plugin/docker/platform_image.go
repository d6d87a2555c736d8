package docker

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/moby/moby/api/types/jsonstream"
	"github.com/moby/moby/client"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci"
)

// notFound reports that the engine does not have what was asked for.
func notFound(err error) bool { return cerrdefs.IsNotFound(err) }

// nameInEngine returns by which name the engine has or gets an image. A digest
// names the same content always; but an image that was never pushed has none
// that an engine knows.
func nameInEngine(image artifact.Image) string {
	if image.Digest != "" && !image.Local() {
		return image.Repository + "@" + image.Digest
	}
	return image.Repository + ":" + cmp.Or(image.Tag, "latest")
}

// has returns the engine's ID of an image, or "" where it has none.
func (p *platform) has(ctx context.Context, image string) (id string, err error) {
	result, err := p.engine.ImageInspect(ctx, image)
	if notFound(err) {
		return "", nil
	}
	return result.ID, p.engine.explain(ctx, "looking for the image", err)
}

// planImage says how the engine would get the image.
func (p *platform) planImage(ctx context.Context, image artifact.Image) (component.Change, error) {
	named := nameInEngine(image)
	change := component.Change{Action: component.Create, Subject: "image/" + named, Reason: "pulled by the engine"}
	if image.Layout != "" {
		change.Reason = "loaded into the engine"
		return change, nil
	}
	id, err := p.has(ctx, named)
	switch {
	case err != nil:
		return component.Change{}, err
	case id == "" && image.Daemon:
		return component.Change{}, notInEngine(named)
	case id != "" && (image.Daemon || !p.cfg.ForcePull):
		change.Action, change.Reason = component.Keep, "the engine has it"
	}
	return change, nil
}

// ensureImage returns the engine's ID of the image to run, which it loads or
// pulls if need be.
func (p *platform) ensureImage(ctx context.Context, req component.DeployRequest[artifact.Image]) (id string, err error) {
	image, named := req.Artifact, nameInEngine(req.Artifact)
	if image.Layout != "" {
		err = p.host.Progress.Step(ctx, "Loading image "+named, func(ctx context.Context, step component.Step) error {
			id, err = p.load(ctx, image, named, step)
			return err
		})
		return id, err
	}
	id, err = p.has(ctx, named)
	if err != nil || id != "" && (image.Daemon || !p.cfg.ForcePull) {
		return id, err
	}
	if image.Daemon {
		return "", notInEngine(named)
	}
	err = p.host.Progress.Step(ctx, "Pulling image "+named, func(ctx context.Context, _ component.Step) error {
		if err := p.pull(ctx, image, named, req.Pull); err != nil {
			return err
		}
		id, err = p.has(ctx, named)
		return err
	})
	if err == nil && id == "" {
		err = fmt.Errorf("pulling %q: the engine says that it is done, but does not have the image", named)
	}
	return id, err
}

func notInEngine(named string) error {
	return &diag.Problem{
		Summary: "Image not in this Docker engine",
		Detail: fmt.Sprintf("The image %q was built or pulled into a Docker engine, but this engine does not have it. "+
			"Images that another job or another engine deploys must be pushed: add a registry block to the build.", named),
	}
}

// load streams the image from its layout into the engine, unless it is there.
func (p *platform) load(ctx context.Context, image artifact.Image, named string, step component.Step) (id string, err error) {
	platform := ""
	if image.Architecture != "" {
		platform = "linux/" + image.Architecture
	}
	registries := oci.Client{HTTP: p.host.HTTP, Credentials: p.credentials()}
	content, err := registries.Fetch(ctx, image, nil, platform)
	if err != nil {
		return "", err
	}
	// An engine's ID of an image is the digest of its configuration.
	config, err := content.ConfigName()
	if err != nil {
		return "", fmt.Errorf("reading %q: %w", image.Layout, err)
	}
	if id, err := p.has(ctx, config.String()); err != nil || id != "" {
		step.Update("the engine has it")
		return id, err
	}
	tag, err := name.NewTag(named)
	if err != nil {
		return "", fmt.Errorf("naming the image: %w", err)
	}
	reader, writer := io.Pipe()
	go func() { writer.CloseWithError(tarball.Write(tag, content, writer)) }()
	defer reader.Close() // ends the goroutine where the engine stops reading
	result, err := p.engine.ImageLoad(ctx, reader)
	if err != nil {
		return "", p.engine.explain(ctx, "loading the image", err)
	}
	defer result.Close()
	if err := loaded(result); err != nil {
		return "", p.engine.explain(ctx, "loading the image", err)
	}
	id, err = p.has(ctx, named)
	if err == nil && id == "" {
		err = fmt.Errorf("loading %q: the engine says that it is done, but does not have the image", named)
	}
	return id, err
}

// loaded reads the engine's progress to its end and returns the error in it.
func loaded(stream io.Reader) error {
	decoder := json.NewDecoder(stream)
	for {
		var message jsonstream.Message
		if err := decoder.Decode(&message); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if message.Error != nil {
			return message.Error
		}
	}
}

// pull makes the engine pull an image.
func (p *platform) pull(ctx context.Context, image artifact.Image, named string, from *artifact.Repository) error {
	login, err := p.login(ctx, image, from)
	if err != nil {
		return err
	}
	header, err := login.Header()
	if err != nil {
		return err
	}
	progress, err := p.engine.ImagePull(ctx, named, client.ImagePullOptions{RegistryAuth: header})
	if err == nil {
		err = progress.Wait(ctx)
	}
	if err == nil {
		return nil
	}
	err = p.engine.explain(ctx, "pulling", err)
	if _, known := errors.AsType[*diag.Problem](err); known || ctx.Err() != nil {
		return err
	}
	detail := fmt.Sprintf("The Docker engine could not pull %q. The image must exist, and the engine itself must reach the registry.", named)
	if login == (oci.Login{}) {
		detail += " It was given no login: if the registry wants one, add an auth block, or sign in with the action's input registry-auth."
	} else {
		detail += " It was given a login, which must allow pulling."
	}
	return &diag.Problem{Summary: "Image cannot be pulled", Detail: detail, Attr: "auth", Err: err}
}

// login returns what the engine shows to the registry of an image.
func (p *platform) login(ctx context.Context, image artifact.Image, from *artifact.Repository) (oci.Login, error) {
	if p.cfg.Auth != nil {
		login, err := p.cfg.Auth.login()
		return login, at("auth.auth", err)
	}
	if from != nil && from.Login != nil && oci.Host(from.Name) == oci.Host(image.Repository) {
		user, password, err := from.Login(ctx)
		if err != nil {
			return oci.Login{}, fmt.Errorf("signing in to %q: %w", from.Name, err)
		}
		return oci.Login{Username: user, Password: password}, nil
	}
	return p.credentials().Lookup(ctx, oci.Host(image.Repository))
}

// credentials finds logins outside of this use block.
func (p *platform) credentials() oci.Credentials {
	return oci.Credentials{Getenv: p.host.Getenv, Environ: p.host.Environ, DockerConfig: p.host.DockerConfig}
}
