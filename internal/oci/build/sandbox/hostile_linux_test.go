package sandbox_test

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/deploy-action/deploy-action/internal/oci/build/sandbox"
)

// token is what the hostile command looks for, in two halves.
var token = [2]string{"t0ken-of-", "the-job-4711"}

// A hostile command finds nothing of what the process that runs it knows, and
// has no power over the machine. The process is another one, so that it has the
// token in its environment and memory, in an open descriptor and in a key.
func TestHostile(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("files of an image have owners, which takes root")
	}
	outside := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(outside, []byte(token[0]+token[1]), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(outside)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHostileInside$", "-test.v", "-test.parallel=1")
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(os.Environ(), "GITHUB_TOKEN="+token[0]+token[1], "ACTIONS_ID_TOKEN_REQUEST_URL=https://example.com",
		"ACTIONS_ID_TOKEN_REQUEST_TOKEN="+token[0]+token[1], "SANDBOX_OUTSIDE="+outside, "SANDBOX_SOURCE="+here)
	cmd.ExtraFiles = []*os.File{f}
	cmd.Dir = filepath.Dir(outside)
	output, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(output, []byte("--- PASS: TestHostileInside")) {
		t.Errorf("%v\n%s", err, output)
	}
}

// TestHostileInside is what TestHostile starts.
func TestHostileInside(t *testing.T) {
	outside := os.Getenv("SANDBOX_OUTSIDE")
	if outside == "" {
		t.Skip("TestHostile runs it")
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil { // as in a job
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.AddKey("user", "sandbox-test", []byte(token[0]+token[1]), unix.KEY_SPEC_SESSION_KEYRING); err != nil {
		t.Logf("no key: %v", err)
	}
	eachRung(t, func(t *testing.T, r *rig) {
		install(t, r.root)
		// Another process of the job, as a hook: it has the token as well.
		job := exec.CommandContext(t.Context(), "/bin/busybox", "sleep", "1000")
		job.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := job.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = job.Wait() }()
		defer func() { _ = job.Process.Kill() }()
		inherit(t, outside)
		before := jobFolders(t, r)

		var output bytes.Buffer
		err := r.box.Run(t.Context(), sandbox.Command{
			Root: r.root, Args: []string{"/bin/hostile", token[0], token[1], outside}, Output: &output,
			Env: []string{"PATH=/bin", "TMPDIR=/tmp"},
		})
		if err != nil {
			t.Fatalf("%v: %s", err, output.String())
		}
		allowed := map[string]bool{}
		if r.swapped {
			// Its files are those of the container; docs/security.md says so.
			allowed["the file's path"], allowed["coming back from a new user namespace"] = true, true
		}
		count := 0
		for line := range strings.Lines(output.String()) {
			count++
			name, found, _ := strings.Cut(strings.TrimSpace(line), ": ")
			if found != "nothing" && !allowed[name] {
				t.Errorf("%s: %s", name, found)
			}
		}
		if count < 37 {
			t.Errorf("%d attempts, want all:\n%s", count, output.String())
		}
		if r.swapped {
			if diff := cmp.Diff(before, tree(t, "/github")); diff != "" {
				t.Errorf("the job's files (-before +after):\n%s", diff)
			}
		}
	})
}

// jobFolders makes those of a job in the container, with the logins that are
// hidden, and returns what is in them. On a machine they are out of reach.
func jobFolders(t *testing.T, r *rig) map[string]string {
	t.Helper()
	if !r.swapped {
		return nil
	}
	t.Cleanup(func() { _ = os.RemoveAll("/github") })
	for _, dir := range []string{"/github/file_commands", filepath.Dir(logins)} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, "/github/file_commands", "set_env", "A=1\n", 0o644)
	write(t, "/", logins, token[0]+token[1], 0o600)
	return tree(t, "/github")
}

// inherit leaves a descriptor open that children get, as a careless caller
// would.
func inherit(t *testing.T, path string) {
	t.Helper()
	fd, err := unix.Open(path, unix.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
}

// install puts the hostile program into a root.
func install(t *testing.T, root string) {
	t.Helper()
	target := filepath.Join(root, "bin", "hostile")
	if built := os.Getenv("SANDBOX_HOSTILE"); built != "" {
		copyProgram(t, built, target)
		return
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", target, "./testdata/hostile")
	build.Dir = os.Getenv("SANDBOX_SOURCE")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
}

func copyProgram(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}
