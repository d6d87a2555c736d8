//go:build linux

package sandbox_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/deploy-action/deploy-action/internal/oci/build/sandbox"
)

// TestMain makes the test binary its own helper.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == sandbox.Verb {
		os.Exit(sandbox.Helper(context.Background(), os.Args[2:]))
	}
	os.Exit(m.Run())
}

// own is the folder of the container's own files, where the tests run in one.
const own = "/.deploy-action"

// logins is a file that is hidden from commands there.
const logins = "/github/home/.docker/config.json"

// eachRung runs a test on every rung: in a container on the one that is named,
// and on a machine on those that need none.
func eachRung(t *testing.T, test func(t *testing.T, r *rig)) {
	t.Helper()
	rungs := []sandbox.Rung{sandbox.Mounts, sandbox.UserNamespace}
	if n, err := strconv.Atoi(os.Getenv("SANDBOX_RUNG")); err == nil {
		rungs = []sandbox.Rung{sandbox.Rung(n)}
	}
	for _, rung := range rungs {
		t.Run(strings.ReplaceAll(rung.String(), " ", "-"), func(t *testing.T) {
			t.Parallel()
			test(t, newRig(t, rung))
		})
	}
}

// rig is a sandbox and a root to run in.
type rig struct {
	box     *sandbox.Sandbox
	root    string
	work    string
	swapped bool
}

// newRig opens a rung, or skips the test with the reason. The root has busybox
// as its shell and tools.
func newRig(t *testing.T, rung sandbox.Rung) *rig {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("files of an image have owners, which takes root")
	}
	r := &rig{root: busyboxRoot(t), work: t.TempDir()}
	options := sandbox.Options{Work: r.work, Only: rung}
	inContainer := os.Getenv("SANDBOX_RUNG") != ""
	if inContainer {
		options.Own, options.Watched, options.Hidden = own, []string{"/commands", "/github"}, []string{"/settings", "/settings", logins}
	}
	box, err := sandbox.Open(t.Context(), options)
	if err != nil && !inContainer {
		t.Skipf("this machine does not permit it: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	r.box, r.swapped = box, rung == sandbox.Swap
	return r
}

// tools are the programs of the image.
const tools = "sh cat ls echo mkdir rm ln mv chmod touch find grep sed sort tr head tail seq stat id env hostname setsid sleep kill test true yes"

// busyboxRoot unpacks an image of one program.
func busyboxRoot(t testing.TB) string {
	t.Helper()
	binary, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Skipf("no busybox: %v", err)
	}
	root := t.TempDir()
	for _, dir := range []string{"bin", "etc", "tmp"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(root, "tmp"), 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	write(t, root, "bin/busybox", string(binary), 0o755)
	write(t, root, "etc/passwd", "root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1001:Alice:/home/alice:/bin/sh\n", 0o644)
	write(t, root, "etc/group", "root:x:0:\nalice:x:1001:\nwheel:x:10:root,alice\nstaff:x:50:alice\n", 0o644)
	for applet := range strings.FieldsSeq(tools) {
		if err := os.Symlink("busybox", filepath.Join(root, "bin", applet)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func write(t testing.TB, root, name, content string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(root, name), []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

// sh runs a script and returns its output.
func (r *rig) sh(t *testing.T, script string, change ...func(*sandbox.Command)) (string, error) {
	t.Helper()
	var output bytes.Buffer
	c := sandbox.Command{Root: r.root, Args: []string{"/bin/sh", "-c", script}, Env: []string{"PATH=/bin"}, Output: &output}
	for _, f := range change {
		f(&c)
	}
	err := r.box.Run(t.Context(), c)
	return output.String(), err
}

func itoa(n uint32) string { return strconv.FormatUint(uint64(n), 10) }
