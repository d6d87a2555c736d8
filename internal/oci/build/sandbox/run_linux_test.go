package sandbox_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci/build/sandbox"
	"github.com/deploy-action/deploy-action/internal/retry"
)

// A command sees what programs expect of a system.
func TestSystem(t *testing.T) {
	t.Parallel()
	eachRung(t, func(t *testing.T, r *rig) {
		script := `
			test -r /proc/self/status && echo proc
			for d in null zero full random urandom; do test -c /dev/$d && echo $d; done
			echo out > /dev/stdout
			echo err > /dev/stderr
			echo gone > /dev/null
			cat /dev/fd/3 3<<END
descriptor
END
			echo shared > /dev/shm/x && cat /dev/shm/x
			grep -c localhost /etc/hosts > /dev/null && echo hosts
			test -s /etc/resolv.conf && echo names
			cat /bin/busybox | head -c 4 | tail -c 3
			echo
			pwd`
		got, err := r.sh(t, script, func(c *sandbox.Command) { c.Dir = "/a/b" })
		if err != nil {
			t.Fatalf("%v: %s", err, got)
		}
		want := "proc null zero full random urandom out err descriptor shared hosts names ELF /a/b"
		if diff := cmp.Diff(strings.Fields(want), strings.Fields(got)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// The environment is made from nothing.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	eachRung(t, func(t *testing.T, r *rig) {
		var output bytes.Buffer
		err := r.box.Run(t.Context(), sandbox.Command{
			Root: r.root, Args: []string{"env"}, Env: []string{"A=1", "A=2", "PATH=/nowhere:/bin"}, User: "alice", Output: &output,
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff("A=1\nA=2\nPATH=/nowhere:/bin\nHOME=/home/alice\n", output.String()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestExit(t *testing.T) {
	t.Parallel()
	eachRung(t, func(t *testing.T, r *rig) {
		cases := map[string]struct {
			script string
			want   sandbox.ExitError
		}{
			"a status":   {"exit 7", sandbox.ExitError{Code: 7}},
			"unknown":    {"nonsense-that-is-no-program 2> /dev/null", sandbox.ExitError{Code: 127}},
			"everything": {"kill -9 -1", sandbox.ExitError{}},
			"and stays":  {"sh -c 'kill -9 -1 && sleep 1000'; exit 3", sandbox.ExitError{}},
		}
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				output, err := r.sh(t, c.script, func(c *sandbox.Command) { c.Env = append(c.Env, "MARK="+r.root) })
				if left := marked(t, r.root); left != nil {
					t.Errorf("processes %v are left", left)
				}
				got, ok := errors.AsType[*sandbox.ExitError](err)
				if !ok {
					t.Fatalf("Run = %v, want that the command failed: %s", err, output)
				}
				if c.want.Code != 0 && *got != c.want {
					t.Errorf("Run = %+v, want %+v", *got, c.want)
				}
			})
		}
	})
}

func TestSignal(t *testing.T) {
	t.Parallel()
	eachRung(t, func(t *testing.T, r *rig) {
		// The first process of a sandbox gets no signal from within.
		_, err := r.sh(t, "sh -c 'kill -TERM $$'; exit $?")
		want := &sandbox.ExitError{Code: 143}
		if got, ok := errors.AsType[*sandbox.ExitError](err); !ok || *got != *want {
			t.Errorf("Run = %v, want %v", err, want)
		}
	})
	if got := (&sandbox.ExitError{Code: 137, Signal: syscall.SIGKILL}).Error(); got != "ended by signal 9 (killed)" {
		t.Errorf("Error() = %q", got)
	}
}

func TestUser(t *testing.T) {
	t.Parallel()
	eachRung(t, func(t *testing.T, r *rig) {
		cases := map[string]string{
			"":           "0 0 0,10 /root",
			"root":       "0 0 0,10 /root",
			"alice":      "1000 1001 10,50,1001 /home/alice",
			"1000":       "1000 1001 10,50,1001 /home/alice",
			"alice:root": "1000 0 0 /home/alice",
			"alice:50":   "1000 50 50 /home/alice",
			"4321":       "4321 0 0 /",
			"4321:8765":  "4321 8765 8765 /",
			"0:staff":    "0 50 50 /root",
		}
		for user, want := range cases {
			t.Run(user, func(t *testing.T) {
				// Owners of both streams may open them again.
				got, err := r.sh(t, `echo $(id -u) $(id -g) $(id -G | tr ' ' '\n' | sort -n | tr '\n' ',' | sed 's/,$//') $HOME > /dev/stdout`,
					func(c *sandbox.Command) { c.User = user })
				if err != nil || strings.TrimSpace(got) != want {
					t.Errorf("user %q = %q, %v, want %q", user, got, err, want)
				}
			})
		}
	})
}

// What a user can mend is said in words.
func TestProblems(t *testing.T) {
	t.Parallel()
	eachRung(t, func(t *testing.T, r *rig) {
		write(t, r.root, "bin/script", "#!/no/such/interpreter\n", 0o755)
		write(t, r.root, "bin/text", "no program\n", 0o755)
		write(t, r.root, "bin/closed", "#!/bin/sh\n", 0o644)
		cases := map[string]struct {
			change func(*sandbox.Command)
			want   string // summary
			detail string // part
		}{
			"unknown user":  {func(c *sandbox.Command) { c.User = "bob" }, `Unknown user "bob" in the image`, "name it by its number"},
			"unknown group": {func(c *sandbox.Command) { c.User = "alice:bobs" }, `Unknown group "bobs" in the image`, "/etc/group"},
			"no program":    {func(c *sandbox.Command) { c.Args = []string{"gcc"} }, `No program "gcc" in the image`, "PATH (/bin)"},
			"no file":       {func(c *sandbox.Command) { c.Args = []string{"/bin/gcc"} }, "/bin/gcc cannot be run in the image", "no such file"},
			"interpreter":   {func(c *sandbox.Command) { c.Args = []string{"script"} }, "/bin/script cannot be run in the image", "interpreter of a script"},
			"text":          {func(c *sandbox.Command) { c.Args = []string{"/bin/text"} }, "/bin/text cannot be run in the image", "another kind of machine"},
			"closed":        {func(c *sandbox.Command) { c.Args = []string{"/bin/closed"} }, "/bin/closed cannot be run in the image", "not executable"},
		}
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				_, err := r.sh(t, "exit 0", c.change)
				problem, ok := errors.AsType[*diag.Problem](err)
				if !ok {
					t.Fatalf("Run = %v, want a problem", err)
				}
				if problem.Summary != c.want || !strings.Contains(problem.Detail, c.detail) {
					t.Errorf("Run = %q, %q; want %q, …%q", problem.Summary, problem.Detail, c.want, c.detail)
				}
			})
		}
	})
}

// Nothing that Run needs stays in the root, and what was there is as it was.
func TestRootAfterwards(t *testing.T) {
	t.Parallel()
	eachRung(t, func(t *testing.T, r *rig) {
		write(t, r.root, "etc/hosts", "1.2.3.4 mine\n", 0o644)
		if err := os.Symlink("../run/stub/resolv.conf", filepath.Join(r.root, "etc/resolv.conf")); err != nil {
			t.Fatal(err)
		}
		source := t.TempDir()
		write(t, source, "given", "given", 0o644)
		before := tree(t, r.root)
		outside := tree(t, "/etc")
		got, err := r.sh(t, "cat /etc/hosts; echo 9.9.9.9 more >> /etc/hosts; mkdir /made; echo x > /made/file; rm /bin/yes", func(c *sandbox.Command) {
			c.Hosts = []sandbox.Host{{Name: "db", IP: "10.1.1.1"}}
			c.Mounts = []sandbox.Mount{
				{Kind: sandbox.Bind, Target: "/src/deep", Source: source, ReadOnly: true},
				{Kind: sandbox.Bind, Target: "/etc/deep/file", Source: filepath.Join(source, "given"), ReadOnly: true},
				{Kind: sandbox.Cache, Target: "/home/cache", Source: t.TempDir()},
				{Kind: sandbox.Secret, Target: "/run/secrets/token", Content: "hunter2-hunter2"},
				{Kind: sandbox.Tmpfs, Target: "/var/tmp"},
			}
		})
		if err != nil {
			t.Fatalf("%v: %s", err, got)
		}
		if !strings.Contains(got, "10.1.1.1\tdb\n") || strings.Contains(got, "mine") {
			t.Errorf("/etc/hosts = %q, want the machine's with the new line", got)
		}
		before["made"], before["made/file"] = "drwxr-xr-x 0:0", "-rw-r--r-- 0:0 x\n"
		delete(before, "bin/yes")
		if diff := cmp.Diff(before, tree(t, r.root)); diff != "" {
			t.Errorf("the root (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(outside, tree(t, "/etc")); diff != "" {
			t.Errorf("the machine's /etc (-before +after):\n%s", diff)
		}
		if left, err := os.ReadDir(r.work); err != nil || len(left) > 0 {
			t.Errorf("the working folder holds %v, %v, want nothing", left, err)
		}
	})
}

// tree describes what is below a folder.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		stat := info.Sys().(*syscall.Stat_t)
		line := info.Mode().String() + " " + strings.Join([]string{itoa(stat.Uid), itoa(stat.Gid)}, ":")
		name, _ := filepath.Rel(dir, path)
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			to, _ := os.Readlink(path)
			line += " " + to
		case info.Mode().IsRegular() && info.Size() < 1000:
			content, _ := os.ReadFile(path)
			line += " " + string(content)
		}
		found[name] = line
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// Every process that a command leaves behind has ended when Run returns, and
// none keeps Run waiting.
func TestLeftBehind(t *testing.T) {
	t.Parallel()
	eachRung(t, func(t *testing.T, r *rig) {
		started := time.Now()
		got, err := r.sh(t, `
			(sleep 1000) &
			setsid sh -c 'trap "" TERM HUP INT; while :; do sleep 1000; done' &
			setsid sh -c 'setsid sleep 1000 & exit' < /dev/null > /dev/null 2>&1 &
			(sh -c 'while :; do echo x >> /tmp/alive; sleep 1; done' &) &
			sleep 0.2
			echo done`, func(c *sandbox.Command) { c.Env = append(c.Env, "MARK="+r.root) })
		if err != nil || got != "done\n" {
			t.Fatalf("Run = %q, %v", got, err)
		}
		if took := time.Since(started); took > 20*time.Second {
			t.Errorf("Run took %s", took)
		}
		if left := marked(t, r.root); left != nil {
			t.Errorf("processes %v are left", left)
		}
	})
}

// marked returns the processes with this mark in their environment.
func marked(t *testing.T, mark string) []string {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, path := range paths {
		if environ, err := os.ReadFile(path); err == nil && bytes.Contains(environ, []byte("MARK="+mark)) {
			found = append(found, path)
		}
	}
	return found
}

// A cancelled command leaves nothing: no process, no mount, no secret.
func TestCancel(t *testing.T) {
	t.Parallel()
	eachRung(t, func(t *testing.T, r *rig) {
		before := tree(t, r.root)
		mounts := mountTable(t)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		cache := t.TempDir()
		var output cancelling
		output.cancel = cancel
		err := r.box.Run(ctx, sandbox.Command{
			Root: r.root, Env: []string{"MARK=" + r.root, "PATH=/bin"}, Output: &output,
			Args: []string{"/bin/sh", "-c", "trap '' TERM INT HUP; setsid sleep 1000 & cat /run/secrets/t; echo kept > /cache/x; echo; sleep 1000; sleep 1000"},
			Mounts: []sandbox.Mount{
				{Kind: sandbox.Secret, Target: "/run/secrets/t", Content: "hunter2-hunter2"},
				{Kind: sandbox.Cache, Target: "/cache", Source: cache},
			},
		})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("Run = %v, want the end of the context", err)
		}
		if left := marked(t, r.root); left != nil {
			t.Errorf("processes %v are left", left)
		}
		if diff := cmp.Diff(before, tree(t, r.root)); diff != "" {
			t.Errorf("the root (-before +after):\n%s", diff)
		}
		if diff := cmp.Diff(mounts, mountTable(t)); diff != "" {
			t.Errorf("mounts (-before +after):\n%s", diff)
		}
		if _, err := r.sh(t, "true"); err != nil {
			t.Errorf("the next command: %v", err)
		}
	})
}

