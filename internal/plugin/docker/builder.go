package docker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/build"
)

// builder builds images with the built-in engine.
type builder struct {
	host  component.Host
	cfg   BuilderConfig
	login *oci.Login // of the auth block; nil without one
	time  time.Time
}

var _ component.Builder[artifact.Image] = (*builder)(nil)

func openBuilder(h component.Host, c BuilderConfig) (component.Builder[artifact.Image], error) {
	b := &builder{host: h, cfg: c}
	var err error
	if b.time, err = sourceTime(h.Getenv); err != nil {
		return nil, err
	}
	if c.Target != "" {
		return nil, &diag.Problem{
			Summary: "target is not supported yet",
			Detail:  fmt.Sprintf("The stage %q cannot be chosen, because this version builds Dockerfiles of one stage. Remove the attribute.", c.Target),
			Attr:    "target",
		}
	}
	if _, err := oci.ParsePlatform(c.Platform); err != nil {
		return nil, err
	}
	if c.Auth == nil {
		return b, nil
	}
	if c.Auth.Hostname == "" {
		return nil, &diag.Problem{
			Summary: "Login for no registry",
			Detail:  "The auth block of a build is for the base image's registry, which its attribute hostname must name.",
			Attr:    "auth",
		}
	}
	login, err := c.Auth.login()
	b.login = &login
	return b, err
}

// sourceTime reads SOURCE_DATE_EPOCH, the convention for the time of files in
// a reproducible build. Without it the time is zero.
func sourceTime(getenv func(string) string) (time.Time, error) {
	text := getenv("SOURCE_DATE_EPOCH")
	if text == "" {
		return time.Time{}, nil
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, &diag.Problem{
			Summary: "Invalid SOURCE_DATE_EPOCH",
			Detail:  fmt.Sprintf("The environment variable SOURCE_DATE_EPOCH is %q, which is not a number of seconds. Correct it or unset it.", text),
		}
	}
	return time.Unix(seconds, 0), nil
}

// Build implements [component.Builder].
func (b *builder) Build(ctx context.Context, req component.BuildRequest) (artifact.Image, error) {
	var image artifact.Image
	err := b.host.Progress.Step(ctx, "Building image", func(ctx context.Context, step component.Step) error {
		var err error
		if image, err = b.build(ctx, req.App); err == nil {
			step.Update("%s", image.Digest)
		}
		return err
	})
	return image, err
}

// build makes the image in a layout of the app's own, where the next build
// finds the layers that did not change.
func (b *builder) build(ctx context.Context, app component.App) (artifact.Image, error) {
	layout, err := oci.OpenLayout(filepath.Join(b.host.CacheDir, "images", "project-"+app.Project, "app-"+app.Name))
	if err != nil {
		return artifact.Image{}, err
	}
	root, err := repositoryRoot(app.Path)
	if err != nil {
		return artifact.Image{}, err
	}
	credentials := oci.Credentials{Getenv: b.host.Getenv, Environ: b.host.Environ}
	if b.login != nil {
		credentials.Logins = map[string]oci.Login{b.cfg.Auth.Hostname: *b.login}
	}
	dockerfile := b.cfg.Dockerfile
	if dockerfile == "" {
		dockerfile = "Dockerfile"
	}
	result, err := build.Build(ctx, build.Request{
		Root:       root,
		Context:    below(app.Path, b.cfg.Context),
		Dockerfile: below(app.Path, dockerfile),
		Args:       b.cfg.BuildArgs,
		Platform:   b.cfg.Platform,
		Time:       b.time,
		Layout:     layout,
		Client:     oci.Client{HTTP: b.host.HTTP, Credentials: credentials},
		KeepBase:   b.login != nil, // push and deploy know nothing of this block
	})
	if err != nil {
		return artifact.Image{}, err
	}
	return artifact.Image{
		Repository:   component.Label(app.Name, 60),
		Digest:       result.Digest,
		Layout:       layout.Dir(),
		Architecture: result.Architecture,
	}, nil
}

// below joins a path of the configuration to the app's folder.
func below(folder, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(folder, path)
}

// repositoryRoot returns the checkout that a folder is in, or the folder itself
// outside of any. It is the limit of what a build may read.
func repositoryRoot(folder string) (string, error) {
	for dir := folder; ; dir = filepath.Dir(dir) {
		_, err := os.Lstat(filepath.Join(dir, ".git"))
		if err == nil {
			return dir, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("looking for the repository of %q: %w", folder, err)
		}
		if dir == filepath.Dir(dir) {
			return folder, nil
		}
	}
}
