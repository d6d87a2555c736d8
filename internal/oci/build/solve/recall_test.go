package solve

import (
	"archive/tar"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/build/files"
	"github.com/deploy-action/deploy-action/internal/oci/build/rootfs"
)

// newSolver returns one that can write layers.
func newSolver(t *testing.T, when files.Times) *solver {
	t.Helper()
	layout, err := oci.OpenLayout(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	group, _ := errgroup.WithContext(t.Context())
	return &solver{
		Request: Request{Layout: layout, Work: t.TempDir(), Times: when},
		group:   group, writers: make(chan struct{}, 1),
	}
}

// TestSpoolKnowsItsDigest compares the digest that is known when a command has
// ended with that of the layer, for names and files that an archive writes in
// its several ways: keys of what follows are made of it.
func TestSpoolKnowsItsDigest(t *testing.T) {
	t.Parallel()
	tests := map[string]files.Times{"fixed times": {Fixed: time.Unix(315532800, 0)}, "kept times": {Keep: true}}
	for name, when := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSolver(t, when)
			dir := t.TempDir()
			before, err := rootfs.Scan(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			long := strings.Repeat("long/", 60)
			if err := os.MkdirAll(filepath.Join(dir, long), 0o755); err != nil {
				t.Fatal(err)
			}
			for _, file := range []string{"plain", "ünïcode", long + "deep", long + strings.Repeat("n", 200), " leading", "a=b\nc"} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(file), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			changes := []error{
				os.Symlink(long+"deep", filepath.Join(dir, "link")), os.Link(filepath.Join(dir, "plain"), filepath.Join(dir, "second")),
				os.Chmod(filepath.Join(dir, "plain"), 0o755|os.ModeSetuid), os.Truncate(filepath.Join(dir, "ünïcode"), 1<<20),
				os.Chtimes(filepath.Join(dir, "second"), time.Time{}, time.Unix(-5, 123456789)),
			}
			for _, err := range changes {
				if err != nil {
					t.Fatal(err)
				}
			}
			after, err := rootfs.Scan(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			l, err := s.spool(t.Context(), dir, before, after)
			if err != nil {
				t.Fatal(err)
			}
			early, err := l.diffID(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := s.group.Wait(); err != nil {
				t.Fatal(err)
			}
			if early != l.written.DiffID {
				t.Errorf("the early digest is %s, and the layer's is %s", early, l.written.DiffID)
			}
		})
	}
}

// TestEarlyDigest asks for a layer's digest before and after it is written.
func TestEarlyDigest(t *testing.T) {
	t.Parallel()
	s := newSolver(t, files.Times{})
	gone := false
	write := func(_ context.Context, w *tar.Writer) error {
		if gone {
			return os.ErrNotExist
		}
		if err := w.WriteHeader(&tar.Header{Name: "a", Size: 1}); err != nil {
			return err
		}
		_, err := io.WriteString(w, "A")
		return err
	}
	s.writers <- struct{}{} // the layer has to wait
	early := s.addLayer(t.Context(), write, func() {})
	id, err := early.diffID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	<-s.writers
	<-early.done
	late := s.addLayer(t.Context(), write, func() { gone = true })
	if err := s.group.Wait(); err != nil {
		t.Fatal(err)
	}
	lateID, err := late.diffID(t.Context())
	if err != nil || id != lateID || id != early.written.DiffID {
		t.Errorf("digests are %s before and %s after (%v), want %s", id, lateID, err, early.written.DiffID)
	}
}
