//go:build servers

package workflows_test

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// platforms are the processors that the action's image is for, in the order of
// its index.
var platforms = []string{"amd64", "arm64"}

// checkPlatforms looks at the index that action.yml names: an image for each
// processor, with programs of that processor.
func (w *world) checkPlatforms(t *testing.T, pinned string) {
	t.Helper()
	reference, err := name.NewDigest(pinned)
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Index(reference, remote.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	machines := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}
	var found []string
	for _, entry := range manifest.Manifests {
		arch := entry.Platform.Architecture
		found = append(found, arch)
		image, err := index.Image(entry.Digest)
		if err != nil {
			t.Fatal(err)
		}
		program, err := elf.NewFile(bytes.NewReader(fileOf(t, image, ".deploy-action/bin/deploy-action")))
		if err != nil {
			t.Fatal(err)
		}
		if program.Machine != machines[arch] {
			t.Errorf("the program in the image for %s is for %s", arch, program.Machine)
		}
		if got := string(fileOf(t, image, ".deploy-action/bin/busybox")); strings.HasPrefix(got, "of ") && got != "of "+arch {
			t.Errorf("the busybox in the image for %s is %s", arch, got)
		}
	}
	if diff := cmp.Diff(platforms, found); diff != "" {
		t.Errorf("platforms of the image (-want +got):\n%s", diff)
	}
}

// fileOf returns the content of a file in an image.
func fileOf(t *testing.T, image v1.Image, name string) []byte {
	t.Helper()
	content := mutate.Extract(image)
	defer content.Close()
	for archive := tar.NewReader(content); ; {
		header, err := archive.Next()
		if err != nil {
			t.Fatalf("looking for %s in the image: %v", name, err)
		}
		if strings.TrimPrefix(header.Name, "/") != name {
			continue
		}
		data, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
}

// tag gives a version's image a second name.
func (w *world) tag(t *testing.T, version, second string) {
	t.Helper()
	from, err := name.NewTag(w.image + ":" + version)
	if err != nil {
		t.Fatal(err)
	}
	image, err := remote.Get(from, remote.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Tag(from.Context().Tag(second), image, remote.WithContext(t.Context())); err != nil {
		t.Fatal(err)
	}
}
