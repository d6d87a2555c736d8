package oci_test

import (
	"archive/tar"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/deploy-action/deploy-action/internal/artifact"
)

// TestAheadThrough sends a layer while the layout is not where it was.
func TestAheadThrough(t *testing.T) {
	t.Parallel()
	registry := newRegistry(t, nil)
	dir := filepath.Join(t.TempDir(), "layout")
	layout := openLayout(t, dir)
	layer, err := layout.AddLayer(t.Context(), func(_ context.Context, archive *tar.Writer) error {
		return archive.WriteHeader(&tar.Header{Name: "folder/", Typeflag: tar.TypeDir, Mode: 0o755})
	})
	if err != nil {
		t.Fatal(err)
	}
	anchor, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir, dir+"-aside"); err != nil {
		t.Fatal(err)
	}
	ahead, err := registry.client.Ahead(artifact.Repository{Name: registry.host + "/acme/web"}, layout)
	if err != nil {
		t.Fatal(err)
	}
	ahead.Through(layout.Through(fmt.Sprintf("/proc/self/fd/%d", anchor.Fd())), anchor)
	ahead.Send(t.Context(), layer)
	if !ahead.Wait() {
		t.Error("the layer did not arrive")
	}
	if anchor.Close() == nil {
		t.Error("the layout's folder is still open")
	}
}
