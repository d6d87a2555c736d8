package files

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// tree is what a layer adds to a base, while it grows. It is a [View] of both
// together. Its names have no links in them.
type tree struct {
	base   View // nil for the empty file system
	top    *node
	rooted bool  // top has the rights of the root, not the base
	packed int32 // how many files come from archives
}

// node is one thing in a tree. A file with several names is one node.
type node struct {
	meta
	gone   bool  // nothing is here, whatever the base has
	fresh  bool  // a folder that the base shows nothing in
	covers bool  // the base has a folder here, which is covered
	shared bool  // a file with several names
	order  int32 // place in the archives that are added; 0 is none
	body   content
	below  map[string]*node
}

func newTree(base View) *tree {
	return &tree{base: base, top: &node{meta: meta{kind: tar.TypeDir, mode: 0o755}, fresh: base == nil}}
}

// find returns what the tree itself has at a name, and whether the base counts
// there otherwise.
func (t *tree) find(name string) (n *node, shows bool) {
	n = t.top
	for left := name; left != "" && left != "."; {
		part, rest, _ := strings.Cut(left, "/")
		left = rest
		if n.kind != tar.TypeDir {
			return nil, false
		}
		next := n.below[part]
		if next == nil {
			return nil, !n.fresh
		}
		if n = next; n.gone {
			return nil, false
		}
	}
	return n, n.kind == tar.TypeDir && !n.fresh
}

// folderAt returns the node of a folder that is there. One of the base's is
// repeated with its own rights: engines unpack a layer by itself, where a
// missing folder would be made anew.
func (t *tree) folderAt(ctx context.Context, name string) (*node, error) {
	if n, _ := t.find(name); n != nil && n.kind == tar.TypeDir {
		return n, nil
	}
	e, err := t.Lstat(ctx, name)
	if err != nil {
		return nil, err
	}
	if !e.folder() {
		return nil, invalid("%q is not a folder, so nothing can be in it", "/"+name)
	}
	parent, err := t.folderAt(ctx, path.Dir(name))
	if err != nil {
		return nil, err
	}
	n := &node{meta: metaOf(&e.Header)}
	parent.set(path.Base(name), n)
	return n, nil
}

func (n *node) set(base string, child *node) {
	if n.below == nil {
		n.below = map[string]*node{}
	}
	n.below[strings.Clone(base)] = child // base is mostly a part of a long path
}

// put places n at name, instead of what is there with all below it. The folder
// of name exists.
func (t *tree) put(ctx context.Context, name string, n *node) error {
	base := path.Base(name)
	if strings.HasPrefix(base, whiteout) {
		return invalid("the name %q cannot be in an image: layers use names that begin with %q to say that a file is deleted", "/"+name, whiteout)
	}
	parent, err := t.folderAt(ctx, path.Dir(name))
	if err != nil {
		return err
	}
	if n.covers, err = t.coversFolder(ctx, parent, name); err != nil {
		return err
	}
	n.fresh = n.kind == tar.TypeDir
	parent.set(base, n)
	return nil
}

// coversFolder reports whether the base has a folder at a name in parent.
func (t *tree) coversFolder(ctx context.Context, parent *node, name string) (bool, error) {
	if parent.fresh {
		return false, nil
	}
	if was := parent.below[path.Base(name)]; was != nil {
		return was.covers || was.kind == tar.TypeDir && !was.fresh && !was.gone, nil
	}
	e, there, err := exists(ctx, t.base, name)
	return there && e.folder(), err
}

// folder makes a folder, or gives the one that is there other rights. It is not
// there in place of something else.
func (t *tree) folder(ctx context.Context, name string, m meta) error {
	if name == "." {
		t.top.meta, t.rooted = m, true
		return nil
	}
	e, there, err := exists(ctx, t, name)
	if err != nil {
		return err
	}
	if !there || !e.folder() {
		return t.put(ctx, name, &node{meta: m})
	}
	n, err := t.folderAt(ctx, name)
	if err == nil {
		n.meta = m
	}
	return err
}

// folders makes those folders of a resolved name that are missing.
func (t *tree) folders(ctx context.Context, name string, m meta) error {
	if n, _ := t.find(name); n != nil && n.kind == tar.TypeDir {
		return nil
	}
	e, there, err := exists(ctx, t, name)
	if err != nil || there && e.folder() {
		return err
	}
	if there {
		return invalid("%q is not a folder, so nothing can be in it", "/"+name)
	}
	if err := t.folders(ctx, path.Dir(name), m); err != nil {
		return err
	}
	return t.folder(ctx, name, m)
}

// remove takes away what is at a name, with all below it. Something is.
func (t *tree) remove(ctx context.Context, name string) error {
	parent, err := t.folderAt(ctx, path.Dir(name))
	if err != nil {
		return err
	}
	base, inBase := path.Base(name), false
	if !parent.fresh {
		if _, inBase, err = exists(ctx, t.base, name); err != nil {
			return err
		}
	}
	if !inBase {
		delete(parent.below, base)
		return nil
	}
	covers, err := t.coversFolder(ctx, parent, name)
	if err != nil {
		return err
	}
	parent.set(base, &node{gone: true, covers: covers})
	return nil
}

// link gives a file another name.
func (t *tree) link(ctx context.Context, target, name string) error {
	n, _ := t.find(target)
	if n == nil {
		e, err := t.Lstat(ctx, target)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("linking %q to %q, which is not there", name, target)
		}
		if err != nil {
			return err
		}
		if e.folder() {
			return fmt.Errorf("linking %q to %q, which is a folder", name, target)
		}
		m := metaOf(&e.Header)
		m.kind, m.link, m.size = tar.TypeLink, target, 0
		return t.put(ctx, name, &node{meta: m})
	}
	if n.kind == tar.TypeDir {
		return fmt.Errorf("linking %q to %q, which is a folder", name, target)
	}
	if target == name {
		return nil
	}
	was := n.covers
	if err := t.put(ctx, name, n); err != nil {
		return err
	}
	n.shared, n.covers = true, was || n.covers
	return nil
}
