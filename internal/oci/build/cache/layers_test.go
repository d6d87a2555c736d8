package cache_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/build/cache"
)

// plain opens the content of a layer of a layout.
func plain(t *testing.T, layout *oci.Layout, layer oci.Layer, id v1.Hash) io.ReadCloser {
	t.Helper()
	content, err := layout.OpenLayer(layer.Descriptor, id)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// readOut reads content to its end, and closes it.
func readOut(content io.ReadCloser) ([]byte, error) {
	data, err := io.ReadAll(content)
	return data, errors.Join(err, content.Close())
}

// keep has a cache keep the content of a layer, which it returns.
func keep(t *testing.T, c *cache.Cache, layout *oci.Layout, layer oci.Layer) []byte {
	t.Helper()
	content, err := readOut(c.KeepLayer(layer.DiffID, plain(t, layout, layer, layer.DiffID)))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func layerFile(dir string, id v1.Hash) string { return filepath.Join(dir, "layers", id.Hex) }

// TestLayerIsKept reads a layer's content from the cache in the next build.
func TestLayerIsKept(t *testing.T) {
	t.Parallel()
	for name, lasting := range map[string]bool{"in a folder that lasts": true, "in a folder that may vanish": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			layout, options := newLayout(t), cache.Options{Dir: t.TempDir(), Lasting: lasting}
			layer := newLayer(t, layout, strings.Repeat("content", 1000))
			c := open(t, options)
			if c.HoldsLayer(layer.DiffID) {
				t.Fatal("a layer is held that nobody read")
			}
			want := keep(t, c, layout, layer)
			closeIt(t, c)
			c = open(t, options)
			if held := c.HoldsLayer(layer.DiffID); held != lasting {
				t.Errorf("after it was read once, the layer is held: %v", held)
			}
			keep(t, c, layout, layer)
			closeIt(t, c)
			c = open(t, options)
			defer closeIt(t, c)
			if !c.HoldsLayer(layer.DiffID) {
				t.Fatal("after it was read twice, the layer is not held")
			}
			content, err := c.OpenLayer(layer.DiffID)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := readOut(content); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes were kept, %v; want %d", len(got), err, len(want))
			}
		})
	}
}

// TestLayerIsNotKept keeps nothing but a whole layer.
func TestLayerIsNotKept(t *testing.T) {
	t.Parallel()
	tests := map[string]func(t *testing.T, c *cache.Cache, layout *oci.Layout, layer oci.Layer){
		"read in part": func(t *testing.T, c *cache.Cache, layout *oci.Layout, layer oci.Layer) {
			content := c.KeepLayer(layer.DiffID, plain(t, layout, layer, layer.DiffID))
			if _, err := io.ReadFull(content, make([]byte, 600)); err != nil {
				t.Fatal(err)
			}
			content.Close()
		},
		"of another digest": func(t *testing.T, c *cache.Cache, layout *oci.Layout, layer oci.Layer) {
			other := v1.Hash{Algorithm: "sha256", Hex: key("0")}
			if _, err := readOut(c.KeepLayer(layer.DiffID, plain(t, layout, layer, other))); err == nil {
				t.Error("content of another digest is read without an error")
			}
		},
	}
	for name, read := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			layout, dir := newLayout(t), t.TempDir()
			layer := newLayer(t, layout, "content")
			c := open(t, cache.Options{Dir: dir, Lasting: true})
			defer closeIt(t, c)
			read(t, c, layout, layer)
			if c.HoldsLayer(layer.DiffID) {
				t.Error("the layer is held")
			}
			if left, err := os.ReadDir(filepath.Join(dir, "layers")); err != nil || len(left) != 0 {
				t.Errorf("%v is left, %v", left, err)
			}
		})
	}
	content := io.NopCloser(strings.NewReader("x"))
	if got := (*cache.Cache)(nil).KeepLayer(v1.Hash{}, content); got != content || (*cache.Cache)(nil).HoldsLayer(v1.Hash{}) {
		t.Error("no cache keeps something")
	}
}

// TestKeptLayerIsDamaged notices it, and removes the layer.
func TestKeptLayerIsDamaged(t *testing.T) {
	t.Parallel()
	tests := map[string]func(data []byte) []byte{
		"cut":              func(data []byte) []byte { return data[:len(data)/2] },
		"of zeros":         func(data []byte) []byte { return make([]byte, len(data)) },
		"with another bit": func(data []byte) []byte { data[len(data)/2] ^= 1; return data },
		"of other content": func([]byte) []byte { return []byte("content that is not compressed") },
	}
	for name, damage := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			layout, dir := newLayout(t), t.TempDir()
			layer := newLayer(t, layout, "content")
			c := open(t, cache.Options{Dir: dir, Lasting: true})
			defer closeIt(t, c)
			keep(t, c, layout, layer)
			data, err := os.ReadFile(layerFile(dir, layer.DiffID))
			if err == nil {
				err = os.WriteFile(layerFile(dir, layer.DiffID), damage(data), 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
			content, err := c.OpenLayer(layer.DiffID)
			if err == nil {
				_, err = readOut(content)
			}
			if err == nil {
				t.Fatal("nothing is wrong with it")
			}
			broken, ok := errors.AsType[*cache.BrokenError](c.BreakLayer(layer.DiffID, err))
			if !ok || !errors.Is(broken, err) || !c.Forget(broken.Key) || c.Forget(broken.Key) {
				t.Errorf("BreakLayer = %v, want what can be forgotten once", broken)
			}
			if c.HoldsLayer(layer.DiffID) {
				t.Error("the layer is still held")
			}
			if keep(t, c, layout, layer); c.HoldsLayer(layer.DiffID) {
				t.Error("a forgotten layer is held in the same build")
			}
		})
	}
}

// TestKeptLayersShrink removes what was used longest ago.
func TestKeptLayersShrink(t *testing.T) {
	t.Parallel()
	layout, dir := newLayout(t), t.TempDir()
	var layers []oci.Layer
	c := open(t, cache.Options{Dir: dir, Lasting: true})
	var size int64
	for i, content := range []string{"a", "b", "c"} {
		layer := newLayer(t, layout, content)
		keep(t, c, layout, layer)
		name, old := layerFile(dir, layer.DiffID), time.Now().Add(time.Duration(i-10)*time.Hour)
		info, err := os.Stat(name)
		if err == nil {
			err = os.Chtimes(name, old, old)
		}
		if err != nil {
			t.Fatal(err)
		}
		layers, size = append(layers, layer), max(size, info.Size())
	}
	content, err := c.OpenLayer(layers[0].DiffID) // which is a use
	if err == nil {
		_, err = readOut(content)
	}
	if err != nil {
		t.Fatal(err)
	}
	closeIt(t, c)
	closeIt(t, open(t, cache.Options{Dir: dir, MaxSize: 2 * size}))
	c = open(t, cache.Options{Dir: dir})
	defer closeIt(t, c)
	for i, want := range []bool{true, false, true} {
		if held := c.HoldsLayer(layers[i].DiffID); held != want {
			t.Errorf("layer %d is held: %v, want %v", i, held, want)
		}
	}
}
