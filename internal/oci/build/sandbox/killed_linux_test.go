package sandbox_test

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci/build/sandbox"
	"github.com/deploy-action/deploy-action/internal/retry"
)

// When the process that runs a command is killed, the command and what it
// started end, and no secret is left.
func TestKilled(t *testing.T) {
	t.Parallel()
	eachRung(t, func(t *testing.T, r *rig) {
		if r.swapped {
			write(t, "/", "settings", "hidden", 0o600)
			t.Cleanup(func() { _ = os.Remove("/settings") })
		}
		before := list(t, "/")
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledInside$", "-test.v")
		cmd.Env = append(os.Environ(), "SANDBOX_RUNG="+itoa(uint32(r.box.Rung())), "SANDBOX_KILLED="+r.root)
		output, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for lines := bufio.NewScanner(output); ; {
			if !lines.Scan() {
				t.Fatalf("the command did not start: %v", cmd.Wait())
			}
			if strings.Contains(lines.Text(), "running") {
				break
			}
		}
		if marked(t, r.root) == nil {
			t.Error("no process is marked")
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		err = retry.Poll(ctx, 10*time.Millisecond, func(context.Context) (bool, error) { return marked(t, r.root) == nil, nil })
		if err != nil {
			t.Errorf("processes %v are left: %v", marked(t, r.root), err)
		}
		if r.swapped {
			wantBack(ctx, t, r.root, before)
			return
		}
		for name, line := range tree(t, r.root) {
			if strings.Contains(line, "hunter") {
				t.Errorf("%s holds the secret", name)
			}
		}
	})
}

// wantBack waits until the container's files are where they were, and nothing is
// left of those that took their place.
func wantBack(ctx context.Context, t *testing.T, root string, before []string) {
	t.Helper()
	err := retry.Poll(ctx, 10*time.Millisecond, func(context.Context) (bool, error) {
		_, err := os.Lstat(root)
		return err != nil, nil
	})
	if err != nil {
		t.Errorf("the command's root is left: %v", err)
	}
	if diff := cmp.Diff(before, list(t, "/")); diff != "" {
		t.Errorf("/ (-before +after):\n%s", diff)
	}
	if asides, err := filepath.Glob(own + "/aside-*"); err != nil || asides != nil {
		t.Errorf("what was put aside is at %q, %v", asides, err)
	}
	if settings, err := os.ReadFile("/settings"); err != nil || string(settings) != "hidden" {
		t.Errorf("the hidden file holds %q, %v", settings, err)
	}
}

// TestKilledInside is what TestKilled starts.
func TestKilledInside(t *testing.T) {
	root := os.Getenv("SANDBOX_KILLED")
	if root == "" {
		t.Skip("TestKilled runs it")
	}
	eachRung(t, func(t *testing.T, r *rig) {
		err := r.box.Run(t.Context(), sandbox.Command{
			Root: root, Output: os.Stdout, Env: []string{"PATH=/bin", "MARK=" + root},
			Args:   []string{"/bin/sh", "-c", "setsid sleep 1000 & trap '' TERM HUP INT; cat /run/secrets/t > /dev/null; echo running; sleep 1000; sleep 1000"},
			Mounts: []sandbox.Mount{{Kind: sandbox.Secret, Target: "/run/secrets/t", Content: "hunter2-hunter2"}},
		})
		t.Fatal(err)
	})
}

// Where the root's entries are moved, the caller learns which of them the
// command left as they were, and a command that changes this program is found.
func TestSwap(t *testing.T) {
	t.Parallel()
	eachRung(t, func(t *testing.T, r *rig) {
		if !r.swapped {
			t.Skip("nothing is moved")
		}
		moved := map[string]bool{}
		before := list(t, "/")
		got, err := r.sh(t, "echo new >> /etc/passwd; mkdir /new; chmod 700 /tmp; rm -r /etc/group", func(c *sandbox.Command) {
			c.Moved = func(name string) { moved[name] = true }
		})
		if err != nil {
			t.Fatalf("%v: %s", err, got)
		}
		if diff := cmp.Diff(map[string]bool{"bin": true}, moved); diff != "" {
			t.Errorf("moved and unchanged (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(before, list(t, "/")); diff != "" {
			t.Errorf("/ (-before +after):\n%s", diff)
		}
		_, err = r.sh(t, "echo '#!/bin/sh' > "+own+"/bin/planted")
		t.Cleanup(func() { _ = os.Remove(own + "/bin/planted") })
		problem, ok := errors.AsType[*diag.Problem](err)
		if !ok || !strings.Contains(problem.Detail, filepath.Join(own, "bin/planted")) {
			t.Errorf("Run = %v, want a problem that names the file", err)
		}
	})
}

// The files by which a job is given orders are put back, and that they were
// changed is an error.
func TestWatched(t *testing.T) {
	t.Parallel()
	eachRung(t, func(t *testing.T, r *rig) {
		if !r.swapped {
			t.Skip("commands cannot reach them")
		}
		if err := os.Mkdir("/commands", 0o755); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll("/commands") })
		write(t, "/commands", "env", "A=1\n", 0o644)
		write(t, "/commands", "path", "", 0o644)
		before := tree(t, "/commands")
		if got, err := r.sh(t, "true"); err != nil {
			t.Fatalf("%v: %s", err, got)
		}
		got, err := r.sh(t, "cd "+own+"/aside-*/commands; echo EVIL=1 >> env; rm path; ln -s env state")
		problem, ok := errors.AsType[*diag.Problem](err)
		if !ok || !strings.Contains(problem.Detail, "/commands/env, /commands/path, /commands/state,") {
			t.Errorf("Run = %v, want a problem that names the files: %s", err, got)
		}
		if diff := cmp.Diff(before, tree(t, "/commands")); diff != "" {
			t.Errorf("the files (-before +after):\n%s", diff)
		}
	})
}

func list(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}
