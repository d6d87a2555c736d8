package build_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/build"
	"github.com/deploy-action/deploy-action/internal/testkit/actionscache"
)

// noise is content that cannot be compressed, and of a layer that is worth more
// than its headers.
func noise() string {
	content := make([]byte, 5<<20)
	for i := range content {
		content[i] = byte(rand.Uint32())
	}
	return string(content)
}

// pushLargeBase pushes a large image whose /bin is a link, and returns its name.
func pushLargeBase(t *testing.T, c *counter) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, map[string]string{"Dockerfile": "FROM scratch\nCOPY root /\n", "root/bin": "→usr/bin", "root/usr/bin/tool": noise()})
	base := newRequest(t, dir)
	to := artifact.Repository{Name: c.host + "/acme/base"}
	image := artifact.Image{Layout: base.Layout.Dir(), Digest: digestOf(t, base)}
	if _, err := c.client.Push(t.Context(), oci.PushRequest{Image: image, To: to, Tag: "v1"}); err != nil {
		t.Fatal(err)
	}
	return to.Name + ":v1"
}

// TestCacheKnowsTheBaseElsewhere copies into a folder that is a link of the base,
// each time on another machine. Only the first fetches the base's layer for that.
func TestCacheKnowsTheBaseElsewhere(t *testing.T) {
	t.Parallel()
	for name, inGitHub := range map[string]bool{"a registry": false, "GitHub's cache": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, fake := newCounter(t), actionscache.New(t)
			base := pushLargeBase(t, c)
			dir := t.TempDir()
			for i, want := range []int{2, 1, 1} { // the base's configuration, and its layer
				write(t, dir, map[string]string{"Dockerfile": "FROM " + base + "\nCOPY prog /bin/prog\n", "prog": strings.Repeat("P", i+1)})
				var req build.Request
				if inGitHub {
					req = onGitHub(t, fake, dir, mainRef, "default")
					req.Client = c.client
				} else {
					req = c.remote(t, dir, "default")
				}
				c.requests()
				image := buildImage(t, req)
				if got := matching(c.requests(), "GET", "/acme/base/blobs/"); len(got) != want {
					t.Errorf("build %d reads %v of the base, want %d requests", i+1, got, want)
				}
				found := entries(t, image)
				if last := found[len(found)-1]; last != "644 0:0 usr/bin/prog="+strings.Repeat("P", i+1) {
					t.Errorf("build %d ends with %.40q, want a file in /usr/bin", i+1, last)
				}
			}
		})
	}
}

// TestCacheKnowsALayerElsewhere does so on top of a command's large layer. The
// build after the one that made it fetches it, and tells its headers.
func TestCacheKnowsALayerElsewhere(t *testing.T) {
	t.Parallel()
	c, fake := newCounter(t), actionscache.New(t)
	target := artifact.Repository{Name: c.host + "/acme/web"}
	dir := runDir(t, map[string]string{"Dockerfile": shell + "RUN mkdir /out && head -c 5000000 /dev/urandom > /out/big\nCOPY a /out/a\n"})
	for i, want := range []int{0, 1, 0, 0} {
		write(t, dir, map[string]string{"a": strings.Repeat("A", i+1)})
		before := len(fake.Calls())
		req := onGitHub(t, fake, dir, mainRef, "default")
		req.Client, req.GitHub.Target = c.client, &target
		image := artifact.Image{Layout: req.Layout.Dir(), Digest: digestOf(t, req)}
		if _, err := c.client.Push(t.Context(), oci.PushRequest{Image: image, To: target, Tag: "v1"}); err != nil {
			t.Fatal(err)
		}
		large := map[string]bool{}
		for _, entry := range fake.Caches() {
			large["/blob/"+entry.Blob] = entry.Size > 4<<20
		}
		read := 0
		for _, call := range fake.Calls()[before:] {
			if call.Method == "GET" && large[call.Path] {
				read++
			}
		}
		if read != want {
			t.Errorf("build %d reads the large layer %d times, want %d", i+1, read, want)
		}
	}
}

// TestCacheHeadersDamage changes what was told of a base. It is fetched again.
func TestCacheHeadersDamage(t *testing.T) {
	t.Parallel()
	c := newCounter(t)
	base := pushLargeBase(t, c)
	dir := t.TempDir()
	fake := actionscache.New(t)
	run := func(prog string) string {
		write(t, dir, map[string]string{"Dockerfile": "FROM " + base + "\nCOPY prog /bin/prog\n", "prog": prog})
		req := onGitHub(t, fake, dir, mainRef, "default")
		req.Client = c.client
		return digestOf(t, req)
	}
	run("1")
	for _, entry := range fake.Caches() {
		if strings.Contains(entry.Key, "/layer/") {
			fake.ChangeCache(entry.ID, []byte("x"))
		}
	}
	c.requests()
	got := run("2")
	if asked := matching(c.requests(), "GET", "/acme/base/blobs/"); len(asked) != 2 {
		t.Errorf("with damaged headers a build reads %v of the base, want its layer", asked)
	}
	req := newRequest(t, dir)
	req.Client = c.client
	if want := digestOf(t, req); got != want {
		t.Errorf("the image is %s, want %s as without a cache", got, want)
	}
}
