package oci_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/oci"
)

// request tells requests of a push apart.
func request(r *http.Request) string {
	switch path := r.URL.Path; {
	case path == "/v2/":
		return "ping"
	case strings.Contains(path, "/manifests/"):
		return r.Method + " manifest"
	case strings.Contains(path, "/uploads/"):
		return r.Method + " upload"
	}
	return r.Method + " blob"
}

// hangUp drops the connection of a request, after some of its body.
func hangUp(w http.ResponseWriter, r *http.Request, after int64) bool {
	_, _ = io.CopyN(io.Discard, r.Body, after) // there may be less
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		conn.Close()
	}
	return true
}

// once calls then for the first request of a kind.
func once(kind string, then func(http.ResponseWriter, *http.Request) bool) func(http.ResponseWriter, *http.Request) bool {
	var done atomic.Bool
	return func(w http.ResponseWriter, r *http.Request) bool {
		return request(r) == kind && !done.Swap(true) && then(w, r)
	}
}

// answer returns what answers with a refusal.
func answer(status int, code string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"errors":[{"code":%q,"message":"made up"}]}`, code)
		return true
	}
}

// large is content that takes more than one read and does not compress.
func large(t *testing.T) map[string]string {
	t.Helper()
	data := make([]byte, 6<<20)
	if _, err := rand.Read(data); err != nil {
		t.Fatal(err)
	}
	return map[string]string{"large": string(data)}
}

// TestPushSurvives has a registry fail once, in each way.
func TestPushSurvives(t *testing.T) {
	t.Parallel()
	drop := func(after int64) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool { return hangUp(w, r, after) }
	}
	tests := map[string]func(http.ResponseWriter, *http.Request) bool{
		"a dropped greeting":           once("ping", drop(0)),
		"a dropped look at the tag":    once("GET manifest", drop(0)),
		"a dropped begin":              once("POST upload", drop(0)),
		"a blob dropped at its start":  once("PUT upload", drop(0)),
		"a blob dropped in the middle": once("PUT upload", drop(3<<20)),
		"a dropped manifest":           once("PUT manifest", drop(10)),
		"a lost session":               once("PUT upload", answer(404, "BLOB_UPLOAD_UNKNOWN")),
		"bytes broken on the way":      once("PUT upload", answer(400, "DIGEST_INVALID")),
		"a login that ran out":         once("PUT upload", answer(401, "UNAUTHORIZED")),
		"a login for the manifest":     once("PUT manifest", answer(401, "UNAUTHORIZED")),
		"a blob that was cleaned away": once("PUT manifest", answer(400, "MANIFEST_BLOB_UNKNOWN")),
		"too many requests in a blob":  once("PUT upload", answer(429, "TOOMANYREQUESTS")),
	}
	for name, intercept := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			registry := newRegistry(t, intercept)
			content := large(t)
			image := makeImage(t, openLayout(t, t.TempDir()), nil, content, map[string]string{"a": "1"})
			pushed, err := registry.client.Push(t.Context(), registry.request(image, "v1"))
			if err != nil {
				t.Fatalf("Push = %v, want that it tries again", err)
			}
			fetched, err := registry.client.Fetch(t.Context(), pushed, nil, "linux/amd64")
			if err != nil {
				t.Fatal(err)
			}
			if got := contentOf(t, fetched); got["large"] != content["large"] || got["a"] != "1" {
				t.Error("the registry has other content than was pushed")
			}
		})
	}
}

// TestPushTellsWhatFails has a registry fail for good.
func TestPushTellsWhatFails(t *testing.T) {
	t.Parallel()
	always := func(kind string, then func(http.ResponseWriter, *http.Request) bool) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool { return request(r) == kind && then(w, r) }
	}
	tests := map[string]struct {
		intercept func(http.ResponseWriter, *http.Request) bool
		summary   string
		detail    string
	}{
		"other bytes":     {always("PUT upload", answer(400, "DIGEST_INVALID")), "Registry HOST says that other bytes arrived", "twice for one blob"},
		"too large":       {always("PUT upload", answer(413, "SIZE_INVALID")), "Registry HOST refuses a blob of this size", "a proxy before it"},
		"a lying digest":  {always("PUT manifest", lie), "Registry HOST stored other content than it was sent", "sha256:"},
		"a long wait":     {always("POST upload", waitForAnHour), "Registry HOST limits the rate of requests", "longer than two minutes"},
		"denied for good": {always("PUT upload", answer(401, "UNAUTHORIZED")), "Registry HOST refused access", "not enough"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			registry := newRegistry(t, test.intercept)
			image := makeImage(t, openLayout(t, t.TempDir()), nil, map[string]string{"a": "1"})
			_, err := registry.client.Push(t.Context(), registry.request(image, "v1"))
			checkProblem(t, err, strings.ReplaceAll(test.summary, "HOST", registry.host), test.detail)
		})
	}
}

func lie(w http.ResponseWriter, _ *http.Request) bool {
	w.Header().Set("Docker-Content-Digest", "sha256:"+strings.Repeat("0", 64))
	w.WriteHeader(http.StatusCreated)
	return true
}

func waitForAnHour(w http.ResponseWriter, r *http.Request) bool {
	w.Header().Set("Retry-After", "3600")
	return answer(429, "TOOMANYREQUESTS")(w, r)
}

func TestPushWaitsAsLongAsTold(t *testing.T) {
	t.Parallel()
	registry := newRegistry(t, once("POST upload", func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Retry-After", "1")
		return answer(503, "UNAVAILABLE")(w, r)
	}))
	image := makeImage(t, openLayout(t, t.TempDir()), nil, map[string]string{"a": "1"})
	began := time.Now()
	if _, err := registry.client.Push(t.Context(), registry.request(image, "v1")); err != nil {
		t.Fatal(err)
	}
	if waited := time.Since(began); waited < time.Second {
		t.Errorf("the push took %v, want that it waits for the second that the registry asks for", waited)
	}
}

// TestImmutableTag refuses the manifest after it took all blobs, as registries
// do in several ways.
func TestImmutableTag(t *testing.T) {
	t.Parallel()
	tests := map[string]func(http.ResponseWriter, *http.Request) bool{
		"by its code":    answer(400, "TAG_INVALID"),
		"by its status":  answer(409, "UNKNOWN"),
		"by a condition": answer(412, "PRECONDITION"),
		"by its words": func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"errors":[{"code":"DENIED","message":"the repository is IMMUTABLE"}]}`)
			return true
		},
	}
	for name, refuse := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var closed atomic.Bool
			registry := newRegistry(t, func(w http.ResponseWriter, r *http.Request) bool {
				return closed.Load() && request(r) == "PUT manifest" && refuse(w, r)
			})
			layout := openLayout(t, t.TempDir())
			first := makeImage(t, layout, nil, map[string]string{"a": "1"})
			if _, err := registry.client.Push(t.Context(), registry.request(first, "v1")); err != nil {
				t.Fatal(err)
			}
			closed.Store(true)
			second := makeImage(t, layout, nil, map[string]string{"a": "2"})
			_, err := registry.client.Push(t.Context(), registry.request(second, "v1"))
			checkProblem(t, err, "Tag v1 cannot be moved", first.Digest)
			checkProblem(t, err, "Tag v1 cannot be moved", "gitrefpretty()")
		})
	}
}

