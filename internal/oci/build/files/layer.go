package files

import (
	"archive/tar"
	"context"
	"path"
	"strings"
)

// Markers of the layer format: a file with this prefix says that a lower
// layer's file is gone, and one of this name that all of a folder's are.
const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
)

// layer puts the entries of a layer into a tree, whatever paths they have.
type layer struct {
	tree *tree

	// The folder of the last entry, as written and resolved: the next one is
	// mostly beside it.
	written, folder string
}

// add does what one entry says.
func (l *layer) add(ctx context.Context, header *tar.Header, body content) error {
	if err := checkLength(header); err != nil {
		return err
	}
	name := clean(header.Name)
	if header.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	if name == "." {
		return l.tree.folder(ctx, name, metaOf(header))
	}
	folder, err := l.enter(ctx, path.Dir(name))
	if err != nil {
		return err
	}
	base := path.Base(name)
	if hidden, ok := strings.CutPrefix(base, whiteout); ok {
		return l.whiteout(ctx, folder, base, hidden)
	}
	at := path.Join(folder, base)
	m := metaOf(header)
	switch m.kind {
	case tar.TypeDir:
		return l.tree.folder(ctx, at, m)
	case tar.TypeLink:
		target, err := resolveParent(ctx, l.tree, m.link)
		if err != nil {
			return err
		}
		return l.tree.link(ctx, target, at)
	}
	l.forget(at)
	return l.tree.put(ctx, at, &node{meta: m, body: body})
}

// enter resolves a folder and makes it if it is missing. A lower layer's file
// gives way to it.
func (l *layer) enter(ctx context.Context, name string) (string, error) {
	if l.folder != "" && l.written == name {
		return l.folder, nil
	}
	resolved, err := Resolve(ctx, l.tree, name)
	if err != nil {
		return "", err
	}
	at := "."
	for part := range strings.SplitSeq(resolved, "/") {
		at = path.Join(at, part)
		e, there, err := exists(ctx, l.tree, at)
		if err != nil {
			return "", err
		}
		if !there || !e.folder() {
			if err := l.tree.folder(ctx, at, newFolder(0o755, owner{}, 0)); err != nil {
				return "", err
			}
		}
	}
	l.written, l.folder = name, resolved
	return resolved, nil
}

// forget lets the known folder go if it can be gone or be another.
func (l *layer) forget(name string) {
	if l.folder == name || strings.HasPrefix(l.folder, name+"/") || strings.HasPrefix(l.written+"/", name+"/") {
		l.written, l.folder = "", ""
	}
}

// whiteout takes away what lower layers have: one entry of a folder, or all.
func (l *layer) whiteout(ctx context.Context, folder, base, hidden string) error {
	if base == opaque {
		n, err := l.tree.folderAt(ctx, folder)
		if err != nil {
			return err
		}
		n.below, n.covers, n.fresh = nil, n.covers || !n.fresh, true
		l.written, l.folder = "", ""
		return nil
	}
	if hidden == "" || hidden == "." || hidden == ".." || strings.HasPrefix(hidden, whiteout) {
		return nil // says nothing of a file, and must not climb
	}
	name := path.Join(folder, hidden)
	l.forget(name)
	if _, there, err := exists(ctx, l.tree, name); err != nil || !there {
		return err
	}
	return l.tree.remove(ctx, name)
}
