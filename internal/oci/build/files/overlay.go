package files

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
)

// Lstat implements [View].
func (t *tree) Lstat(ctx context.Context, name string) (Entry, error) {
	n, shows := t.find(name)
	switch {
	case n == t.top && !t.rooted && t.base != nil, n == nil && shows:
		return t.base.Lstat(ctx, name)
	case n == nil:
		return Entry{}, notExist(name)
	case n.kind == tar.TypeLink: // to a file of the base
		e, err := t.base.Lstat(ctx, n.link)
		e.Name = name
		return e, err
	}
	e := Entry{Name: name, Header: n.header()}
	if n.shared {
		e.Same = n
	}
	return e, nil
}

// ReadDir implements [View].
func (t *tree) ReadDir(ctx context.Context, name string) ([]Entry, error) {
	n, shows := t.find(name)
	var entries []Entry
	if shows {
		all, err := t.base.ReadDir(ctx, name)
		if err != nil {
			return nil, err
		}
		for _, e := range all {
			if n == nil || n.below[path.Base(e.Name)] == nil {
				entries = append(entries, e)
			}
		}
	}
	if n == nil {
		if !shows {
			return nil, notExist(name)
		}
		return entries, nil
	}
	if n.kind != tar.TypeDir {
		return nil, fmt.Errorf("reading %q: it is not a folder", name)
	}
	for _, base := range slices.Sorted(maps.Keys(n.below)) {
		if n.below[base].gone {
			continue
		}
		e, err := t.Lstat(ctx, path.Join(name, base))
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	return entries, nil
}

// Open implements [View].
func (t *tree) Open(ctx context.Context, e Entry) (io.ReadCloser, error) {
	n, shows := t.find(e.Name)
	switch {
	case n == nil && shows:
		return t.base.Open(ctx, e)
	case n == nil:
		return nil, notExist(e.Name)
	case n.kind == tar.TypeLink:
		e.Name = n.link
		return t.base.Open(ctx, e)
	case n.body == nil:
		return nil, fmt.Errorf("opening %q: its content is not kept", e.Name)
	}
	return n.body.open(ctx)
}

var _ View = (*tree)(nil)
