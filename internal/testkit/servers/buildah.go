package servers

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// BuildahStore is what buildah keeps images and containers in.
type BuildahStore struct {
	program, folder string
}

// Buildah returns a store of the test's own, which needs no kernel feature and
// no network, or ends the test.
func Buildah(t *testing.T) *BuildahStore {
	t.Helper()
	path := program(t, "buildah", "buildah")
	if os.Geteuid() != 0 {
		unavailable(t, "buildah", "only root may keep the owners of files")
	}
	// Not t.TempDir: buildah names an image by its path, in lower case only.
	folder, err := os.MkdirTemp("", "buildah-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(folder); err != nil {
			t.Errorf("removing what buildah kept: %v", err)
		}
	})
	return &BuildahStore{path, folder}
}

// Run runs buildah and returns the last line that it writes to its output.
func (b *BuildahStore) Run(t *testing.T, args ...string) string {
	t.Helper()
	store := []string{
		"--storage-driver", "vfs", "--root", filepath.Join(b.folder, "root"), "--runroot", filepath.Join(b.folder, "run"),
	}
	cmd := exec.CommandContext(t.Context(), b.program, append(store, args...)...)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("buildah %q: %v\n%s", args, err, complaints.String())
	}
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	return lines[len(lines)-1]
}

// From makes a container of the newest image of a layout, and returns its name.
func (b *BuildahStore) From(t *testing.T, layout string) (container string) {
	t.Helper()
	link := filepath.Join(b.folder, "layout")
	if err := os.Symlink(layout, link); err != nil {
		t.Fatal(err)
	}
	return b.Run(t, "from", "oci:"+link)
}

// Commit makes an image of a container's files in a new layout, which it
// returns.
func (b *BuildahStore) Commit(t *testing.T, container string) (layout string) {
	t.Helper()
	layout = filepath.Join(b.folder, "committed")
	b.Run(t, "commit", "--squash", "--format", "oci", container, "oci:"+layout+":latest")
	return layout
}
