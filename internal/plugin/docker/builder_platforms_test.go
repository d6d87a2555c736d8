package docker_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/plugin/docker"
)

// forTwo is a Dockerfile for two platforms, with what it takes.
var forTwo = map[string]string{
	"Dockerfile":   "FROM scratch\nARG TARGETARCH\nCOPY status-$TARGETARCH /var/lib/dpkg/status\n",
	"status-amd64": "Package: tool\nVersion: 1.2\nArchitecture: amd64\n",
	"status-arm64": "Package: tool\nVersion: 1.3\nArchitecture: arm64\n",
}

// TestAttestIndex says how an index was made, beside the index, and what is in
// each of its images, beside that.
func TestAttestIndex(t *testing.T) {
	t.Parallel()
	host, client := newRegistry(t)
	app := component.App{Project: "shop", Name: "web", Path: newSource(t, forTwo)}
	config := docker.BuilderConfig{Engine: "builtin", Platforms: []string{"linux/amd64", "linux/arm64"}}
	plain, err := buildWith(t, testHost(t, client), config, app)
	if err != nil {
		t.Fatal(err)
	}
	config.Provenance, config.SBOM = true, true
	index, err := buildWith(t, testHost(t, client), config, app)
	if err != nil {
		t.Fatal(err)
	}
	if index.Digest != plain.Digest {
		t.Errorf("the index became %s, want %s as without", index.Digest, plain.Digest)
	}
	registry := openWith(t, testHost(t, client), docker.RegistryConfig{Image: host + "/acme/web", Tag: "v1"})
	pushed, err := registry.Push(t.Context(), component.PushRequest[artifact.Artifact]{App: app, Artifact: index})
	if err != nil {
		t.Fatal(err)
	}
	found := beside(t, client, host+"/acme/web@"+index.Digest)
	statement := found["application/vnd.in-toto+json https://slsa.dev/provenance/v1"]
	if len(found) != 1 || statement == "" {
		t.Fatalf("beside the index is %q, want provenance alone", found)
	}
	checkSubject(t, statement, index.Digest)
	if want := `"platforms":["linux/amd64","linux/arm64"]`; !strings.Contains(statement, want) {
		t.Errorf("the statement has no %s: %s", want, statement)
	}
	for arch, version := range map[string]string{"amd64": "1.2", "arm64": "1.3"} {
		image := digestFor(t, client, pushed.(artifact.Image), arch)
		found := beside(t, client, host+"/acme/web@"+image)
		list := found["application/spdx+json "]
		if len(found) != 1 || strings.Count(list, `"SPDXRef-DOCUMENT"`) == 0 {
			t.Fatalf("beside the image for %s is %q, want one list of packages", arch, found)
		}
		want := "pkg:deb/debian/tool@" + version + "?arch=" + arch
		if !strings.Contains(list, want) || strings.Count(list, "pkg:deb/") != 1 || !strings.Contains(list, strings.TrimPrefix(image, "sha256:")) {
			t.Errorf("the list for %s is %s; want it to be of %s, with %s alone", arch, list, image, want)
		}
	}
}

// checkSubject checks that a statement is about one image.
func checkSubject(t *testing.T, statement, digest string) {
	t.Helper()
	var said struct {
		Subject []struct{ Digest map[string]string }
	}
	if err := json.Unmarshal([]byte(statement), &said); err != nil {
		t.Fatal(err)
	}
	if len(said.Subject) != 1 || "sha256:"+said.Subject[0].Digest["sha256"] != digest {
		t.Errorf("the statement is about %v, want %s alone", said.Subject, digest)
	}
}

// digestFor returns the digest of the image for one platform.
func digestFor(t *testing.T, client *http.Client, index artifact.Image, arch string) string {
	t.Helper()
	image, err := oci.Client{HTTP: client}.Fetch(t.Context(), index, nil, "linux/"+arch)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest.String()
}

// halfway lets the build for amd64 come to its first step and hold there until
// it is told to stop. Only then does act happen, in the build for arm64.
type halfway struct {
	quiet
	act     func(context.Context) error
	started chan struct{}
	once    *sync.Once
	stopped *error // why the build for amd64 was
}

// Step implements [component.Progress].
func (h halfway) Step(ctx context.Context, title string, fn func(context.Context, component.Step) error) error {
	switch platform, _, _ := strings.Cut(title, " "); platform {
	case "linux/amd64":
		err := fn(ctx, h)
		h.once.Do(func() { close(h.started) })
		<-ctx.Done()
		*h.stopped = ctx.Err()
		return errors.Join(err, ctx.Err())
	case "linux/arm64":
		<-h.started
		return h.act(ctx)
	}
	return fn(ctx, h)
}

// TestOnePlatformFails has one of two platforms fail, or the whole build stopped,
// while the other is under way: that one ends, too, and the layout holds whole
// files and no image, so the next build goes well.
func TestOnePlatformFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("the other is broken")
	tests := map[string]struct {
		act  func(ctx context.Context, stop func()) error
		want error
	}{
		"fails": {func(context.Context, func()) error { return broken }, broken},
		"stopped": {func(ctx context.Context, stop func()) error {
			stop()
			<-ctx.Done()
			return ctx.Err()
		}, context.Canceled},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, stop := context.WithTimeout(t.Context(), time.Minute)
			defer stop()
			app := component.App{Project: "shop", Name: "web", Path: newSource(t, forTwo)}
			host, stopped := testHost(t, nil), error(nil)
			host.Progress = halfway{
				act:     func(ctx context.Context) error { return test.act(ctx, stop) },
				started: make(chan struct{}), once: &sync.Once{}, stopped: &stopped,
			}
			config := docker.BuilderConfig{Engine: "builtin", Platforms: []string{"linux/amd64", "linux/arm64"}}
			builder, _, err := docker.Plugin.Builder.Open(host, decoded(config))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := builder.Build(ctx, component.BuildRequest{App: app}); !errors.Is(err, test.want) {
				t.Errorf("Build: %v, want %v", err, test.want)
			}
			if !errors.Is(stopped, context.Canceled) {
				t.Errorf("the build for amd64 was not stopped: %v", stopped)
			}
			if images := checkLayout(t, filepath.Join(host.CacheDir, "images", "project-shop", "app-web")); images != 0 {
				t.Errorf("the layout lists %d images, want none", images)
			}
			host.Progress = quiet{}
			built, err := buildWith(t, host, config, app)
			if err != nil {
				t.Fatal(err)
			}
			if images := checkLayout(t, built.Layout); images != 3 {
				t.Errorf("after the next build the layout lists %d images, want two and their index", images)
			}
		})
	}
}

// checkLayout checks that each file of a layout is whole, and returns how many
// images it lists.
func checkLayout(t *testing.T, dir string) int {
	t.Helper()
	blobs, err := os.ReadDir(filepath.Join(dir, "blobs", "sha256"))
	if err != nil {
		t.Fatal(err)
	}
	for _, blob := range blobs {
		content, err := os.ReadFile(filepath.Join(dir, "blobs", "sha256", blob.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != blob.Name() {
			t.Errorf("the layout has a file %s of %d bytes, which are not the content of that digest", blob.Name(), len(content))
		}
	}
	var index v1.IndexManifest
	data, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0
	}
	if err == nil {
		err = json.Unmarshal(data, &index)
	}
	if err != nil {
		t.Fatal(err)
	}
	return len(index.Manifests)
}
