package files

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"path"
	"sync"
)

// lazy is a tree that is made when somebody first asks it.
type lazy struct {
	base View
	fill func(ctx context.Context, l *layer) error

	mu   sync.Mutex
	tree *tree // nil until made; only read afterwards
}

// Overlay is base with what entries, as [Plan] makes them, do to it. Files that
// have content can be opened.
func Overlay(base View, entries []Planned) View {
	return &lazy{base: base, fill: func(ctx context.Context, l *layer) error {
		for i := range entries {
			header := entries[i].Header()
			if err := l.add(ctx, &header, entries[i].body); err != nil {
				return fmt.Errorf("reading planned layer: %w", err)
			}
		}
		return nil
	}}
}

// Layers is what the layers of an image hold, lowest first, by their headers:
// scan is called when the view is first asked, and gives each entry and its
// content. Files cannot be opened but those that say who is who. A marker for
// all of a folder has to precede what the same layer puts there.
func Layers(scan func(context.Context, func(*tar.Header, io.Reader) error) error) View {
	return &lazy{fill: func(ctx context.Context, l *layer) error {
		err := scan(ctx, func(header *tar.Header, r io.Reader) error {
			body, err := keptContent(header, r)
			if err != nil {
				return err
			}
			return l.add(ctx, header, body)
		})
		if err != nil {
			return fmt.Errorf("reading base image: %w", err)
		}
		return nil
	}}
}

// maxKept bounds the files that [Layers] keeps.
const maxKept = 10 << 20

// keptContent reads the files that name users and groups. Links may lead to
// them from /etc, so their folder does not count.
func keptContent(header *tar.Header, r io.Reader) (content, error) {
	if !Kept(header) {
		return nil, nil
	}
	var text bytes.Buffer
	if _, err := io.Copy(&text, r); err != nil {
		return nil, err
	}
	return inline(text.String()), nil
}

// Kept reports whether [Layers] keeps the content of a file.
func Kept(header *tar.Header) bool {
	base := path.Base(header.Name)
	return header.Typeflag == tar.TypeReg && (base == "passwd" || base == "group") && header.Size <= maxKept
}

// need returns the tree, made if it is not there.
func (z *lazy) need(ctx context.Context) (*tree, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.tree == nil {
		t := newTree(z.base)
		if err := z.fill(ctx, &layer{tree: t}); err != nil {
			return nil, err
		}
		z.tree = t
	}
	return z.tree, nil
}

// Lstat implements [View].
func (z *lazy) Lstat(ctx context.Context, name string) (Entry, error) {
	t, err := z.need(ctx)
	if err != nil {
		return Entry{}, err
	}
	return t.Lstat(ctx, name)
}

// ReadDir implements [View].
func (z *lazy) ReadDir(ctx context.Context, name string) ([]Entry, error) {
	t, err := z.need(ctx)
	if err != nil {
		return nil, err
	}
	return t.ReadDir(ctx, name)
}

// Open implements [View].
func (z *lazy) Open(ctx context.Context, e Entry) (io.ReadCloser, error) {
	t, err := z.need(ctx)
	if err != nil {
		return nil, err
	}
	return t.Open(ctx, e)
}

var _ View = (*lazy)(nil)
