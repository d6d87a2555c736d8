package untar

import (
	"archive/tar"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// xattrRecord precedes the name of an extended attribute in a tar header.
const xattrRecord = "SCHILY.xattr."

// makeNode makes a device node or a pipe. Where this process may not, nothing
// is made and that is no error: container engines give programs a /dev of
// their own.
func makeNode(folder *folder, base string, header *tar.Header) (made bool, err error) {
	kind := uint32(unix.S_IFIFO)
	switch header.Typeflag {
	case tar.TypeChar:
		kind = unix.S_IFCHR
	case tar.TypeBlock:
		kind = unix.S_IFBLK
	}
	device := unix.Mkdev(uint32(header.Devmajor), uint32(header.Devminor))
	err = unix.Mknodat(int(folder.self.Fd()), base, kind|0o600, int(device))
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return false, nil
	}
	return err == nil, err
}

// setAttributes sets the extended attributes of an entry, such as
// capabilities, as far as the file system and our rights go.
func setAttributes(folder *folder, base string, header *tar.Header) error {
	for record, value := range header.PAXRecords {
		name, ok := strings.CutPrefix(record, xattrRecord)
		if !ok {
			continue
		}
		// No link at the end of the path is followed, and nothing of the layer
		// is before it.
		err := unix.Lsetxattr(fmt.Sprintf("/proc/self/fd/%d/%s", folder.self.Fd(), base), name, []byte(value), 0)
		if err != nil && !errors.Is(err, unix.ENOTSUP) && !errors.Is(err, unix.EPERM) {
			return fmt.Errorf("setting the attribute %q: %w", name, err)
		}
	}
	return nil
}

// setTime sets the time of an entry, also of a link itself.
func setTime(folder *folder, base string, when time.Time) error {
	modified, err := unix.TimeToTimespec(when)
	if err != nil {
		return err
	}
	times := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, modified}
	return unix.UtimesNanoAt(int(folder.self.Fd()), base, times, unix.AT_SYMLINK_NOFOLLOW)
}
