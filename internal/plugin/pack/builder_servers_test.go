//go:build servers

package pack_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	cmpdiff "github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/plugin/pack"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/testkit/plugintest"
	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

// shown is what a build showed.
type shown struct {
	mu    sync.Mutex
	steps []string // titles, in the order in which they began
	out   bytes.Buffer
}

// Step implements [component.Progress].
func (s *shown) Step(ctx context.Context, title string, fn func(context.Context, component.Step) error) error {
	s.mu.Lock()
	s.steps = append(s.steps, title)
	s.mu.Unlock()
	return fn(ctx, s)
}
func (s *shown) Update(string, ...any) {}
func (s *shown) Output() io.Writer     { return s }

// Write implements [io.Writer].
func (s *shown) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Write(p)
}

// yard is where an app is built with a real engine.
type yard struct {
	engine *servers.DockerEngine
	app    component.App
	cache  string
	labels map[string]string
}

func newYard(t *testing.T, engine *servers.DockerEngine, files map[string]string) *yard {
	t.Helper()
	y := &yard{engine: engine, cache: t.TempDir(), app: component.App{Project: "shop", Name: component.Label(t.Name(), 40), Path: t.TempDir()}}
	for name, content := range files {
		path := filepath.Join(y.app.Path, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return y
}

// build builds the app and returns what was shown.
func (y *yard) build(ctx context.Context, t *testing.T, c pack.BuilderConfig) (artifact.Image, *shown, error) {
	t.Helper()
	seen := &shown{}
	c.Builder, c.PullPolicy = cmp.Or(c.Builder, servers.Buildpacks), cmp.Or(c.PullPolicy, "never")
	environ := map[string]string{"DOCKER_HOST": y.engine.Host, "GITHUB_TOKEN": "ghs_t0ken", "ACTIONS_RUNTIME_TOKEN": "runt1me"}
	host := component.Host{
		Progress: seen, Log: slog.New(slog.DiscardHandler), TempDir: t.TempDir(), CacheDir: y.cache,
		Getenv: func(name string) string { return environ[name] }, Environ: func() []string { return nil },
	}
	builder, _, err := pack.Plugin.Builder.Open(host, func(into any) hcl.Diagnostics {
		*into.(*pack.BuilderConfig) = c
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	y.labels = map[string]string{}
	made, err := builder.Build(ctx, component.BuildRequest{App: y.app, Label: func(key, value string) { y.labels[key] = value }})
	if err != nil {
		return artifact.Image{}, seen, err
	}
	return made.(artifact.Image), seen, nil
}

func (y *yard) mustBuild(t *testing.T, c pack.BuilderConfig) (artifact.Image, *shown) {
	t.Helper()
	image, seen, err := y.build(t.Context(), t, c)
	if err != nil {
		t.Fatalf("Build: %v\n%s", err, seen.out.String())
	}
	return image, seen
}

// run runs an image that the engine has and returns what it wrote.
func (y *yard) run(t *testing.T, image string) string {
	t.Helper()
	docker := y.engine.Client
	made, err := docker.ContainerCreate(t.Context(), client.ContainerCreateOptions{Config: &container.Config{Image: image, Tty: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = docker.ContainerRemove(context.WithoutCancel(t.Context()), made.ID, client.ContainerRemoveOptions{Force: true})
	})
	output, err := docker.ContainerAttach(t.Context(), made.ID, client.ContainerAttachOptions{Stream: true, Stdout: true})
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	if _, err := docker.ContainerStart(t.Context(), made.ID, client.ContainerStartOptions{}); err != nil {
		t.Fatal(err)
	}
	said, err := io.ReadAll(output.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(said), "\r\n", "\n")
}

// source is an app that the test's buildpack builds.
func source(more map[string]string) map[string]string {
	files := map[string]string{
		"run.sh": "tool\necho \"$1 hello\"\n", "notes/plan.md": "P", ".git/HEAD": "ref: x", ".git/config": "token = ghs_config",
	}
	maps.Copy(files, more)
	return files
}

// TestBuild is one function since there is one engine.
func TestBuild(t *testing.T) {
	t.Parallel()
	engine := servers.Docker(t)
	servers.Lifecycle(t, engine)
	t.Run("twice, then run", func(t *testing.T) { testTwice(t, engine) })
	t.Run("with phases apart", func(t *testing.T) { testApart(t, engine) })
	t.Run("no buildpack fits", func(t *testing.T) { testNoneFits(t, engine) })
	t.Run("the buildpack fails", func(t *testing.T) { testFails(t, engine) })
	t.Run("no builder", func(t *testing.T) { testNoBuilder(t, engine) })
	t.Run("pushed", func(t *testing.T) { testPushed(t, engine) })
	t.Run("interrupted", func(t *testing.T) { testInterrupted(t, engine) })
	t.Run("contract", func(t *testing.T) { testContract(t, engine) })
}

func testContract(t *testing.T, engine *servers.DockerEngine) {
	plugintest.Builder(t, plugintest.BuilderCase{
		Plugin:   pack.Plugin,
		RealTime: true,
		New: func(t *testing.T, _ *plugintest.Calls) plugintest.World {
			environ := map[string]string{"DOCKER_HOST": engine.Host}
			return plugintest.World{
				Host:   component.Host{Getenv: func(name string) string { return environ[name] }},
				Config: fmt.Sprintf("builder = %q\npull_policy = \"never\"\ntrust_builder = true", servers.Buildpacks),
				Source: newYard(t, engine, map[string]string{"run.sh": "tool\n"}).app.Path,
			}
		},
	})
}

// testTwice finds what was kept, makes the same image, and leaves the source as
// it was.
func testTwice(t *testing.T, engine *servers.DockerEngine) {
	y := newYard(t, engine, source(nil))
	trusted := true
	c := pack.BuilderConfig{
		TrustBuilder: &trusted, Ignore: []string{"notes/"}, StaticEnvironment: map[string]secret.Text{"GREETING": "s3cret greeting"},
	}
	first, seen := y.mustBuild(t, c)
	wantSteps := []string{
		"Building image with buildpacks", "Preparing", "Analyzing", "Detecting", "Restoring", "Building", "Exporting",
		"Taking the image out of the Docker engine",
	}
	if diff := cmpdiff.Diff(wantSteps, seen.steps); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	out := seen.out.String()
	if !strings.Contains(out, "making the tool") || !strings.Contains(out, "files: ./run.sh\n") {
		t.Errorf("the first build wrote:\n%s\nwant the tool made, of one file", out)
	}
	guarded(t, out)
	id := y.labels["common/image-id"]
	want := map[string]string{
		"common/languages": "shell", "common/buildpack-stack": "local.stack", "common/command": "/bin/sh run.sh",
		"common/command-type": "web", "common/image-id": id,
	}
	if diff := cmpdiff.Diff(want, y.labels); diff != "" || !strings.HasPrefix(id, "sha256:") {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	second, seen := y.mustBuild(t, c)
	if !strings.Contains(seen.out.String(), "the tool is there") {
		t.Errorf("the second build wrote:\n%s\nwant the tool found", seen.out.String())
	}
	if first != second || first.Digest == "" || first.Layout == "" || first.Architecture == "" {
		t.Errorf("built %+v, then %+v, want the same twice", first, second)
	}
	if got, want := y.run(t, id), "s3cret greeting from the tool\n hello\n"; got != want {
		t.Errorf("the image writes %q, want %q", got, want)
	}
	worker, _ := y.mustBuild(t, pack.BuilderConfig{TrustBuilder: &trusted, ProcessType: "worker", NoCache: true})
	if got := y.run(t, y.labels["common/image-id"]); got != " from the tool\nworker hello\n" || worker == first {
		t.Errorf("the image of another process writes %q", got)
	}
	if y.labels["common/command"] != "/bin/sh run.sh worker" || y.labels["common/command-type"] != "worker" {
		t.Errorf("labels of the other process: %v", y.labels)
	}
	files, err := filepath.Glob(filepath.Join(y.app.Path, "*"))
	if err != nil || len(files) != 3 {
		t.Errorf("the source has %v (%v), want .git, notes and run.sh", files, err)
	}
}

// guarded checks what a buildpack that looked around has written.
func guarded(t *testing.T, out string) {
	t.Helper()
	for _, leaked := range []string{"ghs_t0ken", "runt1me", "ghs_config", "reaches the engine"} {
		if strings.Contains(out, leaked) {
			t.Errorf("build code sees %q:\n%s", leaked, out)
		}
	}
	if !strings.Contains(out, "NoNewPrivs:\t1\n") || !strings.Contains(out, "Uid:\t65534\t65534\t65534\t65534\n") {
		t.Errorf("build code is root, or can become it:\n%s", out)
	}
}

// testApart builds with a builder that is not trusted.
func testApart(t *testing.T, engine *servers.DockerEngine) {
	y := newYard(t, engine, source(nil))
	trusted := false
	c := pack.BuilderConfig{TrustBuilder: &trusted, LifecycleImage: servers.Buildpacks, Buildpacks: []string{"local/shell@0.0.1"}}
	_, seen := y.mustBuild(t, c)
	wantSteps := []string{
		"Building image with buildpacks", "Preparing", "Analyzing", "Detecting", "Restoring", "Building", "Exporting",
		"Taking the image out of the Docker engine",
	}
	if diff := cmpdiff.Diff(wantSteps, seen.steps); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	guarded(t, seen.out.String())
	if out := seen.out.String(); !strings.Contains(out, "\nmaking the tool\n") || !strings.Contains(out, "./notes/plan.md") || strings.Contains(out, ".git/") {
		t.Errorf("the build wrote:\n%s\nwant all files but those of git, and no prefixes", out)
	}
}

func testNoneFits(t *testing.T, engine *servers.DockerEngine) {
	for name, trusted := range map[string]bool{"together": true, "apart": false} {
		t.Run(name, func(t *testing.T) {
			y := newYard(t, engine, map[string]string{"main.rb": ""})
			_, seen, err := y.build(t.Context(), t, pack.BuilderConfig{TrustBuilder: &trusted, LifecycleImage: servers.Buildpacks})
			problem, ok := errors.AsType[*diag.Problem](err)
			if !ok || problem.Summary != "No buildpack fits" || !strings.Contains(problem.Detail, "that were tried said: fail: local/shell@0.0.1.") {
				t.Errorf("Build = %v, want a problem\n%s", err, seen.out.String())
			}
			left(t, engine)
		})
	}
}

func testFails(t *testing.T, engine *servers.DockerEngine) {
	for name, trusted := range map[string]bool{"together": true, "apart": false} {
		t.Run(name, func(t *testing.T) {
			y := newYard(t, engine, source(map[string]string{"fail": ""}))
			_, _, err := y.build(t.Context(), t, pack.BuilderConfig{TrustBuilder: &trusted, LifecycleImage: servers.Buildpacks})
			problem, ok := errors.AsType[*diag.Problem](err)
			if !ok || !strings.Contains(problem.Detail, `The phase "Building" ended with an error`) || !strings.Contains(problem.Detail, "this cannot be built") {
				t.Errorf("Build = %v, want the phase and what it said", err)
			}
			left(t, engine)
		})
	}
}

func testNoBuilder(t *testing.T, engine *servers.DockerEngine) {
	y := newYard(t, engine, source(nil))
	_, _, err := y.build(t.Context(), t, pack.BuilderConfig{Builder: "local/missing:1"})
	problem, ok := errors.AsType[*diag.Problem](err)
	if !ok || problem.Attr != "builder" || !strings.Contains(problem.Detail, `"local/missing:1"`) || !strings.Contains(problem.Detail, "pull_policy") {
		t.Errorf("Build = %v, want a problem that names the builder", err)
	}
}

// testPushed pushes the image to a registry, and pushes nothing of a second one
// that is there already.
func testPushed(t *testing.T, engine *servers.DockerEngine) {
	registry := servers.Registry(t, servers.RegistryConfig{})
	y := newYard(t, engine, source(nil))
	trusted := true
	image, _ := y.mustBuild(t, pack.BuilderConfig{TrustBuilder: &trusted})
	to := artifact.Repository{Name: registry.Host + "/shop/web", Insecure: true}
	pushed, err := (oci.Client{HTTP: registry.Client}).Push(t.Context(), oci.PushRequest{Image: image, To: to, Tag: "v1"})
	if err != nil || pushed.Digest != image.Digest {
		t.Fatalf("Push = %+v, %v, want digest %s", pushed, err, image.Digest)
	}
	name := pushed.Repository + "@" + pushed.Digest
	progress, err := engine.Client.ImagePull(t.Context(), name, client.ImagePullOptions{})
	if err == nil {
		err = progress.Wait(t.Context())
	}
	if err != nil {
		t.Fatalf("pulling %s: %v", name, err)
	}
	if got, want := y.run(t, name), " from the tool\n hello\n"; got != want {
		t.Errorf("the pushed image writes %q, want %q", got, want)
	}
}

// testInterrupted cancels the build while the buildpack runs.
func testInterrupted(t *testing.T, engine *servers.DockerEngine) {
	y := newYard(t, engine, source(nil))
	ctx, cancel := context.WithCancel(t.Context())
	trusted := true
	cancelled := make(chan struct{})
	go func() {
		defer close(cancelled)
		defer cancel()
		for ctx.Err() == nil {
			running, err := engine.Client.ContainerList(ctx, client.ContainerListOptions{Filters: client.Filters{}.Add("label", "author=pack")})
			if err != nil || len(running.Items) > 0 {
				return
			}
		}
	}()
	_, _, err := y.build(ctx, t, pack.BuilderConfig{TrustBuilder: &trusted})
	<-cancelled
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Build = %v, want that it was cancelled", err)
	}
	left(t, engine)
}

// left checks that a build left neither containers nor networks behind.
func left(t *testing.T, engine *servers.DockerEngine) {
	t.Helper()
	containers, err := engine.Client.ContainerList(t.Context(), client.ContainerListOptions{All: true, Filters: client.Filters{}.Add("label", "author=pack")})
	if err != nil || len(containers.Items) > 0 {
		t.Errorf("containers are left: %v (%v)", containers.Items, err)
	}
	networks, err := engine.Client.NetworkList(t.Context(), client.NetworkListOptions{Filters: client.Filters{}.Add("name", "pack.local-network-")})
	if err != nil || len(networks.Items) > 0 {
		t.Errorf("networks are left: %v (%v)", networks.Items, err)
	}
}
