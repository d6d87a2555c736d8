package docker_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/plugin/docker"
)

func TestCompressionProblems(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		config  docker.BuilderConfig
		summary string
		attr    string
	}{
		"unknown format":         {docker.BuilderConfig{Compression: "lzma"}, "Unknown compression", "compression"},
		"level beyond gzip's":    {docker.BuilderConfig{Level: 10}, "Invalid level", "level"},
		"level beyond zstd's":    {docker.BuilderConfig{Compression: "zstd", Level: 23}, "Invalid level", "level"},
		"level that is negative": {docker.BuilderConfig{Level: -1}, "Invalid level", "level"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := buildWith(t, testHost(t, nil), test.config, component.App{})
			checkProblem(t, err, test.summary, test.attr)
		})
	}
}

func TestCompression(t *testing.T) {
	t.Parallel()
	source := newSource(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY app /app\n", "app": strings.Repeat("A", 1<<20)})
	app := component.App{Project: "shop", Name: "web", Path: source}
	tests := map[string]struct {
		config docker.BuilderConfig
		want   types.MediaType
	}{
		"by default": {docker.BuilderConfig{}, types.OCILayer},
		"zstd":       {docker.BuilderConfig{Compression: "zstd", Level: 19}, types.OCILayerZStd},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			image, err := buildWith(t, testHost(t, nil), test.config, app)
			if err != nil {
				t.Fatal(err)
			}
			content, err := oci.Client{}.Fetch(t.Context(), image, nil, "")
			if err != nil {
				t.Fatal(err)
			}
			manifest, err := content.Manifest()
			if err != nil {
				t.Fatal(err)
			}
			if got := manifest.Layers[0].MediaType; got != test.want {
				t.Errorf("the layer is %s, want %s", got, test.want)
			}
			root := t.TempDir()
			if err := oci.Unpack(t.Context(), content, root); err != nil {
				t.Fatal(err)
			}
			if data, err := os.ReadFile(filepath.Join(root, "app")); err != nil || len(data) != 1<<20 {
				t.Errorf("the image has %d bytes of the file, %v", len(data), err)
			}
		})
	}
}

// uploading counts the uploads that begin.
type uploading struct {
	base  http.RoundTripper
	begun atomic.Int32
}

// RoundTrip implements [http.RoundTripper].
func (u *uploading) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodPost {
		u.begun.Add(1)
	}
	return u.base.RoundTrip(req)
}

// TestBuildSendsAhead has a layer that is done long before the last one, and
// one of a stage that is no part of the image.
func TestBuildSendsAhead(t *testing.T) {
	t.Parallel()
	host, client := newRegistry(t)
	counted := &uploading{base: client.Transport}
	h := testHost(t, &http.Client{Transport: counted})
	to := &artifact.Repository{Name: host + "/acme/web", Tag: "v1"}
	source := newSource(t, map[string]string{
		"Dockerfile": "FROM scratch AS first\nCOPY small /other\nFROM scratch\nCOPY --from=first /other /small\nCOPY large /\n",
		"small":      "small",
		"large":      strings.Repeat("large", 10<<20),
	})
	build := func() artifact.Image {
		t.Helper()
		builder, _, err := docker.Plugin.Builder.Open(h, decoded(docker.BuilderConfig{}))
		if err != nil {
			t.Fatal(err)
		}
		built, err := builder.Build(t.Context(), component.BuildRequest{App: component.App{Project: "shop", Name: "web", Path: source}, Repository: to})
		if err != nil {
			t.Fatal(err)
		}
		return built.(artifact.Image)
	}
	image := build()
	if n := counted.begun.Load(); n != 1 {
		t.Errorf("%d layers were sent while the image was built, want the small one", n)
	}
	push := oci.PushRequest{Image: image, To: *to, Tag: "v1"}
	plan, err := oci.Client{HTTP: h.HTTP}.PlanPush(t.Context(), push)
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.Missing) != 2 || plan.Replace != "" || plan.Exists {
		t.Errorf("after the build %d blobs are missing, and the tag names %q; want the large layer, the configuration, and no tag", len(plan.Missing), plan.Replace)
	}
	if _, err := (oci.Client{HTTP: h.HTTP}).Push(t.Context(), push); err != nil {
		t.Fatal(err)
	}

	// On another machine, with a change to the image but not to the layer.
	h.CacheDir = t.TempDir()
	if err := os.WriteFile(filepath.Join(source, "small"), []byte("other"), 0o644); err != nil {
		t.Fatal(err)
	}
	again := build()
	large := 0
	err = filepath.WalkDir(again.Layout, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Size() > 32<<10 {
			large++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if large > 0 {
		t.Error("a layer that the registry has was compressed again")
	}
}
