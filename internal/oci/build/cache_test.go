package build_test

import (
	"bytes"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/build"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// unique is a command whose result differs each time that it runs.
const unique = "RUN mkdir -p /out && cat /proc/sys/kernel/random/uuid > /out/id\n"

// counter is a registry in memory that notes what it is asked for.
type counter struct {
	host   string
	client oci.Client

	mu    sync.Mutex
	asked []string
	deny  func(*http.Request) bool // answered with 500
}

func newCounter(t *testing.T) *counter {
	t.Helper()
	c := &counter{}
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		c.asked = append(c.asked, r.Method+" "+r.URL.Path)
		deny := c.deny != nil && c.deny(r)
		c.mu.Unlock()
		if deny {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	c.host, c.client = strings.TrimPrefix(server.URL, "http://"), oci.Client{HTTP: server.Client()}
	return c
}

// requests returns what was asked for since the last call.
func (c *counter) requests() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	asked := c.asked
	c.asked = nil
	return asked
}

// matching are those requests that begin with a method and whose path holds a
// part.
func matching(requests []string, method, part string) []string {
	var found []string
	for _, r := range requests {
		if strings.HasPrefix(r, method+" ") && strings.Contains(r, part) {
			found = append(found, r)
		}
	}
	return found
}

// remote is a request for a machine that has nothing but the registry, where it
// reads the records of some scopes and writes those of the first.
func (c *counter) remote(t *testing.T, dir string, scopes ...string) build.Request {
	t.Helper()
	req := runRequest(t, dir)
	req.Client = c.client
	req.Remote = &build.RemoteCache{Repository: artifact.Repository{Name: c.host + "/acme/cache"}, Read: scopes, Write: scopes[0]}
	return req
}

func digestOf(t *testing.T, req build.Request) string {
	t.Helper()
	result, err := build.Build(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return result.Digest
}

// TestCacheHits changes one thing between two builds, each with a layout of its
// own, and looks whether a command ran again.
func TestCacheHits(t *testing.T) {
	t.Parallel()
	const dockerfile = shell + "ARG A\nCOPY src /src\n" + unique + "COPY last /last\n"
	tests := map[string]struct {
		dockerfile string
		change     func(t *testing.T, dir string, req *build.Request)
		hit        bool
	}{
		"nothing": {hit: true},
		"the time of a file": {hit: true, change: func(t *testing.T, dir string, _ *build.Request) {
			if err := os.Chtimes(filepath.Join(dir, "src/a"), time.Time{}, time.Unix(9, 0)); err != nil {
				t.Fatal(err)
			}
		}},
		"a file": {change: func(t *testing.T, dir string, _ *build.Request) { write(t, dir, map[string]string{"src/a": "B"}) }},
		"a file that comes later": {hit: true, change: func(t *testing.T, dir string, _ *build.Request) {
			write(t, dir, map[string]string{"last": "B"})
		}},
		"an ARG in scope": {change: func(_ *testing.T, _ string, req *build.Request) { req.Args = map[string]string{"A": "2"} }},
		"a proxy": {hit: true, change: func(_ *testing.T, _ string, req *build.Request) {
			req.Args = map[string]string{"HTTP_PROXY": "http://p"}
		}},
		"no_cache":          {change: func(_ *testing.T, _ string, req *build.Request) { req.NoCache = true }},
		"the time of files": {change: func(_ *testing.T, _ string, req *build.Request) { req.Time = time.Unix(1e9, 0) }},
		"a bind mount": {
			dockerfile: shell + strings.Replace(unique, "RUN", "RUN --mount=target=/m,source=src", 1),
			change:     func(t *testing.T, dir string, _ *build.Request) { write(t, dir, map[string]string{"src/a": "B"}) },
		},
		"beside a bind mount": {
			dockerfile: shell + strings.Replace(unique, "RUN", "RUN --mount=target=/m,source=src", 1), hit: true,
			change: func(t *testing.T, dir string, _ *build.Request) { write(t, dir, map[string]string{"last": "B"}) },
		},
		"the value of a secret": {
			dockerfile: shell + strings.Replace(unique, "RUN", "RUN --mount=type=secret,id=key,env=KEY", 1), hit: true,
			change: func(_ *testing.T, _ string, req *build.Request) { req.Secrets = map[string]secret.Text{"key": "other"} },
		},
		"a stage that was made again with the same result": {
			dockerfile: shell + "FROM shell AS first\nARG A\nRUN echo 1 > /one\nFROM shell\nCOPY --from=first /one /one\n" + unique, hit: true,
			change: func(_ *testing.T, _ string, req *build.Request) { req.Args = map[string]string{"A": "2"} },
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.dockerfile == "" {
				test.dockerfile = dockerfile
			}
			dir := runDir(t, map[string]string{"Dockerfile": test.dockerfile, "src/a": "A", "last": "L"})
			steps := filepath.Join(t.TempDir(), "steps")
			id := func(change func(*testing.T, string, *build.Request)) string {
				req := runRequest(t, dir)
				req.Steps, req.Secrets = steps, map[string]secret.Text{"key": "s3cret"}
				if change != nil {
					change(t, dir, &req)
				}
				found := builtFiles(t, req)
				if len(found) != 1 {
					t.Fatalf("the image has %v, want one file", found)
				}
				return found[0]
			}
			first := id(nil)
			if hit := id(test.change) == first; hit != test.hit {
				t.Errorf("the command was found: %v, want %v", hit, test.hit)
			}
		})
	}
}

// TestCacheChangesNothing compares what is built on top of an earlier build's
// results with what is built of nothing. In the second build a file differs.
func TestCacheChangesNothing(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"COPY on a RUN":         "RUN mkdir /out && echo 1 > /out/a\nCOPY last /out/last\n",
		"RUN on both":           "RUN mkdir /out && echo 1 > /out/a\nCOPY last /out/last\nRUN cat /out/a /out/last > /out/b\n",
		"RUN that is changed":   "COPY a /a\nRUN --mount=target=/m mkdir /out && cat /m/last /a > /out/b\nRUN rm /a\n",
		"linked":                "COPY --link a /x/a\nCOPY --link last /x/last\nRUN ls /x > /ls\nCOPY a /x/b\n",
		"linked on linked":      "FROM scratch\nCOPY --link a /x/a\nCOPY --link last /x/last\nCOPY a /x/b\n",
		"another stage":         "RUN mkdir /out && echo 1 > /out/a\nFROM scratch\nCOPY --from=shell /out/a /a\nCOPY last /\n",
		"a part of a stage":     "COPY last /out/last\nRUN echo 1 > /out/a\nFROM scratch\nCOPY --from=shell /out /x\n",
		"two on one":            "RUN mkdir /out && echo 1 > /out/a\nFROM shell AS b\nCOPY last /out/b\nRUN cat /out/b >> /out/a\nFROM shell\nCOPY --from=b /out/a /c\nRUN cat /c >> /out/a\n",
		"removed and made anew": "RUN mkdir -p /out/d && echo 1 > /out/d/a\nRUN rm -r /out/d\nCOPY last /out/d/b\n",
	}
	for name, instructions := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := runDir(t, map[string]string{"Dockerfile": shell + instructions, "a": "A", "last": "L"})
			c := newCounter(t)
			steps := filepath.Join(t.TempDir(), "steps")
			local, remote := runRequest(t, dir), c.remote(t, dir, "default")
			local.Steps = steps
			digestOf(t, local)
			digestOf(t, remote)
			write(t, dir, map[string]string{"last": "M"})
			want := digestOf(t, runRequest(t, dir))
			local, remote = runRequest(t, dir), c.remote(t, dir, "default")
			local.Steps = steps
			if got := digestOf(t, local); got != want {
				t.Errorf("with a folder, the image is %s, want %s", got, want)
			}
			if got := digestOf(t, remote); got != want {
				t.Errorf("with a registry, the image is %s, want %s", got, want)
			}
		})
	}
}

