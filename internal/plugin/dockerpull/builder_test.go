package dockerpull_test

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/plugin/dockerpull"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// quiet is progress that nobody watches.
type quiet struct{}

// Step implements [component.Progress].
func (quiet) Step(ctx context.Context, _ string, fn func(context.Context, component.Step) error) error {
	return fn(ctx, quiet{})
}
func (quiet) Update(string, ...any) {}
func (quiet) Output() io.Writer     { return io.Discard }

// open opens the builder on a machine without logins.
func open(t *testing.T, c dockerpull.BuilderConfig) (component.AnyBuilder, error) {
	t.Helper()
	host := component.Host{
		Progress: quiet{}, HTTP: http.DefaultClient, CacheDir: t.TempDir(),
		Getenv: func(string) string { return "" }, Environ: func() []string { return nil },
	}
	builder, _, err := dockerpull.Plugin.Builder.Open(host, func(into any) hcl.Diagnostics {
		*into.(*dockerpull.BuilderConfig) = c
		return nil
	})
	return builder, err
}

// newRegistry has the image acme/web:1.4. With a password it wants the user ci.
func newRegistry(t *testing.T, password string) (repository, digest string) {
	t.Helper()
	images := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, got, _ := r.BasicAuth(); password != "" && got != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		images.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	repository = strings.TrimPrefix(server.URL, "http://") + "/acme/web"
	layout, err := oci.OpenLayout(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	layer, err := layout.AddLayer(t.Context(), func(_ context.Context, archive *tar.Writer) error {
		return archive.WriteHeader(&tar.Header{Name: "hello", Mode: 0o644})
	})
	if err != nil {
		t.Fatal(err)
	}
	platform, err := oci.ParsePlatform("")
	if err != nil {
		t.Fatal(err)
	}
	digest, err = layout.AddImage(oci.NewImage{Config: v1.ConfigFile{OS: "linux", Architecture: platform.Architecture}, Layers: []oci.Layer{layer}})
	if err != nil {
		t.Fatal(err)
	}
	client := oci.Client{HTTP: http.DefaultClient, Credentials: oci.Credentials{Logins: map[string]oci.Login{
		oci.Host(repository): {Username: "ci", Password: secret.Text(password)},
	}}}
	_, err = client.Push(t.Context(), oci.PushRequest{
		Image: artifact.Image{Layout: layout.Dir(), Digest: digest}, To: artifact.Repository{Name: repository}, Tag: "1.4",
	})
	if err != nil {
		t.Fatal(err)
	}
	return repository, digest
}

// TestBuild finds what a tag names.
func TestBuild(t *testing.T) {
	t.Parallel()
	repository, digest := newRegistry(t, "")
	builder, err := open(t, dockerpull.BuilderConfig{Image: repository, Tag: "1.4"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := builder.Build(t.Context(), component.BuildRequest{})
	if want := (artifact.Image{Repository: repository, Tag: "1.4", Digest: digest}); err != nil || got != want {
		t.Errorf("Build = %+v, %v; want %+v", got, err, want)
	}
}

// TestBuildWithLogin copies the image, which others could not read.
func TestBuildWithLogin(t *testing.T) {
	t.Parallel()
	repository, digest := newRegistry(t, "s3cret")
	logins := map[string]dockerpull.BuilderConfig{
		"auth":         {Auth: &dockerpull.Auth{Username: "ci", Password: "s3cret"}},
		"auth.auth":    {Auth: &dockerpull.Auth{Auth: "Y2k6czNjcmV0"}},
		"encoded_auth": {EncodedAuth: "eyJ1c2VybmFtZSI6ImNpIiwicGFzc3dvcmQiOiJzM2NyZXQifQ=="},
	}
	for name, c := range logins {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.Image, c.Tag = repository, "1.4"
			builder, err := open(t, c)
			if err != nil {
				t.Fatal(err)
			}
			made, err := builder.Build(t.Context(), component.BuildRequest{App: component.App{Project: "shop", Name: "web"}})
			if err != nil {
				t.Fatal(err)
			}
			image := made.(artifact.Image)
			if image.Digest != digest || image.Layout == "" || image.Architecture == "" {
				t.Errorf("Build = %+v, want %s in a layout", image, digest)
			}
			// Nobody has to sign in to read it.
			fetched, err := oci.Client{HTTP: http.DefaultClient}.Fetch(t.Context(), image, nil, "")
			if err != nil {
				t.Fatal(err)
			}
			if err := oci.Unpack(t.Context(), fetched, t.TempDir()); err != nil {
				t.Errorf("reading it: %v", err)
			}
		})
	}
}

// TestProblems has names that cannot be, and an image that is not there.
func TestProblems(t *testing.T) {
	t.Parallel()
	for attr, c := range map[string]dockerpull.BuilderConfig{
		"image": {Image: "ghcr.io/Acme", Tag: "1"},
		"tag":   {Image: "ghcr.io/acme/web", Tag: "a b"},
	} {
		_, err := open(t, c)
		problem, ok := errors.AsType[*diag.Problem](err)
		if !ok || problem.Attr != attr {
			t.Errorf("opening %+v: %v, want a problem at %s", c, err, attr)
		}
	}
	repository, _ := newRegistry(t, "")
	builder, err := open(t, dockerpull.BuilderConfig{Image: repository, Tag: "2"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = builder.Build(t.Context(), component.BuildRequest{})
	if problem, ok := errors.AsType[*diag.Problem](err); !ok || problem.Attr != "image" {
		t.Errorf("Build = %v, want a problem at image", err)
	}
}
