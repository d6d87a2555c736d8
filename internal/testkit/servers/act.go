package servers

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// Act returns the path of act, which runs workflows in a Docker engine as a
// runner would, or ends the test.
func Act(t *testing.T) string {
	t.Helper()
	return built(t, "act", "github.com/nektos/act", "act")
}

// built returns the path of a tool that testdata/servers/NAME/install.sh has
// compiled from the Go module of its go.mod, or ends the test.
func built(t *testing.T, name, module, tool string) string {
	t.Helper()
	folder := filepath.Join(repository(t), "testdata", "servers", name)
	version, err := exec.Command("go", "-C", folder, "list", "-m", "-f", "{{.Version}}", module).Output()
	if err != nil {
		t.Fatalf("asking for the version of %s in %s: %v", module, folder, err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		unavailable(t, name, err.Error())
	}
	place := strings.Join([]string{name, strings.TrimSpace(string(version)), runtime.Version()}, "-")
	return program(t, name, filepath.Join(cache, "deploy-action", "servers", place, tool))
}

// repository returns the folder of this repository.
func repository(t *testing.T) string {
	t.Helper()
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			return folder
		}
		if folder == filepath.Dir(folder) {
			t.Fatal("the test does not run in this repository")
		}
		folder = filepath.Dir(folder)
	}
}