// TestCacheRegistry builds on machines that share nothing but a registry.
func TestCacheRegistry(t *testing.T) {
	t.Parallel()
	c := newCounter(t)
	base := runDir(t, map[string]string{"Dockerfile": shell})
	baseReq := runRequest(t, base)
	to := artifact.Repository{Name: c.host + "/acme/base"}
	push := func(req build.Request, to artifact.Repository) {
		t.Helper()
		image := artifact.Image{Layout: req.Layout.Dir(), Digest: digestOf(t, req)}
		if _, err := c.client.Push(t.Context(), oci.PushRequest{Image: image, To: to, Tag: "v1"}); err != nil {
			t.Fatal(err)
		}
	}
	push(baseReq, to)
	dir := runDir(t, map[string]string{
		"Dockerfile": "FROM " + to.Name + ":v1 AS made\n" + unique + "RUN echo 2 > /out/two\nFROM made\nCOPY a /out/a\nCOPY --from=made /out/two /bin/two\n",
		"a":          "A",
	})
	image := artifact.Repository{Name: c.host + "/acme/web"}
	first := c.remote(t, dir, "default")
	push(first, image)
	firstFiles := builtFiles(t, first)
	c.requests()

	again := c.remote(t, dir, "default")
	push(again, image)
	asked := c.requests()
	if got := matching(asked, "GET", "/blobs/"); len(got) != 1 { // the base's configuration
		t.Errorf("a rebuild reads the blobs %v, want only a configuration", got)
	}
	for _, method := range []string{"POST", "PATCH", "PUT"} {
		if got := matching(asked, method, ""); len(got) > 0 {
			t.Errorf("a rebuild writes: %v", got)
		}
	}
	if diff := cmp.Diff(firstFiles, builtFiles(t, again)); diff != "" {
		t.Errorf("the rebuilt image has other files (-first +again):\n%s", diff)
	}

	write(t, dir, map[string]string{"a": "B"})
	c.requests()
	changed := c.remote(t, dir, "default")
	digestOf(t, changed)
	asked = c.requests()
	// The changed layer and the one on top of it, each with a configuration.
	if got := matching(asked, "PUT", "/blobs/"); len(got) > 4 {
		t.Errorf("one changed file writes the blobs %v", got)
	}
	var ids []string
	for _, f := range builtFiles(t, changed) {
		if strings.HasPrefix(f, "out/id=") {
			ids = append(ids, f)
		}
	}
	if !slices.Contains(firstFiles, ids[0]) {
		t.Errorf("the command ran again: %v, first %v", ids, firstFiles)
	}
}

