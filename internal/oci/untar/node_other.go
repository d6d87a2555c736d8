//go:build !linux

package untar

import (
	"archive/tar"
	"os"
	"syscall"
	"time"
)

// makeNode makes nothing: nodes of a Linux image are of no use here.
func makeNode(*folder, string, *tar.Header) (made bool, err error) { return false, nil }

// setAttributes sets nothing, for the same reason.
func setAttributes(*folder, string, *tar.Header) error { return nil }

// setFileAttributes does neither.
func setFileAttributes(*os.File, *tar.Header) error { return nil }

// setTime sets the time of what is not a link.
func setTime(folder *folder, base string, when time.Time) error {
	info, err := folder.Lstat(base)
	if err != nil || info.Mode()&os.ModeSymlink != 0 {
		return err
	}
	return folder.Chtimes(base, time.Time{}, when)
}

// setFileTime sets the time of an open file or folder.
func setFileTime(file *os.File, when time.Time) error {
	modified := syscall.NsecToTimeval(when.UnixNano())
	return syscall.Futimes(int(file.Fd()), []syscall.Timeval{modified, modified})
}

// createFile makes a regular file that only we can open.
func createFile(folder *folder, base string) (*os.File, error) {
	return folder.OpenFile(base, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
}
