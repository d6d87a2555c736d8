package files

import (
	"archive/tar"
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// inode tells files apart.
type inode struct{ device, number uint64 }

// addSystem adds what package fs does not know of a file.
func addSystem(e *Entry, info fs.FileInfo) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return
	}
	e.Header.Uid, e.Header.Gid = int(stat.Uid), int(stat.Gid)
	if info.Mode()&fs.ModeDevice != 0 {
		e.Header.Devmajor, e.Header.Devminor = int64(unix.Major(stat.Rdev)), int64(unix.Minor(stat.Rdev))
	}
	if stat.Nlink > 1 {
		e.Same = inode{stat.Dev, stat.Ino}
	}
}

// addCapability adds a program's capabilities. A file that this process may not
// read has none that count: it cannot be put into a layer either.
func addCapability(root *os.Root, name string, header *tar.Header) error {
	file, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	var value [64]byte // the largest form has 24 bytes
	n, err := unix.Fgetxattr(int(file.Fd()), attribute, value[:])
	if errors.Is(err, unix.ENODATA) || errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	if err != nil {
		return err
	}
	header.PAXRecords = map[string]string{capabilityRecord: string(value[:n])}
	return nil
}