// TestUploadGoesOn has a connection break in the middle of a blob, at a
// registry that keeps what it got.
func TestUploadGoesOn(t *testing.T) {
	t.Parallel()
	var (
		kept  bytes.Buffer
		sent  atomic.Int64
		again atomic.Bool
	)
	const half = 3 << 20
	registry := newRegistry(t, nil)
	handler := registry.handler
	registry.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		large := r.ContentLength > half
		switch {
		case request(r) == "PUT upload" && large && !again.Swap(true):
			_, _ = io.CopyN(&kept, r.Body, half)
			sent.Add(half)
			return hangUp(w, r, 0)
		case request(r) == "GET upload":
			w.Header().Set("Location", r.URL.Path+"?state=next")
			w.Header().Set("Range", fmt.Sprintf("0-%d", kept.Len()-1))
			w.WriteHeader(http.StatusNoContent)
			return true
		case request(r) == "PUT upload" && r.URL.Query().Get("state") == "next":
			if got, want := r.Header.Get("Content-Range"), fmt.Sprintf("%d-%d", half, half+r.ContentLength-1); got != want {
				t.Errorf("the rest is sent as %q, want %q", got, want)
			}
			sent.Add(r.ContentLength)
			r.Body = io.NopCloser(io.MultiReader(&kept, r.Body))
			r.ContentLength += half
			handler.ServeHTTP(w, r)
			return true
		}
		return false
	}
	content := large(t)
	image := makeImage(t, openLayout(t, t.TempDir()), nil, content)
	pushed, err := registry.client.Push(t.Context(), registry.request(image, "v1"))
	if err != nil {
		t.Fatal(err)
	}
	if n := sent.Load(); n < 6<<20 || n > 6<<20+64<<10 {
		t.Errorf("%d bytes were sent, want each once", n)
	}
	fetched, err := registry.client.Fetch(t.Context(), pushed, nil, "linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	if contentOf(t, fetched)["large"] != content["large"] {
		t.Error("the registry has other content than was pushed")
	}
}

