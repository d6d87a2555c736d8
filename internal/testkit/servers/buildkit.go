package servers

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// BuildKitServer is a BuildKit daemon that answers.
type BuildKitServer struct {
	Address string // as in BUILDKIT_HOST

	client string // path of buildctl
}

// BuildKit starts a daemon for the length of the test, with everything that it
// keeps in a folder of its own. It runs commands as root. Names of images
// without a registry are looked up in the one at mirror, HOST:PORT, to which it
// also pushes.
func BuildKit(t *testing.T, mirror string) *BuildKitServer {
	t.Helper()
	client := built(t, "buildkit", "github.com/moby/buildkit", "buildctl")
	daemon := built(t, "buildkit", "github.com/moby/buildkit", "buildkitd")
	runc := program(t, "buildkit", "runc")
	if os.Geteuid() != 0 {
		unavailable(t, "buildkit", "only root may start one that runs commands as root")
	}
	// Not t.TempDir, whose paths are too long for a socket.
	folder, err := os.MkdirTemp("", "buildkitd-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(folder); err != nil {
			t.Errorf("removing what the daemon kept: %v", err)
		}
	})
	config := fmt.Sprintf("[registry.\"docker.io\"]\nmirrors = [%q]\n[registry.%[1]q]\nhttp = true\n", mirror)
	if err := os.WriteFile(filepath.Join(folder, "config.toml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	b := &BuildKitServer{Address: "unix://" + filepath.Join(folder, "socket"), client: client}
	server := start(t, exec.Command(daemon,
		"--config", filepath.Join(folder, "config.toml"),
		"--root", filepath.Join(folder, "root"),
		"--addr", b.Address,
		"--containerd-worker=false",
		"--oci-worker-binary="+runc,
		"--oci-worker-snapshotter=overlayfs",
	))
	server.await(t, "buildkit", func(ctx context.Context) error { return b.Run(ctx, "debug", "workers") })
	return b
}

// Run runs buildctl with the daemon. Its error has the output.
func (b *BuildKitServer) Run(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, b.client, append([]string{"--addr", b.Address}, args...)...)
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("buildctl: %w\n%s", err, bytes.TrimSpace(output))
	}
	return nil
}
