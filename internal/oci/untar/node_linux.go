package untar

import (
	"archive/tar"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
	"unsafe"

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
	return eachAttribute(header, func(name string, value []byte) error {
		// No link at the end of the path is followed, and nothing of the layer
		// is before it.
		return unix.Lsetxattr(fmt.Sprintf("/proc/self/fd/%d/%s", folder.self.Fd(), base), name, value, 0)
	})
}

// setFileAttributes does so for an open file.
func setFileAttributes(file *os.File, header *tar.Header) error {
	return eachAttribute(header, func(name string, value []byte) error {
		return unix.Fsetxattr(int(file.Fd()), name, value, 0)
	})
}

func eachAttribute(header *tar.Header, set func(name string, value []byte) error) error {
	for record, value := range header.PAXRecords {
		name, ok := strings.CutPrefix(record, xattrRecord)
		if !ok {
			continue
		}
		if err := set(name, []byte(value)); err != nil && !errors.Is(err, unix.ENOTSUP) && !errors.Is(err, unix.EPERM) {
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

// setFileTime sets the time of an open file or folder.
func setFileTime(file *os.File, when time.Time) error {
	modified, err := unix.TimeToTimespec(when)
	if err != nil {
		return err
	}
	times := [2]unix.Timespec{{Nsec: unix.UTIME_OMIT}, modified}
	// Without a path the file is meant, which no function of package unix can say.
	_, _, failed := unix.Syscall6(unix.SYS_UTIMENSAT, file.Fd(), 0, uintptr(unsafe.Pointer(&times)), 0, 0, 0)
	if failed != 0 {
		return &os.PathError{Op: "utimensat", Path: file.Name(), Err: failed}
	}
	return nil
}

// createFile makes a regular file that only we can open. [os.Root] would make six
// calls of the system of this one, and be no safer: base has no slash, and no
// link is followed.
func createFile(folder *folder, base string) (*os.File, error) {
	for {
		const flags = unix.O_CREAT | unix.O_EXCL | unix.O_WRONLY | unix.O_NOFOLLOW | unix.O_CLOEXEC
		descriptor, err := unix.Openat(int(folder.self.Fd()), base, flags, 0o600)
		switch {
		case err == nil:
			return os.NewFile(uintptr(descriptor), base), nil
		case !errors.Is(err, unix.EINTR):
			return nil, &os.PathError{Op: "open", Path: base, Err: err}
		}
	}
}
