package docker_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/plugin/docker"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/testkit/plugintest"
)

// newRegistry returns a registry in a folder and a client that reaches only it.
func newRegistry(t *testing.T) (host string, client *http.Client) {
	t.Helper()
	registry, err := oci.OpenEmbedded(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return registry.Host(), &http.Client{Transport: registry.Transport(nowhere{})}
}

// nowhere fails every request.
type nowhere struct{}

func (nowhere) RoundTrip(req *http.Request) (*http.Response, error) {
	return nil, errors.New("no route to " + req.URL.Host)
}

// newSource returns an app's folder with these files.
func newSource(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// quiet shows no progress.
type quiet struct{}

func (quiet) Step(ctx context.Context, _ string, fn func(context.Context, component.Step) error) error {
	return fn(ctx, quiet{})
}
func (quiet) Update(string, ...any) {}
func (quiet) Output() io.Writer     { return io.Discard }

func testHost(t *testing.T, client *http.Client) component.Host {
	return component.Host{
		Progress: quiet{}, HTTP: client, CacheDir: t.TempDir(),
		Getenv: func(string) string { return "" },
	}
}

// decoded is a use block that was read into c.
func decoded[C any](c C) component.Decode {
	return func(into any) hcl.Diagnostics {
		*into.(*C) = c
		return nil
	}
}

func buildWith(t *testing.T, h component.Host, c docker.BuilderConfig, app component.App) (artifact.Image, error) {
	t.Helper()
	builder, _, err := docker.Plugin.Builder.Open(h, decoded(c))
	if err != nil {
		return artifact.Image{}, err
	}
	image, err := builder.Build(t.Context(), component.BuildRequest{App: app})
	if err != nil {
		return artifact.Image{}, err
	}
	return image.(artifact.Image), nil
}

// testImage builds an image without a base.
func testImage(t *testing.T) artifact.Image {
	t.Helper()
	source := newSource(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY app /app\n", "app": "A"})
	image, err := buildWith(t, testHost(t, nil), docker.BuilderConfig{}, component.App{Project: "shop", Name: "web", Path: source})
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func TestBuilder(t *testing.T) {
	t.Parallel()
	plugintest.Builder(t, plugintest.BuilderCase{
		Plugin: docker.Plugin,
		New: func(t *testing.T, _ *plugintest.Calls) plugintest.World {
			host, client := newRegistry(t)
			_, err := (oci.Client{HTTP: client}).Push(t.Context(), oci.PushRequest{
				Image: testImage(t), To: artifact.Repository{Name: host + "/base"}, Tag: "v1",
			})
			if err != nil {
				t.Fatal(err)
			}
			return plugintest.World{
				Host:   component.Host{HTTP: client},
				Config: `build_args = { BASE = "` + host + `/base:v1" }`,
				Source: newSource(t, map[string]string{
					"Dockerfile": "ARG BASE\nFROM $BASE\nCOPY a /srv/a\nWORKDIR /srv\n", "a": "A",
				}),
			}
		},
	})
}

func TestBuildFindsTheRepository(t *testing.T) {
	t.Parallel()
	root := newSource(t, map[string]string{
		".git/HEAD": "", "shared/lib": "L", "app/Dockerfile": "FROM scratch\nCOPY shared/lib /lib\n",
	})
	app := component.App{Name: "web", Path: filepath.Join(root, "app")}
	image, err := buildWith(t, testHost(t, nil), docker.BuilderConfig{Context: ".."}, app)
	if err != nil {
		t.Fatal(err)
	}
	if image.Repository != "web" || !strings.HasPrefix(image.Digest, "sha256:") || image.Layout == "" || image.Architecture == "" {
		t.Errorf("Build = %+v, want a local image named after the app", image)
	}
	_, err = buildWith(t, testHost(t, nil), docker.BuilderConfig{Context: "../.."}, app)
	checkProblem(t, err, "Path outside the repository", "context")
}

func TestBuilderAttributes(t *testing.T) {
	t.Parallel()
	app := component.App{Name: "web", Path: newSource(t, map[string]string{
		"Dockerfile": "FROM scratch AS first\nCOPY a /a\nLABEL of=first\nFROM scratch\nCOPY b /b\n", "a": "A", "b": "B",
	})}
	host := testHost(t, nil)
	config := docker.BuilderConfig{
		Target: "first", Labels: map[string]string{"by": "us"}, Platform: "linux/arm64", CacheDir: "kept",
		Engine: "builtin", Timestamps: "keep", Secrets: map[string]secret.Text{"key": "k"},
	}
	built, err := buildWith(t, host, config, app)
	if err != nil {
		t.Fatal(err)
	}
	image, err := oci.Client{}.Fetch(t.Context(), built, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	got, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"of": "first", "by": "us"}
	if diff := cmp.Diff(want, got.Config.Labels); diff != "" || got.Architecture != "arm64" {
		t.Errorf("the image is for %s; labels (-want +got):\n%s", got.Architecture, diff)
	}
	if age := time.Since(got.Created.Time); age > time.Hour {
		t.Errorf("with its own time the image is of %v", got.Created)
	}
	if !strings.HasPrefix(built.Layout, filepath.Join(app.Path, "kept")) {
		t.Errorf("layers are in %s, want them in cache_dir", built.Layout)
	}
}

func TestBuilderProblems(t *testing.T) {
	t.Parallel()
	source := newSource(t, map[string]string{"Dockerfile": "FROM scratch"})
	tests := map[string]struct {
		config  docker.BuilderConfig
		summary string
		attr    string
	}{
		"target":           {docker.BuilderConfig{Target: "final"}, "No such stage", "target"},
		"no BuildKit":      {docker.BuilderConfig{Engine: "buildkit"}, "No address of BuildKit", "engine"},
		"unknown engine":   {docker.BuilderConfig{Engine: "kaniko"}, "Unknown engine", "engine"},
		"timestamps":       {docker.BuilderConfig{Timestamps: "now"}, "Invalid timestamps", "timestamps"},
		"platform":         {docker.BuilderConfig{Platform: "arm"}, "Invalid platform", "platform"},
		"platforms":        {docker.BuilderConfig{Platforms: []string{"linux/amd64", "arm"}}, "Invalid platform", "platforms"},
		"same platform":    {docker.BuilderConfig{Platforms: []string{"linux/arm64", "linux/arm64"}}, "Platform named twice", "platforms"},
		"empty platform":   {docker.BuilderConfig{Platforms: []string{""}}, "Invalid platform", "platforms"},
		"two attributes":   {docker.BuilderConfig{Platform: "linux/amd64", Platforms: []string{"linux/arm64"}}, "Both platform and platforms", "platforms"},
		"auth for nothing": {docker.BuilderConfig{Auth: &docker.Auth{Username: "u"}}, "Login for no registry", "auth"},
		"cache_repo":       {docker.BuilderConfig{CacheRepo: "Acme/Cache:v1"}, "Invalid cache_repo", "cache_repo"},
		"no Dockerfile":    {docker.BuilderConfig{Dockerfile: "Dokerfile"}, "Missing Dockerfile", "dockerfile"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := buildWith(t, testHost(t, nil), test.config, component.App{Name: "web", Path: source})
			checkProblem(t, err, test.summary, test.attr)
		})
	}
}

func checkProblem(t *testing.T, err error, summary, attr string) {
	t.Helper()
	problem, ok := errors.AsType[*diag.Problem](err)
	if !ok || problem.Summary != summary || problem.Attr != attr {
		t.Errorf("error is %v, want the problem %q at %q", err, summary, attr)
	}
}
