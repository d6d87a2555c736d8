package local

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Every rung that this machine permits runs a program in the image's root, as
// its user, and passes its exit status on.
func TestRungs(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	app := filepath.Join(root, "bin", "app")
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", app, "./testdata/app")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	for dir := root; dir != "/"; dir = filepath.Dir(dir) {
		// In place, another user has to get to the program.
		if info, err := os.Stat(dir); err == nil && info.Mode()&0o001 == 0 {
			_ = os.Chmod(dir, info.Mode()|0o011) // not ours: then it is skipped below
		}
	}
	t.Run("leftovers", func(t *testing.T) {
		// As a supervisor leaves behind that was killed, on a rung without
		// processes of its own.
		cmd := exec.CommandContext(t.Context(), app, "sleep")
		cmd.Env = []string{envMark + "=" + root}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		leftovers(root + "/another")
		if err := cmd.Process.Signal(syscall.Signal(0)); err != nil {
			t.Errorf("a process with another mark was ended: %v", err)
		}
		leftovers(root)
		if err := cmd.Wait(); err == nil || err.Error() != "signal: killed" {
			t.Errorf("the process with the mark ended with %v, want that it was killed", err)
		}
	})
	for _, rung := range rungs() {
		t.Run(strings.ReplaceAll(string(rung), " ", "-"), func(t *testing.T) {
			runtime.LockOSThread() // the program ends with its thread
			defer runtime.UnlockOSThread()
			var output bytes.Buffer
			run := func(command ...string) (int, error) {
				cmd := exec.CommandContext(t.Context(), os.Args[0], "run-local-helper", verbEnter)
				cmd.Stdout, cmd.Stderr = &output, &output
				box := sandbox{
					Root: root, Rung: rung, Dir: "/tmp", Command: command,
					Env: []string{"PATH=/usr/bin:/bin", "GREETING=hello"}, User: user{UID: 1234, GID: 1235},
				}
				return box.run(cmd)
			}
			status, err := run("app", "env", "GREETING")
			if refused, ok := errors.AsType[*isolationError](err); ok {
				t.Skip(refused)
			}
			if err != nil || status != 0 || output.String() != "hello\n" {
				t.Fatalf("run = %d, %v, output %q, want %q", status, err, output.String(), "hello\n")
			}
			output.Reset()
			if status, err := run("/bin/app", "rights"); err != nil || status != 0 {
				t.Fatalf("run = %d, %v", status, err)
			}
			want := "uid 1234 gid 1235 no_new_privs 1 capabilities 0\n"
			if os.Geteuid() != 0 && rung == inPlace {
				want = strings.Replace(want, "uid 1234 gid 1235", "uid "+strconv.Itoa(os.Getuid())+" gid "+strconv.Itoa(os.Getgid()), 1)
			}
			if diff := cmp.Diff(want, output.String()); diff != "" {
				t.Errorf("rights (-want +got):\n%s", diff)
			}
			if status, err := run("app", "exit", "9"); err != nil || status != 9 {
				t.Errorf("exit status = %d, %v, want 9", status, err)
			}
		})
	}
}
