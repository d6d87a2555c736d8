package untar_test

import (
	"archive/tar"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestApplyMetadata(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("owners, devices and capabilities need root")
	}
	when := time.Unix(1234567890, 0)
	capability := "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	entries := []tar.Header{
		{Typeflag: tar.TypeDir, Name: "d", Mode: 0o2750, Uid: 12, Gid: 34},
		{Typeflag: tar.TypeReg, Name: "d/su", Mode: 0o6755, Uid: 12, Gid: 34, Linkname: "x"},
		{Typeflag: tar.TypeReg, Name: "d/ping", Mode: 0o755, Uid: 12, Gid: 34, Linkname: "x", PAXRecords: map[string]string{"SCHILY.xattr.security.capability": capability}},
		{Typeflag: tar.TypeSymlink, Name: "d/link", Mode: 0o777, Uid: 12, Gid: 34, Linkname: "/nowhere"},
		{Typeflag: tar.TypeChar, Name: "d/null", Mode: 0o666, Uid: 12, Gid: 34, Devmajor: 1, Devminor: 3},
		{Typeflag: tar.TypeBlock, Name: "d/disk", Mode: 0o660, Uid: 12, Gid: 34, Devmajor: 8, Devminor: 300},
		{Typeflag: tar.TypeFifo, Name: "d/pipe", Mode: 0o622, Uid: 12, Gid: 34},
		{Typeflag: tar.TypeDir, Name: "tmp", Mode: 0o1777, Uid: 12, Gid: 34},
	}
	for i := range entries {
		entries[i].ModTime = when
	}
	root := t.TempDir()
	if err := apply(t, root, archive(t, entries...)); err != nil {
		t.Fatal(err)
	}
	kinds := map[byte]uint32{
		tar.TypeDir: unix.S_IFDIR, tar.TypeReg: unix.S_IFREG, tar.TypeSymlink: unix.S_IFLNK,
		tar.TypeChar: unix.S_IFCHR, tar.TypeBlock: unix.S_IFBLK, tar.TypeFifo: unix.S_IFIFO,
	}
	for _, entry := range entries {
		var stat unix.Stat_t
		if err := unix.Lstat(filepath.Join(root, entry.Name), &stat); errors.Is(err, fs.ErrNotExist) && entry.Devmajor != 0 {
			continue // we may not make devices here
		} else if err != nil {
			t.Fatal(err)
		}
		got := fmt.Sprintf("%o %d:%d %d.%d %v", stat.Mode, stat.Uid, stat.Gid, unix.Major(stat.Rdev), unix.Minor(stat.Rdev), time.Unix(stat.Mtim.Unix()))
		want := fmt.Sprintf("%o 12:34 %d.%d %v", kinds[entry.Typeflag]|uint32(entry.Mode), entry.Devmajor, entry.Devminor, when)
		if got != want {
			t.Errorf("%s is %s, want %s", entry.Name, got, want)
		}
	}
	ping, value := filepath.Join(root, "d/ping"), make([]byte, 100)
	n, err := unix.Lgetxattr(ping, "security.capability", value)
	if err != nil && unix.Lsetxattr(ping, "security.capability", []byte(capability), 0) == nil || err == nil && string(value[:n]) != capability {
		t.Errorf("capability of ping is %q, %v", value[:max(n, 0)], err)
	}
}

func TestApplyLeavesHoles(t *testing.T) {
	t.Parallel()
	content := "begin" + strings.Repeat("\x00", 8<<20) + "middle" + strings.Repeat("\x00", 8<<20)
	root := t.TempDir()
	if err := apply(t, root, archive(t, reg("sparse", content))); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(root, "sparse")
	if got, err := os.ReadFile(name); err != nil || string(got) != content {
		t.Errorf("the file has %d bytes, %v; want the %d bytes of the layer", len(got), err, len(content))
	}
	var stat unix.Stat_t
	if err := unix.Stat(name, &stat); err != nil {
		t.Fatal(err)
	}
	if room := stat.Blocks * 512; room > 4<<20 {
		t.Errorf("the file takes %d bytes on disk, want far less than its size of %d", room, len(content))
	}
}
