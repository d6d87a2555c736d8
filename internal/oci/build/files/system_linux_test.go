package files

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// setCapability gives a program cap_net_bind_service, if the machine lets us.
func setCapability(t *testing.T, name string) bool {
	t.Helper()
	value := []byte{1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	if err := unix.Setxattr(name, attribute, value, 0); err != nil {
		t.Log("without capabilities:", err)
		return false
	}
	return true
}

// TestFolder copies what only a stage can have: owners, modes, devices and
// capabilities.
func TestFolder(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	dir := t.TempDir()
	write(t, dir, map[string]string{"d/prog": "P", "d/other": "O"})
	prog := filepath.Join(dir, "d/prog")
	for _, err := range []error{os.Chown(filepath.Join(dir, "d"), 5, 6), os.Chown(prog, 7, 8), os.Chmod(prog, 0o755|os.ModeSetgid)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"755 0:0 x/", "644 0:0 x/other=O", "2755 7:8 x/prog=P"}
	if setCapability(t, prog) {
		want[2] += " +capability"
	}
	view, err := Folder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, planned(t, step(copyAction("d", "/x")), layers(t), view)); diff != "" {
		t.Errorf("layer (-want +got):\n%s", diff)
	}
}
