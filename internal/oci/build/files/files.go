// Package files plans the layers that COPY, ADD, WORKDIR and here-documents
// make, with the rules of BuildKit's file operations: wildcards, owners, modes,
// links and archives. A layer is a list of entries that is made from views of
// file systems; nothing is unpacked for it and nothing is written but the
// layer's archive. It runs no command and compares no folders: what a RUN
// changed is found elsewhere.
package files

import (
	"archive/tar"
	"context"
	"io"
	"path"
	"strings"
	"time"
)

// View is a file system that is read. Paths are slash-separated and relative to
// its root, which is "."; a view follows no links, [Resolve] does. Views may be
// used concurrently.
type View interface {
	// Lstat describes one file, folder or link. Where there is nothing, the
	// error is fs.ErrNotExist.
	Lstat(ctx context.Context, name string) (Entry, error)

	// ReadDir lists a folder, sorted by name.
	ReadDir(ctx context.Context, name string) ([]Entry, error)

	// Open opens a regular file that Lstat or ReadDir described. That it has
	// changed since is an error, now or while it is read.
	Open(ctx context.Context, e Entry) (io.ReadCloser, error)
}

// Entry is one thing in a [View].
type Entry struct {
	Name   string     // its path in the view
	Header tar.Header // without a name; for a hard link, that of the file
	Same   any        // equal for all names of one file; nil where it has one name
}

// folder reports whether the entry is a folder.
func (e Entry) folder() bool { return e.Header.Typeflag == tar.TypeDir }

// Planned is one entry of a layer. There may be a million, so it keeps no
// header.
type Planned struct {
	name string
	meta meta
	body content // nil for none
}

// Header describes the entry as an archive does.
func (p *Planned) Header() tar.Header {
	h := p.meta.header()
	h.Name = p.name
	return h
}

// Times says which time the entries of a layer get: all the same one, or that
// of each file.
type Times struct {
	Fixed time.Time
	Keep  bool
}

// content is where the bytes of a file come from.
type content interface {
	open(ctx context.Context) (io.ReadCloser, error)
}

// viewed is the content of a file in a view. There may be a million, so it
// keeps no whole [Entry].
type viewed struct {
	view     View
	name     string
	size     int64
	modified time.Time
}

func (v *viewed) open(ctx context.Context) (io.ReadCloser, error) {
	return v.view.Open(ctx, Entry{Name: v.name, Header: tar.Header{Typeflag: tar.TypeReg, Size: v.size, ModTime: v.modified}})
}

// inline is content in memory.
type inline string

func (i inline) open(context.Context) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(string(i))), nil
}

// clean makes a path relative to the root it is meant in; no number of ".."
// leads above that.
func clean(name string) string {
	if name = strings.TrimPrefix(path.Clean("/"+name), "/"); name != "" {
		return name
	}
	return "."
}
