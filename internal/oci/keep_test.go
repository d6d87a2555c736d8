package oci_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/oci"
)

// threeLayers is an image of a registry, which holds back what hold names by its
// place: of those layers the answer begins, and its content does not arrive before
// more is called.
func threeLayers(t *testing.T, hold ...int) (img v1.Image, layers []v1.Descriptor, more func()) {
	t.Helper()
	var held []string // filled before anything is read
	waits := make(chan struct{})
	var registry *fakeRegistry
	registry = newRegistry(t, func(w http.ResponseWriter, r *http.Request) bool {
		if request(r) != "GET blob" || !slices.ContainsFunc(held, func(hex string) bool { return strings.HasSuffix(r.URL.Path, hex) }) {
			return false
		}
		_ = http.NewResponseController(w).Flush() // the answer begins
		select {
		case <-waits:
		case <-r.Context().Done():
		}
		blob := httptest.NewRecorder()
		registry.handler.ServeHTTP(blob, r)
		_, _ = w.Write(blob.Body.Bytes()) // what is cut off is seen by whoever reads it
		return true
	})
	content := []map[string]string{{"a": "1"}, {"b": "2"}, {"c": "3"}}
	pushed, err := registry.client.Push(t.Context(), registry.request(makeImage(t, openLayout(t, t.TempDir()), nil, content...), "v1"))
	if err != nil {
		t.Fatal(err)
	}
	if img, err = registry.client.Fetch(t.Context(), artifact.Image{Repository: pushed.Repository, Digest: pushed.Digest}, nil, "linux/amd64"); err != nil {
		t.Fatal(err)
	}
	manifest, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range hold {
		held = append(held, manifest.Layers[i].Digest.Hex)
	}
	more = sync.OnceFunc(func() { close(waits) })
	t.Cleanup(more) // before the server's end, which waits for all requests
	return img, manifest.Layers, more
}

// TestKeepEach uses the first layer before the next ones have arrived.
func TestKeepEach(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	img, layers, more := threeLayers(t, 1, 2)
	layout := openLayout(t, t.TempDir())
	var used []int
	err := layout.KeepEach(ctx, img, all, func(i int) error {
		if i == 0 {
			for _, above := range layers[1:] {
				if layout.Holds(oci.Layer{Descriptor: above}) {
					t.Error("a layer is there that the registry has not sent yet")
				}
			}
			more()
		}
		content, err := layout.OpenLayer(layers[i], diffID(t, img, i))
		if err != nil {
			return err
		}
		defer content.Close()
		used = append(used, i)
		_, err = io.Copy(io.Discard, content)
		return err
	})
	if err != nil || !slices.Equal(used, []int{0, 1, 2}) {
		t.Errorf("KeepEach = %v, and used the layers %v in turn", err, used)
	}
}

// all has [oci.Layout.KeepEach] copy each layer.
func all(int) bool { return true }

// TestKeepEachLeavesOut uses a layer that nobody has to copy, and that would never
// arrive.
func TestKeepEachLeavesOut(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	img, layers, _ := threeLayers(t, 1)
	layout := openLayout(t, t.TempDir())
	var used []int
	err := layout.KeepEach(ctx, img, func(i int) bool { return i != 1 }, func(i int) error {
		used = append(used, i)
		return nil
	})
	if err != nil || !slices.Equal(used, []int{0, 1, 2}) {
		t.Errorf("KeepEach = %v, and used the layers %v in turn", err, used)
	}
	for i, layer := range layers {
		if held := layout.Holds(oci.Layer{Descriptor: layer}); held != (i != 1) {
			t.Errorf("the layout holds layer %d: %v", i, held)
		}
	}
}

func diffID(t *testing.T, img v1.Image, layer int) v1.Hash {
	t.Helper()
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	return config.RootFS.DiffIDs[layer]
}

// TestKeepEachEnds does not wait for layers that nobody will use.
func TestKeepEachEnds(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	img, _, _ := threeLayers(t, 1, 2)
	refused := errors.New("no room")
	if err := openLayout(t, t.TempDir()).KeepEach(ctx, img, all, func(int) error { return refused }); !errors.Is(err, refused) {
		t.Errorf("KeepEach = %v, want what use returned", err)
	}
	img, _, _ = threeLayers(t, 0)
	cancelled, cancel := context.WithCancelCause(ctx)
	cancel(refused)
	if err := openLayout(t, t.TempDir()).KeepEach(cancelled, img, all, func(int) error {
		t.Error("a layer is used after the end")
		return nil
	}); !errors.Is(err, refused) {
		t.Errorf("KeepEach = %v, want why it was cancelled", err)
	}
}

// TestKeepEachFails has the registry lose the layer in the middle.
func TestKeepEachFails(t *testing.T) {
	t.Parallel()
	registry := newRegistry(t, nil)
	image := makeImage(t, openLayout(t, t.TempDir()), nil, map[string]string{"a": "1"}, map[string]string{"b": "2"})
	pushed, err := registry.client.Push(t.Context(), registry.request(image, "v1"))
	if err != nil {
		t.Fatal(err)
	}
	img, err := registry.client.Fetch(t.Context(), artifact.Image{Repository: pushed.Repository, Digest: pushed.Digest}, nil, "linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	lost := manifest.Layers[1].Digest
	registry.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		return strings.HasSuffix(r.URL.Path, lost.Hex) && answer(http.StatusNotFound, "BLOB_UNKNOWN")(w, r)
	}
	err = openLayout(t, t.TempDir()).KeepEach(t.Context(), img, all, func(i int) error {
		if i != 0 {
			t.Errorf("layer %d is used", i)
		}
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), lost.String()) {
		t.Errorf("KeepEach = %v, want an error that names %s", err, lost)
	}
}
