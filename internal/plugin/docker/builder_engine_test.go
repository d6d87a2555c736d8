package docker_test

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/plugin/docker"
)

// recorded keeps what steps write.
type recorded struct{ output *strings.Builder }

func (r recorded) Step(ctx context.Context, _ string, fn func(context.Context, component.Step) error) error {
	return fn(ctx, r)
}
func (recorded) Update(string, ...any) {}
func (r recorded) Output() io.Writer   { return r.output }

// variables returns an environment.
func variables(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}

func TestEngine(t *testing.T) {
	t.Parallel()
	source := newSource(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY app /app\n", "app": "A"})
	nobody := "unix://" + filepath.Join(t.TempDir(), "socket")
	tests := map[string]struct {
		engine  string
		env     map[string]string
		summary string // of the problem; "" for none
		log     string
	}{
		"no daemon":           {"auto", map[string]string{"DOCKER_HOST": nobody}, "", "The built-in engine builds: neither BUILDKIT_HOST nor a Docker engine is there\n"},
		"nothing to run":      {"", map[string]string{"BUILDKIT_HOST": nobody}, "", "The built-in engine builds: "},
		"as it is told":       {"builtin", map[string]string{"BUILDKIT_HOST": nobody}, "", ""},
		"Docker is gone":      {"docker", map[string]string{"DOCKER_HOST": nobody}, "Docker engine not reachable", ""},
		"BuildKit is gone":    {"buildkit", map[string]string{"BUILDKIT_HOST": nobody}, "BuildKit not reachable", ""},
		"address of BuildKit": {"buildkit", map[string]string{"BUILDKIT_HOST": "example.com:1234"}, "Unusable address of BuildKit", ""},
		"no sibling":          {"sibling", nil, "Not in a container of the action's image", ""},
		"in a container":      {"buildkit", map[string]string{"BUILDKIT_HOST": "docker-container://x"}, "BuildKit in a container has no address", ""},
		"no certificates": {
			"buildkit",
			map[string]string{"BUILDKIT_HOST": "tcp://127.0.0.1:1", "BUILDKIT_TLS_DIR": "/nowhere"},
			"Unusable certificates for BuildKit", "",
		},
		"wrong address, unused": {"auto", map[string]string{"BUILDKIT_HOST": "docker-container://x", "DOCKER_HOST": nobody}, "", "The built-in engine builds: "},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host, log := testHost(t, nil), &strings.Builder{}
			host.Getenv, host.Progress = variables(test.env), recorded{log}
			_, err := buildWith(t, host, docker.BuilderConfig{Engine: test.engine}, component.App{Name: "web", Path: source})
			if test.summary != "" {
				checkProblem(t, err, test.summary, "engine")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := log.String(); !strings.HasPrefix(got, test.log) || test.log == "" && got != "" || strings.Count(got, "\n") > 1 {
				t.Errorf("the log is %q, want one line that begins with %q", got, test.log)
			}
		})
	}
}

func TestPlatforms(t *testing.T) {
	t.Parallel()
	source := newSource(t, map[string]string{
		"Dockerfile": "FROM scratch\nARG TARGETARCH\nCOPY app /app\nCOPY app-$TARGETARCH /own\n", "app": "A", "app-amd64": "x", "app-arm64": "y",
	})
	app := component.App{Project: "shop", Name: "web", Path: source}
	host := testHost(t, nil)
	one, err := buildWith(t, host, docker.BuilderConfig{Platforms: []string{"linux/arm64"}}, app)
	if err != nil {
		t.Fatal(err)
	}
	both, err := buildWith(t, host, docker.BuilderConfig{Platforms: []string{"linux/amd64", "linux/arm64"}}, app)
	if err != nil {
		t.Fatal(err)
	}
	if one.Architecture != "arm64" || both.Architecture != "" || one.Digest == both.Digest {
		t.Errorf("one image is %+v, two are %+v", one, both)
	}
	address, client := newRegistry(t)
	registry := oci.Client{HTTP: client}
	request := oci.PushRequest{Image: both, To: artifact.Repository{Name: address + "/web"}, Tag: "v1"}
	plan, err := registry.PlanPush(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.Missing) != 5 { // two configurations, a layer in common and one of each
		t.Errorf("%d blobs are to be sent, want 5", len(plan.Missing))
	}
	pushed, err := registry.Push(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	if plan.Image != pushed || pushed.Digest != both.Digest {
		t.Errorf("pushed %+v, want the index %s, as planned", pushed, both.Digest)
	}
	if plan, err = registry.PlanPush(t.Context(), request); err != nil || !plan.Exists {
		t.Errorf("planning the same push again: %+v, %v", plan, err)
	}
	for _, image := range []artifact.Image{both, pushed} {
		for _, arch := range []string{"amd64", "arm64"} {
			content, err := registry.Fetch(t.Context(), image, nil, "linux/"+arch)
			if err != nil {
				t.Fatal(err)
			}
			config, err := content.ConfigFile()
			if err != nil || config.Architecture != arch {
				t.Errorf("the image for %s is for %+v (%v)", arch, config, err)
			}
			digest, err := content.Digest()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(one.Digest, digest.String()); arch == "arm64" && diff != "" {
				t.Errorf("built alone the image for arm64 is another (-alone +in the index):\n%s", diff)
			}
		}
		_, err := registry.Fetch(t.Context(), image, nil, "linux/riscv64")
		checkProblem(t, err, "Image has no such platform", "")
	}
}