// TestFetchGoesOn has connections break while a layer is read.
func TestFetchGoesOn(t *testing.T) {
	t.Parallel()
	for name, ranges := range map[string]bool{"by ranges": true, "from the start": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			registry := newRegistry(t, nil)
			content := large(t)
			image := makeImage(t, openLayout(t, t.TempDir()), nil, content)
			pushed, err := registry.client.Push(t.Context(), registry.request(image, "v1"))
			if err != nil {
				t.Fatal(err)
			}
			var broken atomic.Int32
			registry.intercept = func(w http.ResponseWriter, r *http.Request) bool {
				if request(r) != "GET blob" || broken.Add(1) > 2 {
					if !ranges {
						r.Header.Del("Range")
					}
					return false
				}
				if !ranges {
					r.Header.Del("Range")
				}
				registry.handler.ServeHTTP(&short{ResponseWriter: w, left: 2 << 20}, r)
				return hangUp(w, r, 0)
			}
			fetched, err := registry.client.Fetch(t.Context(), pushed, nil, "linux/amd64")
			if err != nil {
				t.Fatal(err)
			}
			if contentOf(t, fetched)["large"] != content["large"] {
				t.Error("other content arrived than was pushed")
			}
			if broken.Load() < 3 {
				t.Errorf("the layer was read over %d connections, want 3", broken.Load())
			}
		})
	}
}

// short forgets what is written beyond a length.
type short struct {
	http.ResponseWriter
	left int
}

func (s *short) Write(p []byte) (int, error) {
	n := min(len(p), s.left)
	s.left -= n
	if n > 0 {
		if _, err := s.ResponseWriter.Write(p[:n]); err != nil {
			return 0, err
		}
		_ = http.NewResponseController(s.ResponseWriter).Flush() // it is cut off otherwise
	}
	return len(p), nil
}

// TestSmallPush counts the requests of a program on nothing.
func TestSmallPush(t *testing.T) {
	t.Parallel()
	registry := newRegistry(t, nil)
	image := makeImage(t, openLayout(t, t.TempDir()), nil, large(t))
	if _, err := registry.client.Push(t.Context(), registry.request(image, "v1")); err != nil {
		t.Fatal(err)
	}
	registry.mu.Lock()
	defer registry.mu.Unlock()
	if len(registry.requests) > 8 {
		t.Errorf("a push of one layer took %d requests, want 8 at most:\n%s", len(registry.requests), strings.Join(registry.requests, "\n"))
	}
}

