package dockerpull

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci"
)

// builder finds images in registries.
type builder struct {
	host  component.Host
	cfg   BuilderConfig
	login *oci.Login // of the block; nil without one
}

var _ component.Builder[artifact.Image] = (*builder)(nil)

func openBuilder(h component.Host, c BuilderConfig) (component.Builder[artifact.Image], error) {
	if err := errors.Join(at("image", oci.CheckRepository(c.Image)), at("tag", oci.CheckTag(c.Tag))); err != nil {
		return nil, err
	}
	login, err := c.login()
	if err != nil {
		return nil, err
	}
	return &builder{h, c, login}, nil
}

// Build implements [component.Builder].
func (b *builder) Build(ctx context.Context, req component.BuildRequest) (artifact.Image, error) {
	named := artifact.Image{Repository: b.cfg.Image, Tag: b.cfg.Tag}
	var found artifact.Image
	err := b.host.Progress.Step(ctx, "Pulling image "+named.Reference(), func(ctx context.Context, step component.Step) error {
		var err error
		if b.login == nil {
			found = named
			found.Digest, err = b.client().Resolve(ctx, named)
		} else {
			found, err = b.pull(ctx, req.App, named)
		}
		if err == nil {
			step.Update("%s", found.Digest)
		}
		return at("image", err)
	})
	return found, err
}

// pull copies an image for the default platform into a layout of the app's own.
func (b *builder) pull(ctx context.Context, app component.App, named artifact.Image) (artifact.Image, error) {
	layout, err := oci.OpenLayout(filepath.Join(b.host.CacheDir, "images", "project-"+app.Project, "app-"+app.Name))
	if err != nil {
		return artifact.Image{}, err
	}
	image, err := b.client().Fetch(ctx, named, nil, "")
	if err != nil {
		return artifact.Image{}, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return artifact.Image{}, err
	}
	digest, err := layout.Pull(ctx, image)
	if err != nil {
		return artifact.Image{}, err
	}
	return artifact.Image{
		Repository: component.Label(app.Name, 60), Digest: digest, Layout: layout.Dir(), Architecture: config.Architecture,
	}, nil
}

func (b *builder) client() oci.Client {
	credentials := oci.Credentials{Getenv: b.host.Getenv, Environ: b.host.Environ, DockerConfig: b.host.DockerConfig}
	if b.login != nil {
		credentials.Logins = map[string]oci.Login{oci.Host(b.cfg.Image): *b.login}
	}
	return oci.Client{HTTP: b.host.HTTP, Credentials: credentials}
}

// at points a problem at an attribute, unless it names one itself.
func at(attr string, err error) error {
	if problem, ok := errors.AsType[*diag.Problem](err); ok && problem.Attr == "" {
		problem.Attr = attr
	}
	return err
}
