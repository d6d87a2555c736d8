package cache_test

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/build/cache"
)

// key is the key of a step, in form.
func key(c string) string { return strings.Repeat(c, 64) }

// newLayer makes a layer of one file in a layout.
func newLayer(t *testing.T, layout *oci.Layout, content string) oci.Layer {
	t.Helper()
	layer, err := layout.AddLayer(t.Context(), func(_ context.Context, w *tar.Writer) error {
		if err := w.WriteHeader(&tar.Header{Name: "file", Size: int64(len(content)), Mode: 0o644}); err != nil {
			return err
		}
		_, err := io.WriteString(w, content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return layer
}

func newLayout(t *testing.T) *oci.Layout {
	t.Helper()
	layout, err := oci.OpenLayout(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return layout
}

func open(t *testing.T, o cache.Options) *cache.Cache {
	t.Helper()
	c, err := cache.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func closeIt(t *testing.T, c *cache.Cache) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

// put records layers of these contents, one after another; the key of each is
// its first letter.
func put(t *testing.T, c *cache.Cache, contents ...string) []oci.Layer {
	t.Helper()
	layout := newLayout(t)
	var layers []oci.Layer
	for _, content := range contents {
		layer := newLayer(t, layout, content)
		if err := c.Put(t.Context(), key(content[:1]), layer, layout); err != nil {
			t.Fatal(err)
		}
		layers = append(layers, layer)
	}
	return layers
}

// TestFolder finds in a second build what the first one recorded.
func TestFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "steps")
	first := open(t, cache.Options{Dir: dir})
	layer := put(t, first, "a")[0]
	closeIt(t, first)
	second := open(t, cache.Options{Dir: dir})
	found, ok := second.Find(t.Context(), key("a"))
	if !ok {
		t.Fatal("the record is not found")
	}
	if diff := cmp.Diff(layer, found.Layer); diff != "" {
		t.Errorf("Find (-put +found):\n%s", diff)
	}
	if err := newLayout(t).Borrow(found.Layer.Descriptor, found.File); err != nil {
		t.Error(err)
	}
	if _, ok := second.Find(t.Context(), key("b")); ok {
		t.Error("a key that nobody put is found")
	}
	if !second.Forget(key("a")) || second.Forget(key("a")) {
		t.Error("a key is forgotten once")
	}
	if _, ok := second.Find(t.Context(), key("a")); ok {
		t.Error("a forgotten key is found")
	}
	closeIt(t, second)
	third := open(t, cache.Options{Dir: dir})
	defer closeIt(t, third)
	if _, ok := third.Find(t.Context(), key("a")); ok {
		t.Error("the next build finds a forgotten key")
	}
}

// TestFolderShrinks removes what was used longest ago, and nothing while
// another build is open.
func TestFolderShrinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	options := cache.Options{Dir: dir, MaxSize: 250} // of two layers and no third
	other := open(t, cache.Options{Dir: dir})
	first := open(t, options)
	for i, layer := range put(t, first, "a", "b", "c") {
		old := time.Now().Add(time.Duration(i-10) * time.Hour)
		blob := filepath.Join(dir, "blobs", layer.Descriptor.Digest.Hex)
		if err := os.Chtimes(blob, old, old); err != nil {
			t.Fatal(err)
		}
		if layer.Descriptor.Size < 84 || layer.Descriptor.Size > 124 {
			t.Fatalf("a layer has %d bytes, and the test counts on 84 to 124", layer.Descriptor.Size)
		}
	}
	if _, ok := first.Find(t.Context(), key("a")); !ok { // which is a use
		t.Fatal("the record is not found")
	}
	closeIt(t, first)
	if _, err := os.Stat(filepath.Join(dir, "records", key("b"))); err != nil {
		t.Errorf("while another build is open, a record is removed: %v", err)
	}
	closeIt(t, other)
	last := open(t, options)
	closeIt(t, last)
	for c, want := range map[string]bool{"a": true, "b": false, "c": true} {
		if _, err := os.Stat(filepath.Join(dir, "records", key(c))); (err == nil) != want {
			t.Errorf("record %s: %v, want it there: %v", c, err, want)
		}
	}
	blobs, err := os.ReadDir(filepath.Join(dir, "blobs"))
	if err != nil || len(blobs) != 2 {
		t.Errorf("%d blobs are left, %v; want 2", len(blobs), err)
	}
}

// TestKilled leaves what a build that was killed leaves.
func TestKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := open(t, cache.Options{Dir: dir})
	put(t, first, "a")
	closeIt(t, first)
	half := []string{"records/.new-1", "blobs/.layer-1", "indexes/.new-1"}
	for _, name := range append(half, "records/"+key("b")) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(`{"diffID":"sha2`), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	second := open(t, cache.Options{Dir: dir})
	if _, ok := second.Find(t.Context(), key("b")); ok {
		t.Error("half a record is found")
	}
	closeIt(t, second)
	for _, name := range append(half, "records/"+key("b")) {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s is still there", name)
		}
	}
	third := open(t, cache.Options{Dir: dir})
	defer closeIt(t, third)
	if _, ok := third.Find(t.Context(), key("a")); !ok {
		t.Error("the whole record is gone")
	}
}

