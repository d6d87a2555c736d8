//go:build linux

package rootfs

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci/build/files"
)

// whiteout precedes the name of a file that a layer removes.
const whiteout = ".wh."

// xattrRecord precedes the name of an extended attribute in a tar header.
const xattrRecord = "SCHILY.xattr."

// chunk is how much of a file is held in memory.
const chunk = 256 << 10

var errSize = errors.New("it changed its size while it was read")

// WriteDiff writes to w, which it does not close, the layer that makes dir of
// what it was before: dir is still as after says. It returns how many files
// changed, among them those that are gone; where that is 0 nothing is written.
// The same states give the same bytes.
//
// The folders that lead to a change are part of the layer. So are all names of
// a file with hard links when one of them changed or is new: layers cannot link
// to one another. The root folder's own metadata belongs to no layer, and
// sockets neither.
func WriteDiff(ctx context.Context, w *tar.Writer, dir string, before, after *State, when files.Times) (changed int, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return 0, fmt.Errorf("writing a layer: %w", err)
	}
	defer root.Close()
	d := &differ{ctx: ctx, tar: w, root: root, when: when, linked: map[identity]string{}, buffer: make([]byte, chunk)}
	defer d.close()
	d.findLinked(before.top.children, after.top.children)
	if err := d.folder(".", before.top.children, after.top.children); err != nil {
		return 0, fmt.Errorf("writing a layer: %w", err)
	}
	return d.changed, nil
}

// differ writes one layer.
type differ struct {
	ctx     context.Context
	tar     *tar.Writer
	root    *os.Root
	when    files.Times
	buffer  []byte
	changed int

	// Files with several names of which one has to be written, and so all: the
	// name that came first in the archive, or "".
	linked map[identity]string

	// The folders that lead to where the walk is and are not written yet. They
	// are when something in them is.
	pending []folder

	last     *os.Root // the folder of the last file that was read, or nil
	lastName string
}

type folder struct {
	name string
	node *node
}

// findLinked fills linked.
func (d *differ) findLinked(before, after []node) {
	for old, n := range pairs(before, after) {
		switch {
		case n == nil:
		case n.isFolder():
			d.findLinked(old.below(), n.children)
		case n.links > 1 && n.changedFrom(old, d.when.Keep):
			d.linked[n.identity()] = ""
		}
	}
}

// folder writes what changed below a folder.
func (d *differ) folder(name string, before, after []node) error {
	for old, n := range pairs(before, after) {
		if err := d.pair(name, old, n); err != nil {
			return err
		}
	}
	return nil
}

// pair writes one file as it is after, where it was old before; either may be
// nil.
func (d *differ) pair(parent string, old, n *node) error {
	if n == nil {
		d.changed++
		return d.write(&tar.Header{Typeflag: tar.TypeReg, Name: path.Join(parent, whiteout+old.name), ModTime: d.when.Fixed})
	}
	name := path.Join(parent, n.name)
	changed := n.changedFrom(old, d.when.Keep)
	if changed {
		d.changed++
	}
	if n.isFolder() {
		return d.subfolder(folder{name, n}, old, changed)
	}
	if _, linked := d.linked[n.identity()]; !changed && !linked {
		return nil
	}
	return d.file(name, n)
}

// subfolder writes a folder if it changed, and what changed in it.
func (d *differ) subfolder(f folder, old *node, changed bool) error {
	depth := len(d.pending)
	d.pending = append(d.pending, f)
	if changed {
		if err := d.flush(); err != nil {
			return err
		}
	}
	err := d.folder(f.name, old.below(), f.node.children)
	// Writing something in it has emptied the list.
	d.pending = d.pending[:min(depth, len(d.pending))]
	return err
}

// file writes what is no folder, once with its content and then as a link.
func (d *differ) file(name string, n *node) error {
	header, err := d.header(name, n)
	if err != nil {
		return err
	}
	if n.links > 1 {
		if first := d.linked[n.identity()]; first != "" {
			return d.write(&tar.Header{
				Typeflag: tar.TypeLink, Name: name, Linkname: first,
				Mode: header.Mode, Uid: header.Uid, Gid: header.Gid, ModTime: header.ModTime,
			})
		}
		d.linked[n.identity()] = name
	}
	if header.Size == 0 {
		return d.write(header)
	}
	file, err := d.open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := d.write(header); err != nil {
		return err
	}
	if err := d.copy(file, header.Size); err != nil {
		return fmt.Errorf("reading %q: %w", name, err)
	}
	return nil
}