// cancelling cancels as soon as the command says something.
type cancelling struct{ cancel func() }

func (c *cancelling) Write(data []byte) (int, error) {
	c.cancel()
	return len(data), nil
}

// mountTable is what is mounted, but for what others mount meanwhile.
func mountTable(t *testing.T) []string {
	t.Helper()
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	var ours []string
	for line := range strings.Lines(string(table)) {
		if fields := strings.Fields(line); strings.HasPrefix(fields[4], os.TempDir()) && strings.Contains(fields[4], t.Name()[:6]) {
			ours = append(ours, line)
		}
	}
	return ours
}

// A context that has ended already starts nothing.
func TestEndedContext(t *testing.T) {
	t.Parallel()
	eachRung(t, func(t *testing.T, r *rig) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := r.box.Run(ctx, sandbox.Command{Root: r.root, Args: []string{"/bin/touch", "/ran"}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v, want the end of the context", err)
		}
		if _, err := os.Stat(filepath.Join(r.root, "ran")); err == nil {
			t.Error("the command ran")
		}
	})
}

// A slow reader loses no output.
func TestOutput(t *testing.T) {
	t.Parallel()
	eachRung(t, func(t *testing.T, r *rig) {
		output := &slow{ctx: t.Context()}
		err := r.box.Run(t.Context(), sandbox.Command{
			Root: r.root, Args: []string{"/bin/seq", "200000"}, Output: output,
		})
		if err != nil {
			t.Fatal(err)
		}
		if lines := bytes.Count(output.Bytes(), []byte("\n")); lines != 200000 {
			t.Errorf("%d lines, want 200000", lines)
		}
	})
}

// That the output cannot be written is an error.
func TestNoOutput(t *testing.T) {
	t.Parallel()
	eachRung(t, func(t *testing.T, r *rig) {
		err := r.box.Run(t.Context(), sandbox.Command{Root: r.root, Args: []string{"/bin/echo"}, Output: full{}})
		if !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("Run = %v, want the writer's error", err)
		}
	})
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

type slow struct {
	bytes.Buffer
	ctx context.Context
}

func (s *slow) Write(data []byte) (int, error) {
	if err := retry.Sleep(s.ctx, time.Millisecond); err != nil {
		return 0, err
	}
	return s.Buffer.Write(data)
}
