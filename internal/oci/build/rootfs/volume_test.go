//go:build linux

package rootfs_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci/build/rootfs"
)

// onVolume calls fn with a folder that has a volume of its own, which nobody
// else sees.
func onVolume(t *testing.T, flags uintptr, options string, fn func(dir string)) {
	t.Helper()
	dir, done := filepath.Join(t.TempDir(), "a volume"), make(chan error)
	must(t, os.Mkdir(dir, 0o755))
	go func() {
		var err error
		defer func() { done <- err }() // also where fn ends the test
		// The thread keeps its name space, so it ends with this goroutine.
		runtime.LockOSThread()
		err = unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_FS)
		if err == nil {
			err = unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, "")
		}
		if err == nil {
			err = unix.Mount("tmpfs", dir, "tmpfs", flags, options)
		}
		if err == nil {
			fn(dir)
		}
	}()
	if err := <-done; err != nil {
		t.Skipf("mounting is not allowed here: %v", err)
	}
}

// checkProblem reports whether err is a problem with these texts in its detail.
func checkProblem(t *testing.T, err error, dir string, texts ...string) {
	t.Helper()
	problem, ok := errors.AsType[*diag.Problem](err)
	if !ok {
		t.Errorf("got %v, want a problem", err)
		return
	}
	for _, text := range append(texts, fmt.Sprintf("The volume mounted at %q", dir)) {
		if !strings.Contains(problem.Detail, text) {
			t.Errorf("the detail is %q, want %q in it", problem.Detail, text)
		}
	}
}

func TestUsable(t *testing.T) {
	t.Parallel()
	if err := rootfs.Usable(t.TempDir(), false); err != nil {
		t.Skipf("temporary files are on such a volume: %v", err)
	}
	onVolume(t, unix.MS_NOEXEC, "", func(dir string) {
		below := filepath.Join(dir, "below")
		must(t, os.Mkdir(below, 0o755))
		checkProblem(t, rootfs.Usable(below, false), dir, "has the option noexec, so that no program can be started from it")
	})
	onVolume(t, unix.MS_NODEV, "", func(dir string) {
		checkProblem(t, rootfs.Usable(dir, true), dir, "has the option nodev")
		if err := rootfs.Usable(dir, false); err != nil {
			t.Errorf("Usable without devices = %v", err)
		}
	})
}

func TestApplyOnFullVolume(t *testing.T) {
	t.Parallel()
	var large, many bytes.Buffer
	archive := tar.NewWriter(&large)
	must(t, archive.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "large", Mode: 0o644, Size: 2 << 20}))
	_, err := archive.Write(bytes.Repeat([]byte("x"), 2<<20))
	must(t, err)
	must(t, archive.Close())
	archive = tar.NewWriter(&many)
	for i := range 100 {
		must(t, archive.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: fmt.Sprint("file", i), Mode: 0o644}))
	}
	must(t, archive.Close())
	onVolume(t, 0, "size=1m", func(dir string) {
		checkProblem(t, rootfs.Apply(t.Context(), dir, &large), dir, "of its 1MiB there are 0B left")
	})
	onVolume(t, 0, "nr_inodes=20", func(dir string) {
		checkProblem(t, rootfs.Apply(t.Context(), dir, &many), dir, "it can hold 20 files and does")
	})
}

// TestRemoveSparesMounts: what is mounted in a root may be the user's.
func TestRemoveSparesMounts(t *testing.T) {
	t.Parallel()
	onVolume(t, 0, "", func(dir string) {
		write(t, dir, "precious")
		err := rootfs.Remove(filepath.Dir(dir))
		if err == nil || !strings.Contains(err.Error(), "something is still mounted at "+dir) {
			t.Errorf("Remove = %v, want it to refuse", err)
		}
		if _, err := os.Stat(filepath.Join(dir, "precious")); err != nil {
			t.Error(err)
		}
	})
}

func TestRemove(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "root")
	write(t, dir, "a/b/c")
	for range 2 {
		must(t, rootfs.Remove(dir))
	}
	if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the root is still there: %v", err)
	}
}
