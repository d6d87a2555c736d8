package build_test

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/build"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/testkit/actionscache"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

const mainRef = "refs/heads/main"

// onGitHub is a request for a machine that has nothing but GitHub's cache, in a
// run of a ref. It reads the records of some scopes and writes those of the first.
func onGitHub(t *testing.T, fake *githubfake.Fake, dir, ref string, scopes ...string) build.Request {
	t.Helper()
	req := runRequest(t, dir)
	req.GitHub = &build.GitHubCache{Entries: actionscache.Of(t, fake, ref), Name: "shop/web", Read: scopes, Write: scopes[0]}
	return req
}

// written counts what was stored in GitHub's cache and read of it since a call.
func written(fake *githubfake.Fake, before int) (stored, read int) {
	for _, call := range fake.Calls()[before:] {
		switch {
		case strings.HasSuffix(call.Path, "/CreateCacheEntry"):
			stored++
		case call.Method == http.MethodGet:
			read++
		}
	}
	return stored, read
}

// TestGitHubCache builds on machines that share nothing but GitHub's cache and
// the repository that images are pushed to.
func TestGitHubCache(t *testing.T) {
	t.Parallel()
	c, fake := newCounter(t), actionscache.New(t)
	dir := runDir(t, map[string]string{
		"Dockerfile": shell + "FROM shell AS tools\nRUN echo 2 > /two\nFROM shell\nCOPY --from=tools /two /bin/two\n" + unique + "COPY a /out/a\n",
		"a":          "A",
	})
	target := artifact.Repository{Name: c.host + "/acme/web"}
	// run returns the image's files, and what was asked of the registry; stored and
	// read count the entries of GitHub's cache.
	var stored, read int
	run := func(ref string, scopes ...string) ([]string, []string) {
		t.Helper()
		before := len(fake.Calls())
		req := onGitHub(t, fake, dir, ref, scopes...)
		req.Client, req.GitHub.Target = c.client, &target
		c.requests()
		image := artifact.Image{Layout: req.Layout.Dir(), Digest: digestOf(t, req)}
		if _, err := c.client.Push(t.Context(), oci.PushRequest{Image: image, To: target, Tag: "v1"}); err != nil {
			t.Fatal(err)
		}
		asked := c.requests()
		stored, read = written(fake, before)
		return builtFiles(t, req), asked
	}
	first, _ := run(mainRef, "default")
	again, asked := run(mainRef, "default")
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("the rebuilt image has other files (-first +again):\n%s", diff)
	}
	if got := matching(asked, "GET", "/blobs/"); len(got) > 0 {
		t.Errorf("a rebuild reads the blobs %v", got)
	}
	for _, method := range []string{"POST", "PATCH", "PUT"} {
		if got := matching(asked, method, ""); len(got) > 0 {
			t.Errorf("a rebuild pushes: %v", got)
		}
	}
	if stored > 0 || read != 1 {
		t.Errorf("a rebuild stores %d entries of GitHub's cache and reads %d, want only the list", stored, read)
	}

	write(t, dir, map[string]string{"a": "B"})
	theirs, _ := run("refs/pull/1/merge", "pr-1", "default")
	if theirs[0] != first[0] || theirs[1] != "out/a=B" {
		t.Errorf("the pull request's image has %v, want the result of the command in %v", theirs, first)
	}
	if stored != 2 {
		t.Errorf("one changed file stores %d entries, want its layer and a list", stored)
	}
	run("refs/pull/2/merge", "pr-2", "default")
	if stored != 2 {
		t.Errorf("another pull request stores %d entries, want what it does not see of the first", stored)
	}
}