// TestCacheKnowsTheBase copies into a folder that is a link of the base. Only the
// first build reads something of the base for that; the others ask which image
// its tag names.
func TestCacheKnowsTheBase(t *testing.T) {
	t.Parallel()
	c := newCounter(t)
	dir := t.TempDir()
	write(t, dir, map[string]string{"Dockerfile": "FROM scratch\nCOPY root /\n", "root/bin": "→usr/bin", "root/usr/bin/tool": "T"})
	base := newRequest(t, dir)
	to := artifact.Repository{Name: c.host + "/acme/base"}
	image := artifact.Image{Layout: base.Layout.Dir(), Digest: digestOf(t, base)}
	if _, err := c.client.Push(t.Context(), oci.PushRequest{Image: image, To: to, Tag: "v1"}); err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	steps := filepath.Join(t.TempDir(), "steps")
	for i, want := range []int{3, 0, 0} { // the manifest, the configuration and the layer
		write(t, dir, map[string]string{"Dockerfile": "FROM " + to.Name + ":v1\nCOPY prog /bin/prog\n", "prog": strings.Repeat("P", i+1)})
		req := newRequest(t, dir)
		req.Client, req.Steps = c.client, steps
		c.requests()
		digest := digestOf(t, req)
		asked := c.requests()
		if got := matching(asked, "GET", "/acme/"); len(got) != want {
			t.Errorf("build %d reads %v, want %d requests", i+1, got, want)
		}
		if got := matching(asked, "HEAD", "/manifests/v1"); len(got) != 1 {
			t.Errorf("build %d asks %v for the base's tag", i+1, got)
		}
		built, err := c.client.Fetch(t.Context(), artifact.Image{Layout: req.Layout.Dir(), Digest: digest}, nil, "")
		if err != nil {
			t.Fatal(err)
		}
		found := entries(t, built)
		if last := found[len(found)-1]; last != "644 0:0 usr/bin/prog="+strings.Repeat("P", i+1) {
			t.Errorf("build %d ends with %q, want a file in /usr/bin", i+1, last)
		}
	}
}

// TestCacheScopes has a pull request write what the default branch would read.
func TestCacheScopes(t *testing.T) {
	t.Parallel()
	c := newCounter(t)
	dir := runDir(t, map[string]string{"Dockerfile": shell + unique})
	id := func(scopes ...string) string { return builtFiles(t, c.remote(t, dir, scopes...))[0] }
	theirs := id("pr-1", "default")
	if again := id("pr-1", "default"); again != theirs {
		t.Error("the pull request does not find what it wrote")
	}
	if other := id("pr-2", "default"); other == theirs {
		t.Error("another pull request finds it")
	}
	ours := id("default")
	if ours == theirs {
		t.Error("the default branch finds it")
	}
	if third := id("pr-3", "default"); third != ours {
		t.Error("a pull request does not find what the default branch wrote")
	}
}

