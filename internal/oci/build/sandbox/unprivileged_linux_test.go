package sandbox_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci/build/sandbox"
)

// nobody is a user without rights.
const nobody = 65534

// A user without rights can run commands as root of the image, and as nobody
// else.
func TestUnprivileged(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 || os.Getenv("SANDBOX_RUNG") != "" {
		t.Skip("only root of a machine can become another user")
	}
	root, work := busyboxRoot(t), t.TempDir()
	for _, dir := range []string{root, work} {
		// The folder above is for root only.
		if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
			t.Fatal(err)
		}
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			return errors.Join(err, os.Lchown(path, nobody, nobody))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(work, "test") // where that user can read it
	copyProgram(t, os.Args[0], program)
	cmd := exec.CommandContext(t.Context(), program, "-test.run=^TestUnprivilegedInside$", "-test.v")
	cmd.Env = append(os.Environ(), "SANDBOX_UNPRIVILEGED="+root, "TMPDIR="+work)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	output, err := cmd.CombinedOutput()
	if bytes.Contains(output, []byte("--- SKIP")) {
		t.Skipf("%s", output)
	}
	if err != nil {
		t.Errorf("%v\n%s", err, output)
	}
}

// TestUnprivilegedInside is what TestUnprivileged starts.
func TestUnprivilegedInside(t *testing.T) {
	root := os.Getenv("SANDBOX_UNPRIVILEGED")
	if root == "" {
		t.Skip("TestUnprivileged runs it")
	}
	box, err := sandbox.Open(t.Context(), sandbox.Options{Work: t.TempDir()})
	if err != nil {
		t.Skipf("this machine does not permit it: %v", err)
	}
	r := &rig{box: box, root: root}
	if box.Rung() != sandbox.UserNamespace || len(box.Refused()) != 1 {
		t.Errorf("rung %s, refused %q, want a user namespace since the first rung is refused", box.Rung(), box.Refused())
	}
	got, err := r.sh(t, "id -u; echo new > /file; kill -9 -1 2> /dev/null; echo /proc/[0-9]*", func(c *sandbox.Command) {
		c.Mounts = []sandbox.Mount{{Kind: sandbox.Secret, Target: "/run/secrets/t", Content: "hunter2-hunter2"}}
	})
	if err != nil || got != "0\n/proc/1\n" {
		t.Errorf("Run = %q, %v, want root, and no processes but its own", got, err)
	}
	_, err = r.sh(t, "true", func(c *sandbox.Command) { c.User = "alice" })
	if problem, ok := errors.AsType[*diag.Problem](err); !ok || problem.Summary != `No user "alice" can be had here` {
		t.Errorf("Run as another user = %v, want a problem", err)
	}
}
