//go:build !linux

package untar

import (
	"archive/tar"
	"os"
	"time"
)

// makeNode makes nothing: nodes of a Linux image are of no use here.
func makeNode(*folder, string, *tar.Header) (made bool, err error) { return false, nil }

// setAttributes sets nothing, for the same reason.
func setAttributes(*folder, string, *tar.Header) error { return nil }

// setTime sets the time of what is not a link.
func setTime(folder *folder, base string, when time.Time) error {
	info, err := folder.Lstat(base)
	if err != nil || info.Mode()&os.ModeSymlink != 0 {
		return err
	}
	return folder.Chtimes(base, time.Time{}, when)
}