// TestCacheDamage breaks what an earlier build left. The build goes on without.
func TestCacheDamage(t *testing.T) {
	t.Parallel()
	// each calls change for the files of a part of the folder.
	each := func(t *testing.T, steps, part string, change func(name string) error) {
		t.Helper()
		names, err := filepath.Glob(filepath.Join(steps, part, "*"))
		if err != nil || len(names) == 0 {
			t.Fatalf("the cache has no %s: %v", part, err)
		}
		for _, name := range names {
			if err := change(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	// anew replaces a file, and does not change the one that others have, too.
	anew := func(name string, content []byte) error {
		if err := os.Remove(name); err != nil {
			return err
		}
		return os.WriteFile(name, content, 0o644)
	}
	tests := map[string]func(t *testing.T, steps string){
		"records that are none": func(t *testing.T, steps string) {
			each(t, steps, "records", func(name string) error { return anew(name, []byte("{")) })
		},
		"blobs that are gone": func(t *testing.T, steps string) { each(t, steps, "blobs", os.Remove) },
		"blobs that were cut": func(t *testing.T, steps string) {
			each(t, steps, "blobs", func(name string) error { return anew(name, []byte("x")) })
		},
		"blobs with other content": func(t *testing.T, steps string) {
			each(t, steps, "blobs", func(name string) error {
				info, err := os.Stat(name)
				if err != nil {
					return err
				}
				return anew(name, make([]byte, info.Size()))
			})
		},
	}
	for name, damage := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := runDir(t, map[string]string{"Dockerfile": shell + unique})
			req := runRequest(t, dir)
			req.Steps = filepath.Join(t.TempDir(), "steps")
			builtFiles(t, req)
			damage(t, req.Steps)
			// The next command needs the files of the damaged layer.
			write(t, dir, map[string]string{"Dockerfile": shell + unique + "RUN cat /out/id > /out/copy\n"})
			next := runRequest(t, dir)
			next.Steps = req.Steps
			found := builtFiles(t, next)
			if len(found) != 2 || strings.TrimPrefix(found[0], "out/id") != strings.TrimPrefix(found[1], "out/copy") {
				t.Errorf("the image has %v, want a file and its copy", found)
			}
		})
	}
}

// TestCacheLosesALayer has the registry lose what a record names.
func TestCacheLosesALayer(t *testing.T) {
	t.Parallel()
	c := newCounter(t)
	dir := runDir(t, map[string]string{"Dockerfile": shell + unique})
	first := builtFiles(t, c.remote(t, dir, "default"))[0]
	c.mu.Lock()
	c.deny = func(r *http.Request) bool {
		return r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/")
	}
	c.mu.Unlock()
	write(t, dir, map[string]string{"Dockerfile": shell + unique + "RUN cat /out/id > /out/copy\n"})
	found := builtFiles(t, c.remote(t, dir, "default"))
	if len(found) != 2 || found[0] == first {
		t.Errorf("the image has %v, want a file that was made anew and its copy", found)
	}
}

// TestCacheRegistryFails builds where the registry does not work. It says so
// once.
func TestCacheRegistryFails(t *testing.T) {
	t.Parallel()
	c := newCounter(t)
	c.deny = func(*http.Request) bool { return true }
	dir := runDir(t, map[string]string{"Dockerfile": shell + unique})
	req := c.remote(t, dir, "default")
	var notes []string
	req.Note = func(text string) {
		if strings.Contains(text, "cache") {
			notes = append(notes, text)
		}
	}
	digestOf(t, req)
	if len(notes) != 1 || !strings.Contains(notes[0], "/acme/cache cannot be read, and the build goes on without it") {
		t.Errorf("notes are %q, want one about the cache", notes)
	}
}

// TestCacheHoldsNoSecret looks through all that a build with secrets left.
func TestCacheHoldsNoSecret(t *testing.T) {
	t.Parallel()
	dir := runDir(t, map[string]string{
		"Dockerfile": shell + "RUN --mount=type=secret,id=key --mount=type=secret,id=key,env=KEY mkdir /out && test \"$KEY\" = hunter2hunter2\n",
	})
	req := runRequest(t, dir)
	req.Steps, req.Secrets = filepath.Join(t.TempDir(), "steps"), map[string]secret.Text{"key": "hunter2hunter2"}
	image := buildImage(t, req)
	for _, e := range entries(t, image) {
		if strings.Contains(e, "hunter2") {
			t.Error("a layer holds the secret")
		}
	}
	err := filepath.WalkDir(req.Steps, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if bytes.Contains(content, []byte("hunter2")) {
			t.Errorf("%s holds the secret", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestCacheIsShared has several builds use one folder at once.
func TestCacheIsShared(t *testing.T) {
	t.Parallel()
	dir := runDir(t, map[string]string{"Dockerfile": shell + unique + "RUN cat /out/id > /out/copy\n"})
	steps := filepath.Join(t.TempDir(), "steps")
	var group sync.WaitGroup
	for range 4 {
		req := runRequest(t, dir)
		req.Steps = steps
		group.Go(func() {
			if _, err := build.Build(t.Context(), req); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	req := runRequest(t, dir)
	req.Steps = steps
	first := builtFiles(t, req)
	if again := builtFiles(t, req); !slices.Equal(first, again) {
		t.Errorf("two more builds made %v and %v", first, again)
	}
}
