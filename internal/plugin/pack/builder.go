package pack

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/buildpacks/pack/pkg/blob"
	"github.com/buildpacks/pack/pkg/client"
	"github.com/buildpacks/pack/pkg/index"
	dockerimage "github.com/docker/docker/api/types/image"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/oci"
)

type builder struct {
	host component.Host
	cfg  BuilderConfig
}

var _ component.Builder[artifact.Image] = (*builder)(nil)

func openBuilder(h component.Host, c BuilderConfig) (component.Builder[artifact.Image], error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	return &builder{h, c}, nil
}

// Build implements [component.Builder].
func (b *builder) Build(ctx context.Context, req component.BuildRequest) (artifact.Image, error) {
	e, err := openEngine(ctx, b.host.Getenv)
	if err != nil {
		return artifact.Image{}, err
	}
	defer e.Close()
	var image artifact.Image
	err = b.host.Progress.Step(ctx, "Building image with buildpacks", func(ctx context.Context, step component.Step) error {
		var err error
		if image, err = b.build(ctx, req, e); err == nil {
			step.Update("%s", image.Digest)
		}
		return err
	})
	return image, err
}

// build makes the image in the engine and takes it out.
func (b *builder) build(ctx context.Context, req component.BuildRequest, e *engine) (artifact.Image, error) {
	p := &phases{
		show: func(name string, fn func(component.Step) error) error {
			return b.host.Progress.Step(ctx, name, func(_ context.Context, step component.Step) error { return fn(step) })
		},
		debug: func(text string) { b.host.Log.Debug(text) },
	}
	// What waits for a container ends with this.
	building, stop := context.WithCancel(ctx)
	defer stop()
	names := b.names(req.App)
	packer, err := b.packer(ctx, e, p)
	if err != nil {
		return artifact.Image{}, err
	}
	options, err := b.options(req.App, names, e.socket())
	if err != nil {
		return artifact.Image{}, err
	}
	p.begin(firstPhase)
	if err := b.explain(ctx, e, p, packer.Build(building, options)); err != nil {
		return artifact.Image{}, err
	}
	image, id, err := b.takeOut(ctx, req, e, names.image)
	if err != nil {
		return artifact.Image{}, err
	}
	if err := describe(packer, names.image, id, req.Label); err != nil {
		return artifact.Image{}, err
	}
	return image, e.rename(ctx, names.image, names.previous)
}

// packer is pack's own client. It keeps what it downloads with us; only the
// list of a buildpack registry is kept where pack always does.
func (b *builder) packer(ctx context.Context, e *engine, p *phases) (*client.Client, error) {
	keys := keychain(func(host string) (oci.Login, error) { return b.credentials().Lookup(ctx, host) })
	packer, err := client.NewClient(
		client.WithLogger(p), client.WithDockerClient(e), client.WithKeychain(keys),
		client.WithDownloader(blob.NewDownloader(p, filepath.Join(b.host.CacheDir, "downloads"))),
		client.WithIndexFactory(index.NewIndexFactory(keys, filepath.Join(b.host.TempDir, "manifests"))),
	)
	if err != nil {
		return nil, fmt.Errorf("preparing the build: %w", err)
	}
	return packer, nil
}

func (b *builder) credentials() oci.Credentials {
	return oci.Credentials{Getenv: b.host.Getenv, Environ: b.host.Environ, DockerConfig: b.host.DockerConfig}
}

// names are those of what a build makes and keeps in the engine.
type names struct {
	image    string // of this build alone, since others may run beside it
	previous string // of the build before, and of this one when it is done
	volume   string // begins the names of the volumes
}

// names returns the names of an app's build. What a pull request leaves in an
// engine is not for others.
func (b *builder) names(app component.App) names {
	scope := b.host.CacheScope.Write
	if scope == "" {
		scope = "own"
	}
	repository := fmt.Sprintf("deploy-action.local/%s/%s", component.Label(app.Project, 60), component.Label(app.Name, 60))
	// Labels of different names can be the same.
	sum := sha256.Sum256([]byte(app.Project + "\x00" + app.Name + "\x00" + scope))
	tag := fmt.Sprintf("%s-%x", component.Label(scope, 60), sum[:4])
	return names{
		image:    repository + ":" + tag + "-" + strings.ToLower(rand.Text()[:10]),
		previous: repository + ":" + tag,
		volume:   fmt.Sprintf("deploy-action-pack-%s-%s-%x", component.Label(app.Name, 40), component.Label(scope, 60), sum[:4]),
	}
}

// rename gives an image another name. An image that had that name stays without
// any, as docker build leaves it.
func (e *engine) rename(ctx context.Context, from, to string) error {
	err := e.ImageTag(ctx, from, to)
	if err == nil {
		_, err = e.ImageRemove(ctx, from, dockerimage.RemoveOptions{})
	}
	if err != nil {
		return errors.Join(ctx.Err(), fmt.Errorf("naming the image in the Docker engine: %w", err))
	}
	return nil
}
