package oci_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/oci"
)

// plainLayer is a layer that is not compressed. It counts how often it is read.
type plainLayer struct {
	v1.Layer
	content []byte
	reads   *int
}

func (p plainLayer) Uncompressed() (io.ReadCloser, error) {
	*p.reads++
	return io.NopCloser(bytes.NewReader(p.content)), nil
}

// plainImage is an image of layers that are not compressed.
func plainImage(t *testing.T, reads *int, contents ...string) v1.Image {
	t.Helper()
	image := mutate.MediaType(empty.Image, types.DockerManifestSchema2)
	for _, content := range contents {
		var err error
		layer := plainLayer{static.NewLayer([]byte(content), types.DockerUncompressedLayer), []byte(content), reads}
		if image, err = mutate.AppendLayers(image, layer); err != nil {
			t.Fatal(err)
		}
	}
	return image
}

func TestImport(t *testing.T) {
	t.Parallel()
	from, err := random.Image(4<<10, 3)
	if err != nil {
		t.Fatal(err)
	}
	// As an engine saves it.
	archive := filepath.Join(t.TempDir(), "image.tar")
	if err := tarball.WriteToFile(archive, name.MustParseReference("shop/web:v1"), from); err != nil {
		t.Fatal(err)
	}
	saved, err := tarball.ImageFromPath(archive, nil)
	if err != nil {
		t.Fatal(err)
	}
	layout := openLayout(t, t.TempDir())
	digest, err := layout.Import(t.Context(), saved)
	if err != nil {
		t.Fatal(err)
	}
	got, err := oci.Client{}.Fetch(t.Context(), artifact.Image{Repository: "web", Digest: digest, Layout: layout.Dir()}, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(got); err != nil {
		t.Error(err)
	}
	want, err := from.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	if id, err := got.ConfigName(); err != nil || id != want {
		t.Errorf("the image's ID is %s (%v), want %s as before", id, err, want)
	}
}

// TestImportAgain reads no layer that is known.
func TestImportAgain(t *testing.T) {
	t.Parallel()
	dir, reads := t.TempDir(), 0
	first, err := openLayout(t, dir).Import(t.Context(), plainImage(t, &reads, "base", "app"))
	if err != nil || reads != 2 {
		t.Fatalf("Import = %v after %d reads, want one of each layer", err, reads)
	}
	reads = 0
	second, err := openLayout(t, dir).Import(t.Context(), plainImage(t, &reads, "base", "other app"))
	if err != nil || reads != 1 || first == second {
		t.Errorf("Import = %s, %v after %d reads, want another image after one", second, err, reads)
	}
}

func TestImportRefusesOtherContent(t *testing.T) {
	t.Parallel()
	reads := 0
	image, err := mutate.AppendLayers(empty.Image, plainLayer{static.NewLayer([]byte("promised"), types.DockerUncompressedLayer), []byte("given"), &reads})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if _, err := openLayout(t, dir).Import(t.Context(), image); err == nil || !strings.Contains(err.Error(), "its content has digest sha256:") {
		t.Errorf("Import = %v, want that the content is another", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "index.json")); err == nil {
		t.Error("the image is listed")
	}
}
