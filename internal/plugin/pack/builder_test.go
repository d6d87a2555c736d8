package pack_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/plugin/pack"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// open opens the builder where DOCKER_HOST is as given.
func open(t *testing.T, dockerHost string, c pack.BuilderConfig) (component.AnyBuilder, error) {
	t.Helper()
	host := component.Host{
		TempDir: t.TempDir(), CacheDir: t.TempDir(),
		Getenv: func(name string) string { return map[string]string{"DOCKER_HOST": dockerHost}[name] },
	}
	builder, _, err := pack.Plugin.Builder.Open(host, func(into any) hcl.Diagnostics {
		*into.(*pack.BuilderConfig) = c
		return nil
	})
	return builder, err
}

func TestConfigurationIsChecked(t *testing.T) {
	t.Parallel()
	for attr, c := range map[string]pack.BuilderConfig{
		"builder":            {Builder: "Not An Image"},
		"run_image":          {RunImage: "UPPER/case"},
		"lifecycle_image":    {LifecycleImage: "a b"},
		"pull_policy":        {PullPolicy: "sometimes"},
		"platform":           {Platform: "linux/amd64/v1/more"},
		"static_environment": {StaticEnvironment: map[string]secret.Text{"A/../B": "s3cret"}},
	} {
		t.Run(attr, func(t *testing.T) {
			t.Parallel()
			_, err := open(t, "", c)
			problem, ok := errors.AsType[*diag.Problem](err)
			if !ok || problem.Attr != attr {
				t.Fatalf("Open = %v, want a problem at %s", err, attr)
			}
			if strings.Contains(problem.Detail, "s3cret") {
				t.Errorf("the problem shows a secret: %s", problem.Detail)
			}
		})
	}
}

// TestNoEngine shows what is said where there is no Docker engine. Nothing was
// shown or touched before.
func TestNoEngine(t *testing.T) {
	t.Parallel()
	closed, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "docker.sock")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ host, summary, detail string }{
		"no socket":       {"unix:///nowhere/docker.sock", "Buildpacks need a Docker engine", `there is no socket at "/nowhere/docker.sock"`},
		"nobody listens":  {"tcp://" + closed.Addr().String(), "Buildpacks need a Docker engine", "nothing answers at"},
		"not a socket":    {"unix://" + file, "Buildpacks need a Docker engine", "nothing answers at"},
		"no such address": {"engine", "Unusable settings of a Docker engine", `The address is "engine"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			builder, err := open(t, c.host, pack.BuilderConfig{})
			if err != nil {
				t.Fatal(err)
			}
			_, err = builder.Build(t.Context(), component.BuildRequest{App: component.App{Name: "web"}})
			problem, ok := errors.AsType[*diag.Problem](err)
			if !ok || problem.Summary != c.summary || !strings.Contains(problem.Detail, c.detail) || !strings.Contains(problem.Detail, "DOCKER_HOST") {
				t.Errorf("Build = %v, want a problem that says %q", err, c.detail)
			}
		})
	}
}

// TestEngineFails shows an engine that answers with an error, and a build that
// is cancelled before one answers.
func TestEngineFails(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	waiting := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(waiting)
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	stopped := errors.New("stopped")
	go func() {
		<-waiting
		cancel(stopped)
	}()
	builder, err := open(t, "tcp://"+server.Listener.Addr().String(), pack.BuilderConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := builder.Build(ctx, component.BuildRequest{}); !errors.Is(err, stopped) {
		t.Errorf("Build = %v, want that it was stopped", err)
	}
}
