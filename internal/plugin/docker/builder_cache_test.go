package docker_test

import (
	"context"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/plugin/docker"
	"github.com/deploy-action/deploy-action/internal/testkit/actionscache"
)

// listener notes what is asked for on the way to base.
type listener struct {
	base http.RoundTripper

	mu    sync.Mutex
	asked []string
}

func (l *listener) RoundTrip(req *http.Request) (*http.Response, error) {
	l.mu.Lock()
	l.asked = append(l.asked, req.Method+" "+req.URL.Path)
	l.mu.Unlock()
	return l.base.RoundTrip(req)
}

// records returns the tags that were asked for in this way since the last call.
func (l *listener) records(method string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []string
	for _, asked := range l.asked {
		if tag, ok := strings.CutPrefix(asked, method+" /v2/acme/cache/manifests/"); ok {
			found = append(found, tag)
		}
	}
	l.asked = nil
	return found
}

// TestCacheRepo writes to the repository in the run's scope, if the image is
// pushed; a plan only reads.
func TestCacheRepo(t *testing.T) {
	t.Parallel()
	host, client := newRegistry(t)
	heard := &listener{base: client.Transport}
	source := newSource(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY a /a\n", "a": "A"})
	build := func(scope component.CacheScope, to *artifact.Repository) {
		t.Helper()
		h := testHost(t, &http.Client{Transport: heard})
		h.CacheScope = scope
		builder, _, err := docker.Plugin.Builder.Open(h, decoded(docker.BuilderConfig{CacheRepo: host + "/acme/cache"}))
		if err != nil {
			t.Fatal(err)
		}
		app := component.App{Project: "shop", Name: "web", Path: source}
		if _, err := builder.Build(t.Context(), component.BuildRequest{App: app, Repository: to}); err != nil {
			t.Fatal(err)
		}
	}
	target := &artifact.Repository{Name: host + "/acme/web"}
	scope := component.CacheScope{Write: "pr-1", Read: []string{"pr-1", "default"}}
	build(scope, nil)
	if got := heard.records(http.MethodPut); len(got) > 0 {
		t.Errorf("a build that is not pushed writes %v", got)
	}
	build(scope, target)
	if got := heard.records(http.MethodPut); len(got) != 1 || !strings.HasPrefix(got[0], "cache-pr-1-") {
		t.Errorf("a build of a pull request writes %v, want one record of its own", got)
	}
	build(scope, nil)
	if got := heard.records(http.MethodGet); len(got) != 1 || !strings.HasPrefix(got[0], "cache-pr-1-") {
		t.Errorf("the next build reads %v, want its own record", got)
	}
	build(component.CacheScope{Read: []string{"default"}}, target)
	if got := heard.records(http.MethodPut); len(got) > 0 {
		t.Errorf("a run without a scope to write to writes %v", got)
	}
}

// TestCacheDir finds what an earlier run left in the folder.
func TestCacheDir(t *testing.T) {
	t.Parallel()
	app := component.App{Name: "web", Path: newSource(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY a /a\n", "a": "A"})}
	image, err := buildWith(t, testHost(t, nil), docker.BuilderConfig{CacheDir: "kept"}, app)
	if err != nil {
		t.Fatal(err)
	}
	records, err := filepath.Glob(filepath.Join(app.Path, "kept", "steps", "records", "*"))
	if err != nil || len(records) != 1 {
		t.Errorf("the folder has the records %v (%v), want one", records, err)
	}
	again, err := buildWith(t, testHost(t, nil), docker.BuilderConfig{CacheDir: "kept"}, app)
	if err != nil || again.Digest != image.Digest {
		t.Errorf("the second run made %s (%v), want %s: the folder is no part of the context", again.Digest, err, image.Digest)
	}
}

// heard is a [component.Progress] that keeps what steps write.
type heard struct {
	mu   sync.Mutex
	text strings.Builder
}

func (h *heard) Step(ctx context.Context, _ string, fn func(context.Context, component.Step) error) error {
	return fn(ctx, h)
}

func (h *heard) Update(string, ...any) {}

func (h *heard) Output() io.Writer { return h }

func (h *heard) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.Write(p)
}

// TestCacheActions writes to GitHub's cache if the image is pushed; a plan only
// reads. Where there is no such cache, it says so.
func TestCacheActions(t *testing.T) {
	t.Parallel()
	host, client := newRegistry(t)
	github := actionscache.New(t)
	source := newSource(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY a /a\n", "a": "A"})
	target := &artifact.Repository{Name: host + "/acme/web"}
	app := component.App{Project: "shop", Name: "web", Path: source}
	build := func(app component.App, to *artifact.Repository, cache component.ActionsCache) string {
		t.Helper()
		log := &heard{}
		h := testHost(t, client)
		h.Progress, h.ActionsCache = log, cache
		h.CacheScope = component.CacheScope{Write: "pr-1", Read: []string{"pr-1", "default"}}
		builder, _, err := docker.Plugin.Builder.Open(h, decoded(docker.BuilderConfig{CacheActions: true}))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := builder.Build(t.Context(), component.BuildRequest{App: app, Repository: to}); err != nil {
			t.Fatal(err)
		}
		return log.text.String()
	}
	cache := actionscache.Of(t, github, "refs/pull/1/merge")
	build(app, nil, cache)
	if got := github.Caches(); len(got) > 0 {
		t.Errorf("a build that is not pushed writes %v", got)
	}
	build(app, target, cache)
	written := github.Caches()
	if len(written) != 2 || !strings.Contains(written[1].Key, "/pr-1/") {
		t.Errorf("a build of a pull request writes %v, want a layer and a list of its own", written)
	}
	const taken = "1 of 1 steps were taken from the cache"
	if log := build(app, nil, cache); !strings.Contains(log, taken) {
		t.Errorf("the next build does not find it: %s", log)
	}
	other := app
	other.Name = "api"
	if log := build(other, nil, cache); strings.Contains(log, taken) {
		t.Errorf("another app's build reads its list: %s", log)
	}
	if log := build(app, target, nil); !strings.Contains(log, "cache_actions is without effect here: GitHub's cache is there only for an action's step in a job") {
		t.Errorf("without such a cache, the log is: %s", log)
	}
}
