//go:build servers

package docker

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/deploy-action/deploy-action/internal/oci/build"
	"github.com/deploy-action/deploy-action/internal/oci/build/sandbox"
	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

// TestAutoWithDocker has the Docker engine build where commands can run in no
// namespace here.
func TestAutoWithDocker(t *testing.T) {
	t.Parallel()
	engine := servers.Docker(t)
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Skip(err)
	}
	const dockerfile = "FROM scratch\nCOPY --chmod=755 busybox /bin/sh\nRUN echo made > /made\n"
	chosen, req := testChoice(t, dockerfile, sandbox.Swap, map[string]string{"DOCKER_HOST": engine.Host})
	want := fmt.Sprintf("The Docker engine at %q builds, since this machine permits no namespaces to run commands in", engine.Host)
	if chosen.reason != want {
		t.Errorf("the reason is %q, want %q", chosen.reason, want)
	}
	if err := os.WriteFile(filepath.Join(req.Context, "busybox"), busybox, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := build.Build(t.Context(), req); err != nil {
		t.Error(err)
	}
	req.Daemon = nil
	if _, err := build.Build(t.Context(), req); err == nil {
		t.Error("the built-in engine ran the command, too, and should not have been able to")
	}
}
