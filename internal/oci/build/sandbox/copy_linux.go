package sandbox

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// copyEntry copies one file, link or folder, the latter without what is in it.
func copyEntry(source, target string, info fs.FileInfo) error {
	var err error
	switch info.Mode().Type() {
	case fs.ModeDir:
		err = os.Mkdir(target, 0o700)
	case fs.ModeSymlink:
		var to string
		if to, err = os.Readlink(source); err == nil {
			err = os.Symlink(to, target)
		}
	case 0:
		err = copyContent(source, target)
	default:
		return nil
	}
	if err != nil {
		return err
	}
	return copyMetadata(target, info)
}

// copyMetadata gives an entry the owner, mode and time of another, in this
// order: a change of owner would clear bits of the mode.
func copyMetadata(target string, info fs.FileInfo) error {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		err := os.Lchown(target, int(stat.Uid), int(stat.Gid))
		if err != nil && os.Geteuid() == 0 { // others cannot give files away
			return err
		}
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return nil
	}
	if err := os.Chmod(target, info.Mode()); err != nil {
		return err
	}
	return os.Chtimes(target, time.Time{}, info.ModTime())
}

func copyContent(source, target string) error {
	from, err := os.Open(source)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(target, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(to, from); err != nil {
		to.Close()
		return err
	}
	return to.Close()
}

// move renames source to target, which must not exist. What cannot be renamed is
// taken apart: a folder of a lower layer of this container's file system, and
// anything on another volume.
func move(source, target string) error {
	err := os.Rename(source, target)
	if !errors.Is(err, unix.EXDEV) {
		return err
	}
	info, err := os.Lstat(source)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		if err := copyEntry(source, target, info); err != nil {
			return err
		}
		return os.Remove(source)
	}
	if err := os.Mkdir(target, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(source)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := move(filepath.Join(source, entry.Name()), filepath.Join(target, entry.Name())); err != nil {
			return err
		}
	}
	if err := copyMetadata(target, info); err != nil {
		return err
	}
	return os.Remove(source)
}
