package oci

import (
	"archive/tar"
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// xattrRecord precedes the name of an extended attribute in a tar header.
const xattrRecord = "SCHILY.xattr."

// makeNode makes a device node or a pipe. Where this process may not, nothing
// is made and that is no error: container engines give programs a /dev of
// their own.
func makeNode(folder *os.Root, base string, header *tar.Header) (made bool, err error) {
	kind := uint32(unix.S_IFIFO)
	switch header.Typeflag {
	case tar.TypeChar:
		kind = unix.S_IFCHR
	case tar.TypeBlock:
		kind = unix.S_IFBLK
	}
	dir, err := folder.Open(".")
	if err != nil {
		return false, err
	}
	defer dir.Close()
	device := int(unix.Mkdev(uint32(header.Devmajor), uint32(header.Devminor)))
	err = unix.Mknodat(int(dir.Fd()), base, kind|0o600, device)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return false, nil
	}
	return err == nil, err
}

// setAttributes sets the extended attributes of a file, such as capabilities,
// as far as the file system and our rights go.
func setAttributes(folder *os.Root, base string, header *tar.Header) error {
	if header.Typeflag != tar.TypeReg {
		return nil
	}
	for record, value := range header.PAXRecords {
		name, ok := strings.CutPrefix(record, xattrRecord)
		if !ok {
			continue
		}
		file, err := folder.OpenFile(base, os.O_RDONLY, 0)
		if err != nil {
			return err
		}
		err = unix.Fsetxattr(int(file.Fd()), name, []byte(value), 0)
		file.Close()
		if err != nil && !errors.Is(err, unix.ENOTSUP) && !errors.Is(err, unix.EPERM) {
			return err
		}
	}
	return nil
}
