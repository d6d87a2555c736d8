package sandbox_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/deploy-action/deploy-action/internal/oci/build/sandbox"
)

// What is done to a root while the command starts, the command sees; and where
// that fails, it does not run.
func TestReady(t *testing.T) {
	t.Parallel()
	eachRung(t, func(t *testing.T, r *rig) {
		before, err := os.ReadDir(r.root)
		if err != nil {
			t.Fatal(err)
		}
		output, err := r.sh(t, "cat /ready", func(c *sandbox.Command) {
			c.Ready = func() error {
				if now, err := os.ReadDir(r.root); err != nil || len(now) != len(before) {
					t.Errorf("the root has %v, %v; want %v", now, err, before)
				}
				return os.WriteFile(filepath.Join(r.root, "ready"), []byte("seen"), 0o644)
			}
		})
		if err != nil || output != "seen" {
			t.Errorf("Run = %v and %q, want what was written before", err, output)
		}
		refused := errors.New("no")
		output, err = r.sh(t, "echo ran > /ran; echo ran", func(c *sandbox.Command) { c.Ready = func() error { return refused } })
		if !errors.Is(err, refused) || output != "" {
			t.Errorf("Run = %v and %q, want the error alone", err, output)
		}
		if _, err := os.Stat(filepath.Join(r.root, "ran")); err == nil {
			t.Error("the command ran")
		}
	})
}

// A sandbox that is known to work is not tried again.
func TestKnown(t *testing.T) {
	t.Parallel()
	eachRung(t, func(t *testing.T, r *rig) {
		if r.swapped {
			t.Skip("the folder of this program is needed there")
		}
		box, err := sandbox.Open(t.Context(), sandbox.Options{Work: filepath.Join(r.work, "missing"), Known: r.box})
		if err != nil {
			t.Fatalf("it was tried, which takes a folder: %v", err)
		}
		if box.Rung() != r.box.Rung() {
			t.Errorf("the rung is %s, want %s", box.Rung(), r.box.Rung())
		}
		if box, err = sandbox.Open(t.Context(), sandbox.Options{Work: r.work, Known: r.box}); err != nil {
			t.Fatal(err)
		}
		r.box = box
		if output, err := r.sh(t, "echo here"); err != nil || output != "here\n" {
			t.Errorf("Run = %v and %q", err, output)
		}
	})
}
