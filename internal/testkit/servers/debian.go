package servers

import (
	"os"
	"path/filepath"
	"testing"
)

// Debian returns the path of an archive with the root folder of a small Debian,
// extended attributes included, or ends the test.
func Debian(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		unavailable(t, "debian", err.Error())
	}
	path := filepath.Join(cache, "deploy-action", "servers", "debian-bookworm", "root.tar")
	if _, err := os.Stat(path); err != nil {
		unavailable(t, "debian", err.Error()+"; testdata/servers/debian/install.sh makes it")
	}
	return path
}