// TestKnownLayers pushes from another machine what the tag has already.
func TestKnownLayers(t *testing.T) {
	t.Parallel()
	registry := newRegistry(t, nil)
	data := make([]byte, 33<<20)
	content := map[string]string{"zeros": string(data)}
	image := makeImage(t, openLayout(t, t.TempDir()), nil, content)
	if _, err := registry.client.Push(t.Context(), registry.request(image, "v1")); err != nil {
		t.Fatal(err)
	}
	to := artifact.Repository{Name: registry.host + "/acme/web", Tag: "v1"}
	layout := openLayout(t, t.TempDir())
	layout.Ask(func(ctx context.Context) []oci.Layer {
		layers, err := registry.client.Layers(ctx, artifact.Image{Repository: to.Name, Tag: to.Tag}, to, "linux/amd64")
		if err != nil {
			t.Error(err)
		}
		return layers
	})
	again := makeImage(t, layout, nil, content, map[string]string{"new": "1"})
	registry.writes()
	pushed, err := registry.client.Push(t.Context(), registry.request(again, "v2"))
	if err != nil {
		t.Fatal(err)
	}
	if n := registry.count("PUT", "/blobs/"); n != 2 {
		t.Errorf("%d blobs were sent, want the new layer and the configuration", n)
	}
	if n := registry.count("GET", "/blobs/"); n != 0 {
		t.Errorf("%d blobs were read, want none", n)
	}
	fetched, err := registry.client.Fetch(t.Context(), pushed, nil, "linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	if got := contentOf(t, fetched); len(got["zeros"]) != len(data) || got["new"] != "1" {
		t.Error("the image lacks files")
	}
}

// TestRemoteLayer pushes a layer that the layout does not have, to where it is,
// beside it, and to another registry.
func TestRemoteLayer(t *testing.T) {
	t.Parallel()
	registry, other := newRegistry(t, nil), newRegistry(t, nil)
	cached := makeImage(t, openLayout(t, t.TempDir()), nil, map[string]string{"a": "1"})
	pushed, err := registry.client.Push(t.Context(), registry.request(cached, "cache"))
	if err != nil {
		t.Fatal(err)
	}
	where := artifact.Repository{Name: pushed.Repository}
	layers, err := registry.client.Layers(t.Context(), pushed, where, "linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	layout := openLayout(t, t.TempDir())
	digest, err := layout.AddImage(oci.NewImage{Config: v1.ConfigFile{OS: "linux", Architecture: "arm64"}, Layers: layers})
	if err != nil {
		t.Fatal(err)
	}
	image := artifact.Image{Repository: "web", Digest: digest, Layout: layout.Dir(), Architecture: "arm64"}
	tests := []struct {
		name string
		to   string
		at   *fakeRegistry
		sent int // blobs
	}{
		{"where it is", where.Name, registry, 1},
		{"beside it", registry.host + "/acme/other", registry, 1},
		{"elsewhere", other.host + "/acme/web", other, 2},
	}
	for _, test := range tests {
		test.at.writes()
		req := oci.PushRequest{Image: image, To: artifact.Repository{Name: test.to}, Tag: "v1"}
		copied, err := test.at.client.Push(t.Context(), req)
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		if n := test.at.count("PUT", "/blobs/"); n != test.sent {
			t.Errorf("%s: %d blobs were sent, want %d", test.name, n, test.sent)
		}
		fetched, err := test.at.client.Fetch(t.Context(), copied, nil, "linux/arm64")
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		if got := contentOf(t, fetched)["a"]; got != "1" {
			t.Errorf("%s: the layer holds %q", test.name, got)
		}
	}
	if err := layout.KeepLayer(t.Context(), registry.client, layers[0]); err != nil {
		t.Fatal(err)
	}
	kept, err := layout.OpenLayer(layers[0].Descriptor, layers[0].DiffID)
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	if _, err := io.Copy(io.Discard, kept); err != nil {
		t.Error(err)
	}
	missing := layers[0]
	missing.Descriptor.Digest.Hex = strings.Repeat("0", 64)
	if err := layout.KeepLayer(t.Context(), registry.client, missing); err == nil {
		t.Error("KeepLayer found a layer that is nowhere")
	}
}
