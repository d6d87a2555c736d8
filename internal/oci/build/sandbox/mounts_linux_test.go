package sandbox_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci/build/sandbox"
)

func TestBind(t *testing.T) {
	t.Parallel()
	eachRung(t, func(t *testing.T, r *rig) {
		source := t.TempDir()
		write(t, source, "given", "given\n", 0o640)
		if err := os.Symlink("given", filepath.Join(source, "link")); err != nil {
			t.Fatal(err)
		}
		if err := os.Lchown(filepath.Join(source, "given"), 1000, 1001); err != nil {
			t.Fatal(err)
		}
		before := tree(t, source)
		got, err := r.sh(t, `
			cat /ro/link /file
			stat -c '%a %u %g' /ro/given
			echo changed > /rw/given && cat /rw/given
			echo changed 2> /dev/null > /ro/given || echo refused`, func(c *sandbox.Command) {
			c.Mounts = []sandbox.Mount{
				{Kind: sandbox.Bind, Target: "/ro", Source: source, ReadOnly: true},
				{Kind: sandbox.Bind, Target: "/file", Source: filepath.Join(source, "given"), ReadOnly: true},
				{Kind: sandbox.Bind, Target: "/rw", Source: source},
			}
		})
		if err != nil {
			t.Fatalf("%v: %s", err, got)
		}
		want := "given\ngiven\n640 1000 1001\nchanged\nrefused\n"
		if r.swapped { // where nothing can be mounted, it is a copy
			want = strings.TrimSuffix(want, "refused\n")
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(before, tree(t, source)); diff != "" {
			t.Errorf("the source (-before +after):\n%s", diff)
		}
	})
}

func TestCache(t *testing.T) {
	t.Parallel()
	eachRung(t, func(t *testing.T, r *rig) {
		cache := t.TempDir()
		mount := func(c *sandbox.Command) {
			c.Mounts = []sandbox.Mount{{Kind: sandbox.Cache, Target: "/home/cache/", Source: cache}}
		}
		for _, want := range []string{"x\n", "x\nx\n", "x\nx\nx\n"} {
			got, err := r.sh(t, "echo x >> /home/cache/lines; cat /home/cache/lines", mount)
			if err != nil || got != want {
				t.Fatalf("Run = %q, %v, want %q", got, err, want)
			}
		}
		if _, err := os.Stat(filepath.Join(r.root, "home")); err == nil {
			t.Error("the folder made to mount on is left")
		}
	})
}

// What is mounted hides what the image has there, and follows the image's links
// but not out of it.
func TestTarget(t *testing.T) {
	t.Parallel()
	eachRung(t, func(t *testing.T, r *rig) {
		if err := errors.Join(
			os.MkdirAll(filepath.Join(r.root, "opt/real"), 0o755),
			os.Symlink("/opt/real", filepath.Join(r.root, "link")),
			os.Symlink("../../../../../../../../var/else", filepath.Join(r.root, "opt/climbs")),
		); err != nil {
			t.Fatal(err)
		}
		write(t, r.root, "opt/real/file", "of the image\n", 0o644)
		before := tree(t, r.root)
		got, err := r.sh(t, "cat /opt/real/file /var/else/secret; find /var", func(c *sandbox.Command) {
			c.Mounts = []sandbox.Mount{
				{Kind: sandbox.Secret, Target: "/link/file", Content: "of the build\n"},
				{Kind: sandbox.Secret, Target: "/opt/climbs/secret", Content: "inside\n"},
			}
		})
		if want := "of the build\ninside\n/var\n/var/else\n/var/else/secret\n"; err != nil || got != want {
			t.Errorf("Run = %q, %v, want %q", got, err, want)
		}
		if diff := cmp.Diff(before, tree(t, r.root)); diff != "" {
			t.Errorf("the root (-before +after):\n%s", diff)
		}
		missing := filepath.Join(r.work, "missing")
		_, err = r.sh(t, "true", func(c *sandbox.Command) {
			c.Mounts = []sandbox.Mount{{Kind: sandbox.Bind, Target: "/src", Source: missing}}
		})
		if err == nil || err.Error() != "mounting /src: stat "+missing+": no such file or directory" {
			t.Errorf("Run with a missing source = %v", err)
		}
		_, err = r.sh(t, "true", func(c *sandbox.Command) {
			c.Mounts = []sandbox.Mount{{Kind: sandbox.Tmpfs, Target: "/"}}
		})
		if err == nil || !strings.Contains(err.Error(), "mounting /: it cannot be the root folder") {
			t.Errorf("Run with a mount at / = %v", err)
		}
	})
}

func TestSecret(t *testing.T) {
	t.Parallel()
	eachRung(t, func(t *testing.T, r *rig) {
		got, err := r.sh(t, `
			cat /run/secrets/mine; echo
			stat -c '%a %u %g' /run/secrets/mine /run/secrets/alice
			ln /run/secrets/mine /tmp/again 2> /dev/null || mv /run/secrets/mine /tmp/again 2> /dev/null
			true`, func(c *sandbox.Command) {
			c.Mounts = []sandbox.Mount{
				{Kind: sandbox.Secret, Target: "/run/secrets/mine", Content: "hunter2-hunter2"},
				{Kind: sandbox.Secret, Target: "/run/secrets/alice", Content: "hunter3-hunter3", Mode: 0o440, UID: 1000, GID: 1001},
			}
		})
		if want := "hunter2-hunter2\n400 0 0\n440 1000 1001\n"; err != nil || got != want {
			t.Errorf("Run = %q, %v, want %q", got, err, want)
		}
		if got, err = r.sh(t, "cat /run/secrets/alice", func(c *sandbox.Command) {
			c.User = "alice:1001"
			c.Mounts = []sandbox.Mount{
				{Kind: sandbox.Secret, Target: "/run/secrets/alice", Content: "hunter3-hunter3", Mode: 0o440, UID: 0, GID: 1001},
			}
		}); err != nil || got != "hunter3-hunter3" {
			t.Errorf("alice reads %q, %v", got, err)
		}
		for name, line := range tree(t, r.root) {
			// A copy that the command made through a mount is its own affair.
			if strings.Contains(line, "hunter") && name != "tmp/again" || r.swapped && strings.Contains(line, "hunter") {
				t.Errorf("%s holds the secret: %s", name, line)
			}
		}
		if _, err := os.Stat(filepath.Join(r.root, "run")); err == nil {
			t.Error("the folder made to mount on is left")
		}
	})
}

func TestTmpfs(t *testing.T) {
	t.Parallel()
	eachRung(t, func(t *testing.T, r *rig) {
		write(t, r.root, "tmp/there", "there\n", 0o644)
		got, err := r.sh(t, "ls /tmp; stat -c %a /tmp; echo x > /tmp/x; cat /tmp/x; head -c 2000000 /dev/zero 2> /dev/null > /tmp/large || echo full", func(c *sandbox.Command) {
			c.Mounts = []sandbox.Mount{{Kind: sandbox.Tmpfs, Target: "/tmp", Size: 1 << 20}}
		})
		want := "1777\nx\nfull\n"
		if r.swapped { // a folder has no size
			want = "1777\nx\n"
		}
		if err != nil || got != want {
			t.Errorf("Run = %q, %v, want %q", got, err, want)
		}
		entries, err := os.ReadDir(filepath.Join(r.root, "tmp"))
		if err != nil || len(entries) != 1 || entries[0].Name() != "there" {
			t.Errorf("/tmp = %v, %v, want what was there", entries, err)
		}
	})
}

func TestHostname(t *testing.T) {
	t.Parallel()
	eachRung(t, func(t *testing.T, r *rig) {
		got, err := r.sh(t, "hostname; grep -c builder /etc/hosts", func(c *sandbox.Command) { c.Hostname = "builder" })
		if r.swapped {
			t.Skip("the container's name is the only one")
		}
		if err != nil || got != "builder\n1\n" {
			t.Errorf("Run = %q, %v", got, err)
		}
		own, err := os.Hostname()
		if got, runErr := r.sh(t, "hostname"); err != nil || runErr != nil || got != own+"\n" {
			t.Errorf("without a name of its own = %q, %v, %v, want %q", got, runErr, err, own)
		}
	})
}

// No command can run on a volume that forbids it, which is said.
func TestVolume(t *testing.T) {
	t.Parallel()
	eachRung(t, func(t *testing.T, r *rig) {
		if err := r.box.Run(t.Context(), sandbox.Command{Root: filepath.Join(r.root, "missing"), Args: []string{"/bin/true"}}); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("Run in no folder = %v", err)
		}
		volume := t.TempDir()
		if err := unix.Mount("tmpfs", volume, "tmpfs", unix.MS_NOEXEC, ""); err != nil {
			t.Skipf("mounting: %v", err)
		}
		t.Cleanup(func() { _ = unix.Unmount(volume, unix.MNT_DETACH) })
		err := r.box.Run(t.Context(), sandbox.Command{Root: volume, Args: []string{"/bin/true"}})
		problem, ok := errors.AsType[*diag.Problem](err)
		if !ok || !strings.Contains(problem.Detail, "the option noexec") {
			t.Errorf("Run = %v, want a problem that names the option", err)
		}
	})
}

// Without a rung, the problem says what to do.
func TestNoRung(t *testing.T) {
	t.Parallel()
	_, err := sandbox.Open(t.Context(), sandbox.Options{Work: t.TempDir(), Only: sandbox.Swap})
	problem, ok := errors.AsType[*diag.Problem](err)
	if !ok {
		t.Fatalf("Open = %v, want a problem", err)
	}
	for _, part := range []string{"no container of this program's own image", "seccomp profile unconfined", "the action's image"} {
		if !strings.Contains(problem.Detail, part) {
			t.Errorf("the detail lacks %q: %s", part, problem.Detail)
		}
	}
	_, err = sandbox.Open(t.Context(), sandbox.Options{Work: t.TempDir(), Own: "/usr", Only: sandbox.Swap})
	if err == nil {
		t.Error("the machine's own folders were taken for those of a container")
	}
}
