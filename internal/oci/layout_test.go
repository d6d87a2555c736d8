package oci_test

import (
	"archive/tar"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/oci"
)

func TestImageIsValid(t *testing.T) {
	t.Parallel()
	image := makeImage(t, openLayout(t, t.TempDir()), nil, map[string]string{"a": "1"}, map[string]string{"b": "2"})
	content, err := oci.Client{}.Fetch(t.Context(), image, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(content); err != nil {
		t.Error(err)
	}
}

func TestSameInputSameDigest(t *testing.T) {
	t.Parallel()
	content := map[string]string{"a": "1", "b": "2"}
	first := makeImage(t, openLayout(t, t.TempDir()), nil, content)
	second := makeImage(t, openLayout(t, t.TempDir()), nil, content)
	if first.Digest != second.Digest {
		t.Errorf("two layouts made %s and %s of the same input", first.Digest, second.Digest)
	}
}

func TestAddLayerReusesLayers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	before := makeImage(t, openLayout(t, dir), nil, map[string]string{"a": "1"})

	calls := 0
	count := func(content map[string]string) func(context.Context, *tar.Writer) error {
		return func(ctx context.Context, archive *tar.Writer) error {
			calls++
			return files(content)(ctx, archive)
		}
	}
	layout := openLayout(t, dir)
	same, err := layout.AddLayer(t.Context(), count(map[string]string{"a": "1"}))
	if err != nil {
		t.Fatal(err)
	}
	if calls != 1 {
		t.Errorf("a known layer was written %d times, want once, to hash it", calls)
	}
	calls = 0
	if _, err := layout.AddLayer(t.Context(), count(map[string]string{"a": "2"})); err != nil {
		t.Fatal(err)
	}
	if calls != 2 {
		t.Errorf("a new layer was written %d times, want once to hash and once to compress it", calls)
	}
	digest, err := layout.AddImage(oci.NewImage{Layers: []oci.Layer{same}})
	if err != nil {
		t.Fatal(err)
	}
	if digest == before.Digest {
		t.Error("images of different platforms have the same digest")
	}
}

func TestLayoutForgetsOldImages(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	layout := openLayout(t, dir)
	oldest := makeImage(t, layout, nil, map[string]string{"file": "oldest"})
	for _, content := range []string{"older", "old", "recent", "last"} {
		makeImage(t, layout, nil, map[string]string{"file": content})
	}
	// Everything so far was last used long ago.
	blobs, err := filepath.Glob(filepath.Join(dir, "blobs", "sha256", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, blob := range blobs {
		if err := os.Chtimes(blob, time.Time{}, time.Now().Add(-24*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	newest := makeImage(t, openLayout(t, dir), nil, map[string]string{"file": "new"})

	if _, err := (oci.Client{}).Fetch(t.Context(), newest, nil, ""); err != nil {
		t.Errorf("fetching the newest image: %v", err)
	}
	if _, err := (oci.Client{}).Fetch(t.Context(), oldest, nil, ""); err == nil {
		t.Error("the oldest image is still there")
	}
	left, err := os.ReadDir(filepath.Join(dir, "blobs", "sha256"))
	if err != nil {
		t.Fatal(err)
	}
	// Five images of a manifest, a configuration and a layer. Opening the
	// layout counted as a use for the oldest one's layer.
	if len(left) != 16 {
		t.Errorf("%d blobs are left, want 16", len(left))
	}
}

func TestFailedLayerLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := openLayout(t, dir).AddLayer(ctx, func(ctx context.Context, _ *tar.Writer) error { return context.Cause(ctx) })
	if err == nil {
		t.Fatal("AddLayer succeeded, want the error of its function")
	}
	left, err := os.ReadDir(filepath.Join(dir, "blobs", "sha256"))
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != 0 {
		t.Errorf("%d files are left", len(left))
	}
}

func TestLayoutIsShared(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	images := make([]artifact.Image, 5)
	var group sync.WaitGroup
	for i := range images {
		layout := openLayout(t, dir)
		group.Go(func() { images[i] = makeImage(t, layout, nil, map[string]string{"file": strconv.Itoa(i)}) })
	}
	group.Wait()
	for i, image := range images {
		content, err := oci.Client{}.Fetch(t.Context(), image, nil, "")
		if err != nil {
			t.Fatalf("image %d of %d made at the same time: %v", i+1, len(images), err)
		}
		if got := contentOf(t, content)["file"]; got != strconv.Itoa(i) {
			t.Errorf("image %d has the content %q", i, got)
		}
	}
}