// TestGitHubCacheDamage has entries disappear, or change. The commands run again.
func TestGitHubCacheDamage(t *testing.T) {
	t.Parallel()
	for name, content := range map[string][]byte{"gone": nil, "torn": []byte("x")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := actionscache.New(t)
			dir := runDir(t, map[string]string{"Dockerfile": shell + unique})
			first := builtFiles(t, onGitHub(t, fake, dir, mainRef, "default"))[0]
			for _, c := range fake.Caches() {
				if strings.Contains(c.Key, "/layer/") {
					fake.ChangeCache(c.ID, content)
				}
			}
			write(t, dir, map[string]string{"Dockerfile": shell + unique + "RUN cat /out/id > /out/copy\n"})
			found := builtFiles(t, onGitHub(t, fake, dir, mainRef, "default"))
			if len(found) != 2 || found[0] == first || strings.TrimPrefix(found[0], "out/id") != strings.TrimPrefix(found[1], "out/copy") {
				t.Errorf("the image has %v, want a file that was made anew and its copy", found)
			}
		})
	}
}

// TestGitHubCacheFails builds where GitHub's cache does not work. It says so once,
// and the images are the same as without.
func TestGitHubCacheFails(t *testing.T) {
	t.Parallel()
	for name, refusal := range map[string]githubfake.Refusal{
		"too many requests": {Status: http.StatusTooManyRequests}, "not permitted": {Status: http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := actionscache.New(t)
			fake.Refuse(func(*http.Request) *githubfake.Refusal { return &refusal })
			dir := runDir(t, map[string]string{"Dockerfile": shell + "RUN echo 1 > /one\n"})
			req := onGitHub(t, fake, dir, mainRef, "default")
			var mu sync.Mutex
			var notes []string
			req.Note = func(text string) {
				mu.Lock()
				defer mu.Unlock()
				if strings.Contains(text, "cache") {
					notes = append(notes, text)
				}
			}
			got := digestOf(t, req)
			if want := digestOf(t, runRequest(t, dir)); got != want {
				t.Errorf("the image is %s, want %s", got, want)
			}
			if len(notes) != 1 || !strings.Contains(notes[0], "GitHub's cache cannot be read, and the build goes on without it") {
				t.Errorf("notes are %q, want one about the cache", notes)
			}
		})
	}
}

// TestGitHubCacheHoldsNoSecret looks through all that a build with secrets left.
func TestGitHubCacheHoldsNoSecret(t *testing.T) {
	t.Parallel()
	fake := actionscache.New(t)
	dir := runDir(t, map[string]string{
		"Dockerfile": shell + "RUN --mount=type=secret,id=key --mount=type=secret,id=key,env=KEY mkdir /out && test \"$KEY\" = hunter2hunter2 && echo made > /out/a\n",
	})
	req := onGitHub(t, fake, dir, mainRef, "default")
	req.Secrets = map[string]secret.Text{"key": "hunter2hunter2"}
	digestOf(t, req)
	made := false
	for _, c := range fake.Caches() {
		content := fake.CacheContent(c.ID)
		if strings.Contains(c.Key, "/layer/") {
			plain, err := gzip.NewReader(bytes.NewReader(content))
			if err != nil {
				t.Fatal(err)
			}
			if content, err = io.ReadAll(plain); err != nil {
				t.Fatal(err)
			}
		}
		made = made || bytes.Contains(content, []byte("made\n"))
		if slices.ContainsFunc([][]byte{[]byte(c.Key), content}, func(b []byte) bool { return bytes.Contains(b, []byte("hunter2")) }) {
			t.Errorf("%s holds the secret", c.Key)
		}
	}
	if !made {
		t.Error("what the command made is not in the cache")
	}
}

// TestGitHubCacheAfterFailure keeps what was made before a command failed.
func TestGitHubCacheAfterFailure(t *testing.T) {
	t.Parallel()
	fake := actionscache.New(t)
	dir := runDir(t, map[string]string{"Dockerfile": shell + unique + "RUN false\n"})
	if _, err := build.Build(t.Context(), onGitHub(t, fake, dir, mainRef, "default")); err == nil {
		t.Fatal("the build succeeds")
	}
	write(t, dir, map[string]string{"Dockerfile": shell + unique})
	before := len(fake.Calls())
	if got := builtFiles(t, onGitHub(t, fake, dir, mainRef, "default")); len(got) != 1 {
		t.Errorf("the image has %v, want one file", got)
	}
	if stored, _ := written(fake, before); stored > 0 {
		t.Errorf("%d entries are stored by the build that succeeds, want all of them to be there", stored)
	}
}
