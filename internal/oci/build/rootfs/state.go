//go:build linux

package rootfs

import (
	"iter"
	"strings"

	"golang.org/x/sys/unix"
)

// State is what all files of a root were at one moment. It holds metadata, and
// takes about 150 bytes for each file.
type State struct {
	top    node
	latest int64 // the last ctime
	fine   bool  // whether the file system's clock knows more than seconds
}

// node is one file. There may be a million, so it is kept small.
type node struct {
	name     string
	children []node // of a folder, sorted by name
	extra    *extra // nil for most
	inode    uint64
	device   uint64
	special  uint64 // of a device node: which device
	size     int64
	changed  int64 // ctime in nanoseconds
	modified int64 // mtime in seconds
	nanos    uint32
	mode     uint32 // with the type
	uid, gid uint32
	links    uint32 // how many names it has, in this root and elsewhere
}

// extra is what few files have.
type extra struct {
	link         string // of a symbolic link
	capabilities string // the attribute security.capability
	content      string // a digest, for files of folders that were asked for
}

// identity is the same for all names of one file.
type identity struct{ device, inode uint64 }

func (n *node) identity() identity { return identity{n.device, n.inode} }

func (n *node) isFolder() bool  { return n.mode&unix.S_IFMT == unix.S_IFDIR }
func (n *node) isRegular() bool { return n.mode&unix.S_IFMT == unix.S_IFREG }
func (n *node) isLink() bool    { return n.mode&unix.S_IFMT == unix.S_IFLNK }

// below returns what is in a folder, and nothing of what is none.
func (n *node) below() []node {
	if n == nil {
		return nil
	}
	return n.children
}

// details returns what few files have.
func (n *node) details() extra {
	if n.extra == nil {
		return extra{}
	}
	return *n.extra
}

// changedFrom reports whether a layer has to hold n where old was before; keep
// says that it would hold the time of n. What does not land in a layer does not
// count, but for the content of a file anything may stand: its ctime, which a
// command cannot set, is the judge of that.
func (n *node) changedFrom(old *node, keep bool) bool {
	if old == nil || n.mode != old.mode || n.uid != old.uid || n.gid != old.gid {
		return true
	}
	before, after := old.details(), n.details()
	if before.capabilities != after.capabilities {
		return true
	}
	if n.isFolder() {
		return false // its time and size only say that something in it changed
	}
	if n.special != old.special || before.link != after.link {
		return true
	}
	if n.identity() != old.identity() && (n.isRegular() || n.links > 1 || old.links > 1) {
		return true
	}
	if keep && (n.modified != old.modified || n.nanos != old.nanos) {
		return true
	}
	if !n.isRegular() || n.changed == old.changed && n.modified == old.modified && n.nanos == old.nanos && n.size == old.size {
		return false
	}
	return before.content == "" || before.content != after.content
}

// pairs merges two sorted lists by name. Where only one of them has a name, the
// other one is nil.
func pairs(before, after []node) iter.Seq2[*node, *node] {
	return func(yield func(*node, *node) bool) {
		for len(before) > 0 || len(after) > 0 {
			var order int
			switch {
			case len(after) == 0:
				order = -1
			case len(before) == 0:
				order = 1
			default:
				order = strings.Compare(before[0].name, after[0].name)
			}
			var b, a *node
			if order <= 0 {
				b, before = &before[0], before[1:]
			}
			if order >= 0 {
				a, after = &after[0], after[1:]
			}
			if !yield(b, a) {
				return
			}
		}
	}
}
