package files

import (
	"archive/tar"
	"fmt"
	"io/fs"
	"time"
)

// capabilityRecord names the one extended attribute that layers carry, as in
// BuildKit's: a program's capabilities. Labels of a security module and the
// like belong to the machine that they were set on.
const (
	attribute        = "security.capability"
	capabilityRecord = "SCHILY.xattr." + attribute
)

// meta is what a layer says of a file, but for its name and content. It is
// small, since an image can have a million files.
type meta struct {
	kind         byte   // a type of package tar
	mode         uint32 // twelve bits
	uid, gid     uint32
	major, minor uint32
	size         int64
	modified     int64 // seconds since 1970
	link         string
	capability   string
}

// longest is how long a path can be, as in Linux. An archive can name longer
// ones, which would take long to walk through.
const longest = 4096

// checkLength refuses a header that no file system can hold.
func checkLength(h *tar.Header) error {
	if len(h.Name) > longest || len(h.Linkname) > longest {
		return fmt.Errorf("an entry has a path of more than %d bytes: %.40q…", longest, h.Name)
	}
	return nil
}

// newFolder is what a missing folder is made as.
func newFolder(mode uint32, who owner, now int64) meta {
	return meta{kind: tar.TypeDir, mode: mode, uid: who.uid, gid: who.gid, modified: now}
}

// metaOf takes from a header what counts.
func metaOf(h *tar.Header) meta {
	m := meta{
		kind: h.Typeflag, mode: uint32(h.Mode & 0o7777), uid: uint32(h.Uid), gid: uint32(h.Gid),
		modified: h.ModTime.Unix(),
	}
	if h.ModTime.IsZero() {
		m.modified = 0
	}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse:
		m.kind = tar.TypeReg
		m.size, m.capability = h.Size, h.PAXRecords[capabilityRecord]
	case tar.TypeSymlink:
		m.mode, m.link = 0o777, h.Linkname
	case tar.TypeLink:
		m.link = h.Linkname
	case tar.TypeChar, tar.TypeBlock:
		m.major, m.minor = uint32(h.Devmajor), uint32(h.Devminor)
	}
	return m
}

// header is the inverse of [metaOf].
func (m *meta) header() tar.Header {
	h := tar.Header{
		Typeflag: m.kind, Mode: int64(m.mode), Uid: int(m.uid), Gid: int(m.gid), Size: m.size, Linkname: m.link,
		Devmajor: int64(m.major), Devminor: int64(m.minor), ModTime: time.Unix(m.modified, 0).UTC(),
	}
	if m.capability != "" {
		h.PAXRecords = map[string]string{capabilityRecord: m.capability}
	}
	return h
}

// special are the bits of a mode that tar and package fs place differently.
var special = []struct {
	mode fs.FileMode
	bits uint32
}{{fs.ModeSetuid, 0o4000}, {fs.ModeSetgid, 0o2000}, {fs.ModeSticky, 0o1000}}

// bitsOf is a mode as tar writes it.
func bitsOf(mode fs.FileMode) uint32 {
	bits := uint32(mode.Perm())
	for _, s := range special {
		if mode&s.mode != 0 {
			bits |= s.bits
		}
	}
	return bits
}

// fileMode is the inverse of [bitsOf], with the bit that says folder.
func (m *meta) fileMode() fs.FileMode {
	mode := fs.FileMode(m.mode & 0o777)
	for _, s := range special {
		if m.mode&s.bits != 0 {
			mode |= s.mode
		}
	}
	if m.kind == tar.TypeDir {
		mode |= fs.ModeDir
	}
	return mode
}
