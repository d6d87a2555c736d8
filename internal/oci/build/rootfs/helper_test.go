//go:build linux

package rootfs_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/deploy-action/deploy-action/internal/oci/build/files"
	"github.com/deploy-action/deploy-action/internal/oci/build/rootfs"
)

// capability is what setcap cap_net_raw+ep writes.
const capability = "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

var fixed = files.Times{Fixed: time.Unix(315532800, 0)}

func scan(t testing.TB, dir string, renamed ...string) *rootfs.State {
	t.Helper()
	state, err := rootfs.Scan(t.Context(), dir, renamed...)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// layer returns the layer between two states, and how many changes are in it.
func layer(t testing.TB, dir string, before, after *rootfs.State, when files.Times) ([]byte, int) {
	t.Helper()
	var buffer bytes.Buffer
	archive := tar.NewWriter(&buffer)
	changed, err := rootfs.WriteDiff(t.Context(), archive, dir, before, after, when)
	if err != nil {
		t.Fatal(err)
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes(), changed
}

// apply applies layers to a folder.
func apply(t testing.TB, dir string, layers ...[]byte) {
	t.Helper()
	for _, l := range layers {
		if err := rootfs.Apply(t.Context(), dir, bytes.NewReader(l)); err != nil {
			t.Fatal(err)
		}
	}
}

// entries lists the headers of a layer, each as a line.
func entries(t testing.TB, layer []byte) []string {
	t.Helper()
	var lines []string
	archive := tar.NewReader(bytes.NewReader(layer))
	for {
		header, err := archive.Next()
		if err == io.EOF {
			return lines
		}
		if err != nil {
			t.Fatal(err)
		}
		line := fmt.Sprintf("%c %s", header.Typeflag, header.Name)
		if header.Linkname != "" {
			line += " → " + header.Linkname
		}
		lines = append(lines, line)
	}
}

// describe returns what the files below dir are: all that a layer can hold but
// times. Files with several names have the same number.
func describe(t testing.TB, dir string) map[string]string {
	t.Helper()
	found, groups := map[string]string{}, map[uint64]int{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		var stat unix.Stat_t
		if err := unix.Lstat(path, &stat); err != nil {
			return err
		}
		line := fmt.Sprintf("%o %d:%d", stat.Mode, stat.Uid, stat.Gid)
		switch stat.Mode & unix.S_IFMT {
		case unix.S_IFSOCK:
			return nil
		case unix.S_IFREG:
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if len(content) > 1000 {
				content = fmt.Appendf(nil, "%d bytes, %x", len(content), sha256.Sum256(content))
			}
			line += fmt.Sprintf(" %q %q", content, attribute(t, path))
		case unix.S_IFLNK:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			line += " → " + target
		case unix.S_IFCHR, unix.S_IFBLK:
			line += fmt.Sprintf(" device %d", stat.Rdev)
		}
		if stat.Mode&unix.S_IFMT != unix.S_IFDIR && stat.Nlink > 1 {
			if groups[stat.Ino] == 0 {
				groups[stat.Ino] = len(groups) + 1
			}
			line += fmt.Sprintf(" group %d", groups[stat.Ino])
		}
		name, err := filepath.Rel(dir, path)
		found[name] = line
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func attribute(t testing.TB, path string) string {
	t.Helper()
	value := make([]byte, 100)
	n, err := unix.Lgetxattr(path, "security.capability", value)
	if errors.Is(err, unix.ENODATA) || errors.Is(err, unix.ENOTSUP) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(value[:n])
}

// must reports an error of a step that a test needs.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("owners, devices and capabilities need root")
	}
}
