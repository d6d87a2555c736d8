package oci

import (
	"os"
	"path/filepath"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// TestShare hands a blob from layout to layout over a file between them.
func TestShare(t *testing.T) {
	t.Parallel()
	ways := map[string]func(from, to string) error{"linked": share, "copied": copyFile}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, err := OpenLayout(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			to, err := OpenLayout(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			digest, err := from.writeBlob([]byte("content"))
			if err != nil {
				t.Fatal(err)
			}
			between := filepath.Join(t.TempDir(), "blob")
			for range 2 { // the second time it is there
				if err := way(from.blobPath(digest), between); err != nil {
					t.Fatal(err)
				}
			}
			if left, err := os.ReadDir(filepath.Dir(between)); err != nil || len(left) != 1 {
				t.Errorf("%d files are beside the blob, %v", len(left)-1, err)
			}
			if err := to.Borrow(v1.Descriptor{Digest: digest, Size: 8}, between); err == nil {
				t.Error("a file of another size becomes a blob")
			}
			if err := to.Borrow(v1.Descriptor{Digest: digest, Size: 7}, between); err != nil {
				t.Fatal(err)
			}
			content, err := os.ReadFile(to.blobPath(digest))
			if err != nil || string(content) != "content" {
				t.Errorf("the blob is %q, %v", content, err)
			}
		})
	}
}