// open opens a file to read it. Its folder stays open: the next file is mostly
// beside it, and the way there is long.
func (d *differ) open(name string) (*os.File, error) {
	if parent := path.Dir(name); d.last == nil || parent != d.lastName {
		folder, err := d.root.OpenRoot(parent)
		if err != nil {
			return nil, err
		}
		d.close()
		d.last, d.lastName = folder, parent
	}
	return d.last.Open(path.Base(name))
}

func (d *differ) close() {
	if d.last != nil {
		d.last.Close()
	}
}

// header describes a file as a layer does.
func (d *differ) header(name string, n *node) (*tar.Header, error) {
	if strings.HasPrefix(n.name, whiteout) {
		return nil, &diag.Problem{
			Summary: "A file's name cannot be part of an image",
			Detail: fmt.Sprintf("The command made %q. In a layer of an image, a name that begins with %s says that another file is gone. Rename the file, or remove it in the same RUN.",
				"/"+name, whiteout),
		}
	}
	details := n.details()
	header := &tar.Header{
		Name: name, Linkname: details.link, Mode: int64(n.mode & 0o7777), Uid: int(n.uid), Gid: int(n.gid),
		ModTime: d.when.Fixed,
	}
	if d.when.Keep {
		header.ModTime = time.Unix(n.modified, 0)
	}
	switch n.mode & unix.S_IFMT {
	case unix.S_IFDIR:
		header.Typeflag, header.Name = tar.TypeDir, name+"/"
	case unix.S_IFREG:
		header.Typeflag, header.Size = tar.TypeReg, n.size
	case unix.S_IFLNK:
		header.Typeflag = tar.TypeSymlink
	case unix.S_IFIFO:
		header.Typeflag = tar.TypeFifo
	case unix.S_IFCHR:
		header.Typeflag = tar.TypeChar
	case unix.S_IFBLK:
		header.Typeflag = tar.TypeBlock
	default:
		return nil, fmt.Errorf("%q has the unknown type %o", name, n.mode&unix.S_IFMT)
	}
	header.Devmajor, header.Devminor = int64(unix.Major(n.special)), int64(unix.Minor(n.special))
	if details.capabilities != "" {
		header.PAXRecords = map[string]string{xattrRecord + capabilities: details.capabilities}
	}
	return header, nil
}

// write writes a header, after those of the folders that lead to it.
func (d *differ) write(header *tar.Header) error {
	if err := d.flush(); err != nil {
		return err
	}
	return d.writeHeader(header)
}

// flush writes the folders that lead to where the walk is.
func (d *differ) flush() error {
	for _, f := range d.pending {
		header, err := d.header(f.name, f.node)
		if err != nil {
			return err
		}
		if err := d.writeHeader(header); err != nil {
			return err
		}
	}
	d.pending = d.pending[:0]
	return nil
}

func (d *differ) writeHeader(header *tar.Header) error {
	if err := context.Cause(d.ctx); err != nil {
		return err
	}
	if err := d.tar.WriteHeader(header); err != nil {
		return fmt.Errorf("adding %q: %w", header.Name, err)
	}
	return nil
}

// copy writes the content of a file, of which there must be size bytes. Holes
// are not read: that would fill memory with their zeros.
func (d *differ) copy(file *os.File, size int64) error {
	for at := int64(0); at < size; {
		if err := context.Cause(d.ctx); err != nil {
			return err
		}
		piece := d.buffer[:min(chunk, size-at)]
		if size > chunk && inHole(file, at, int64(len(piece))) {
			clear(piece)
		} else if _, err := file.ReadAt(piece, at); err == io.EOF {
			return errSize
		} else if err != nil {
			return err
		}
		if _, err := d.tar.Write(piece); err != nil {
			return err
		}
		at += int64(len(piece))
	}
	info, err := file.Stat()
	if err == nil && info.Size() != size {
		err = errSize
	}
	return err
}

// inHole reports whether the next n bytes of a file are in a hole. Where the
// file system does not tell, they are not.
func inHole(file *os.File, at, n int64) bool {
	data, err := unix.Seek(int(file.Fd()), at, unix.SEEK_DATA)
	return errors.Is(err, unix.ENXIO) || err == nil && data >= at+n
}
