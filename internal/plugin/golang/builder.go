package golang

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/build"
)

// defaultBase has certificates, time zones and the user nonroot.
const defaultBase = "gcr.io/distroless/static-debian12:nonroot"

// dockerfile puts the program on the base.
const dockerfile = "ARG BASE\nFROM ${BASE}\nCOPY program /app\nENTRYPOINT [\"/app\"]\n"

type builder struct {
	host component.Host
	cfg  BuilderConfig
}

var _ component.Builder[artifact.Image] = (*builder)(nil)

func openBuilder(h component.Host, c BuilderConfig) (component.Builder[artifact.Image], error) {
	if _, err := oci.ParsePlatform(c.Platform); err != nil {
		return nil, err
	}
	if c.Base != "" && c.Base != "scratch" {
		if _, err := oci.ParseReference(c.Base); err != nil {
			if problem, ok := errors.AsType[*diag.Problem](err); ok {
				problem.Attr = "base"
			}
			return nil, err
		}
	}
	return &builder{h, c}, nil
}

// Build implements [component.Builder].
func (b *builder) Build(ctx context.Context, req component.BuildRequest) (artifact.Image, error) {
	program, err := b.lookGo()
	if err != nil {
		return artifact.Image{}, err
	}
	folder, err := os.MkdirTemp(b.host.TempDir, "go-")
	if err != nil {
		return artifact.Image{}, fmt.Errorf("making a folder for the program: %w", err)
	}
	started := time.Now()
	err = b.host.Progress.Step(ctx, "Compiling", func(ctx context.Context, step component.Step) error {
		return b.compile(ctx, program, req.App.Path, filepath.Join(folder, "program"), step.Output())
	})
	if err != nil {
		return artifact.Image{}, err
	}
	var image artifact.Image
	err = b.host.Progress.Step(ctx, "Building image", func(ctx context.Context, step component.Step) error {
		var err error
		if image, err = b.assemble(ctx, req, folder, started, step.Output()); err == nil {
			step.Update("%s", image.Digest)
		}
		return err
	})
	return image, err
}

// lookGo finds the go command.
func (b *builder) lookGo() (string, error) {
	for _, dir := range filepath.SplitList(b.host.Getenv("PATH")) {
		path := filepath.Join(dir, "go")
		if info, err := os.Stat(path); filepath.IsAbs(dir) && err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", &diag.Problem{
		Summary: "No Go on this machine",
		Detail: "The command go is not on the PATH, and the container of this action has none. Write a Dockerfile of two stages, which needs none: " +
			"\"FROM golang:1.26 AS build\", \"WORKDIR /src\", \"COPY . .\", \"RUN CGO_ENABLED=0 go build -trimpath -o /app .\", then \"FROM scratch\" and " +
			"\"COPY --from=build /app /app\", and build it with use \"docker\". Or run deploy-action where Go is: in a job's own container, or with the setup action.",
	}
}

// environ is that of the compiler.
func (b *builder) environ() ([]string, error) {
	platform, err := oci.ParsePlatform(b.cfg.Platform)
	if err != nil {
		return nil, err
	}
	own := map[string]string{"CGO_ENABLED": "0", "GOOS": platform.OS, "GOARCH": platform.Architecture}
	if version, ok := strings.CutPrefix(platform.Variant, "v"); ok && platform.Architecture == "arm" {
		own["GOARM"] = version
	}
	maps.Copy(own, b.cfg.Env)
	environ := b.host.Environ()
	for _, name := range slices.Sorted(maps.Keys(own)) {
		environ = append(environ, name+"="+own[name])
	}
	return environ, nil
}

// assemble makes the image of a folder with the program.
func (b *builder) assemble(ctx context.Context, req component.BuildRequest, folder string, started time.Time, notes io.Writer) (artifact.Image, error) {
	app := req.App
	path := filepath.Join(folder, "Dockerfile")
	if err := os.WriteFile(path, []byte(dockerfile), 0o644); err != nil {
		return artifact.Image{}, fmt.Errorf("writing what the image is made of: %w", err)
	}
	layout, err := oci.OpenLayout(filepath.Join(b.host.CacheDir, "images", "project-"+app.Project, "app-"+app.Name))
	if err != nil {
		return artifact.Image{}, err
	}
	request := build.Request{
		Root: folder, Context: folder, Dockerfile: path,
		Args:   map[string]string{"BASE": cmp.Or(b.cfg.Base, defaultBase)},
		Labels: b.cfg.Labels, Platform: b.cfg.Platform,
		Layout: layout, Work: filepath.Join(folder, "work"),
		Client: oci.Client{HTTP: b.host.HTTP, Credentials: oci.Credentials{Getenv: b.host.Getenv, Environ: b.host.Environ, DockerConfig: b.host.DockerConfig}},
		Progress: func(ctx context.Context, _ string, fn func(context.Context, io.Writer) error) error {
			return fn(ctx, io.Discard) // its steps are not the user's
		},
	}
	result, err := build.Build(ctx, request)
	if err == nil {
		err = b.attest(ctx, req, request, result, started, notes)
	}
	if err != nil {
		return artifact.Image{}, err
	}
	return artifact.Image{
		Repository: component.Label(app.Name, 60), Digest: result.Digest, Layout: layout.Dir(), Architecture: result.Architecture,
	}, nil
}