// TestRegistry writes a record that any registry takes, and reads it in its
// scope only.
func TestRegistry(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	repository := artifact.Repository{Name: strings.TrimPrefix(server.URL, "http://") + "/acme/cache"}
	in := func(scopes ...string) *cache.Cache {
		o := cache.Options{Repository: &repository, Client: oci.Client{HTTP: server.Client()}, Read: scopes}
		if len(scopes) > 0 {
			o.Write = scopes[0]
		}
		return open(t, o)
	}
	layer := put(t, in("pr-1", "default"), "a")[0]
	for scope, want := range map[string]bool{"pr-1": true, "pr-2": false, "default": false} {
		found, ok := in(scope).Find(t.Context(), key("a"))
		if ok != want {
			t.Errorf("scope %s finds the record: %v, want %v", scope, ok, want)
		}
		if ok && (found.Layer.From == nil || found.Layer.From.Name != repository.Name || found.File != "" || found.Layer.DiffID != layer.DiffID) {
			t.Errorf("Find = %+v, want the layer in its repository", found)
		}
	}
	tag, err := name.NewTag(repository.Name + ":cache-pr-1-" + key("a"))
	if err != nil {
		t.Fatal(err)
	}
	image, err := remote.Image(tag)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(image); err != nil {
		t.Errorf("the record is no valid image: %v", err)
	}
	manifest, err := image.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	if manifest.MediaType != types.OCIManifestSchema1 || manifest.Config.MediaType != types.OCIConfigJSON {
		t.Errorf("the record has the types %s and %s", manifest.MediaType, manifest.Config.MediaType)
	}
	layer.From = &repository
	if settled, err := in("pr-1").Settle(t.Context(), key("a"), layer, newLayout(t)); err != nil || settled.From == nil {
		t.Errorf("Settle of a layer that is there: %v, %v", settled.From, err)
	}
	layer.Descriptor.Digest = v1.Hash{Algorithm: "sha256", Hex: key("0")}
	_, err = in("pr-1").Settle(t.Context(), key("a"), layer, newLayout(t))
	if _, broken := errors.AsType[*cache.BrokenError](err); !broken {
		t.Errorf("Settle of a layer that is gone: %v", err)
	}
	if _, err := cache.Open(t.Context(), cache.Options{Repository: &repository, Write: "a/b"}); err == nil {
		t.Error("a scope that can be no tag is accepted")
	}
}

// TestScan reads the headers of a layer once.
func TestScan(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	entries := []*tar.Header{
		{Typeflag: tar.TypeDir, Name: "etc/", Mode: 0o755},
		{Typeflag: tar.TypeReg, Name: "etc/passwd", Mode: 0o644, Size: 3, PAXRecords: map[string]string{"SCHILY.xattr.security.capability": "c"}},
		{Typeflag: tar.TypeReg, Name: "big", Mode: 0o600, Uid: 5, Gid: 6, Size: 3},
		{Typeflag: tar.TypeSymlink, Name: "bin", Linkname: "usr/bin"},
	}
	keep := func(h *tar.Header) bool { return h.Name == "etc/passwd" }
	layer := v1.Hash{Algorithm: "sha256", Hex: key("1")}
	scans := 0
	// scan is of the layer itself, as far as the entry that fails.
	scan := func(fails int) func(cache.Visit) error {
		return func(visit cache.Visit) error {
			scans++
			for i, h := range entries {
				if i == fails {
					return io.ErrUnexpectedEOF
				}
				if err := visit(h, strings.NewReader("abc")); err != nil {
					return err
				}
			}
			return nil
		}
	}
	c := open(t, cache.Options{Dir: dir})
	defer closeIt(t, c)
	list := func(fails int) ([]string, error) {
		var found []string
		err := c.Scan(t.Context(), layer, keep, scan(fails), func(h *tar.Header, r io.Reader) error {
			text := h.Name + " " + h.Linkname + " " + h.PAXRecords["SCHILY.xattr.security.capability"]
			if keep(h) {
				content, err := io.ReadAll(r)
				if err != nil {
					return err
				}
				text += " " + string(content)
			}
			found = append(found, text)
			return nil
		})
		return found, err
	}
	if _, err := list(2); err == nil {
		t.Error("a layer that ends early is no error")
	}
	first, err := list(-1)
	if err != nil || scans != 2 {
		t.Fatalf("after %d scans: %v", scans, err)
	}
	second, err := list(-1)
	if err != nil || scans != 2 {
		t.Errorf("the second time, the layer itself is scanned: %d, %v", scans, err)
	}
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("entries (-layer +index):\n%s", diff)
	}
	if err := os.WriteFile(filepath.Join(dir, "indexes", layer.Hex), []byte("broken"), 0o644); err != nil {
		t.Fatal(err)
	}
	if third, err := list(-1); err != nil || scans != 3 || !cmp.Equal(first, third) {
		t.Errorf("with a broken index: %v, %d scans, %v", third, scans, err)
	}
}
