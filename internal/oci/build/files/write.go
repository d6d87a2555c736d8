package files

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// planned is the tree's own part as the entries of a layer: sorted by name, but
// for the files of added archives, which keep the archive's order so that it is
// read once, and for hard links, whose files have to be there. The tree is empty
// afterwards, so that a million files are not in memory twice.
func (t *tree) planned() []Planned {
	c := collector{entries: make([]Planned, 0, t.top.count())}
	if t.rooted {
		c.entries = append(c.entries, Planned{name: "./", meta: t.top.meta})
	}
	c.collect(t.top, "")
	slices.SortFunc(c.packed, func(a, b packed) int { return int(a.order - b.order) })
	for _, p := range c.packed {
		c.entries = append(c.entries, p.Planned)
	}
	return append(c.entries, c.links...)
}

// collector gathers the entries of a tree.
type collector struct {
	entries []Planned
	packed  []packed
	links   []Planned
	names   map[*node]string // of the files with several names, the first
}

// packed is an entry of an archive.
type packed struct {
	Planned
	order int32
}

// count is how many entries there are below a folder, but for markers.
func (n *node) count() int {
	sum := len(n.below)
	for _, child := range n.below {
		sum += child.count()
	}
	return sum
}

// collect takes what is below a folder.
func (c *collector) collect(folder *node, at string) {
	if folder.fresh && folder.covers {
		c.entries = append(c.entries, marker(path.Join(at, opaque)))
	}
	for _, base := range slices.Sorted(maps.Keys(folder.below)) {
		n, name := folder.below[base], path.Join(at, base)
		switch {
		case n.gone:
			c.entries = append(c.entries, marker(path.Join(at, whiteout+base)))
		case n.kind == tar.TypeDir:
			c.entries = append(c.entries, Planned{name: name + "/", meta: n.meta})
			c.collect(n, name)
		default:
			c.file(n, name)
		}
	}
	folder.below = nil
}

// file takes anything but a folder.
func (c *collector) file(n *node, name string) {
	if first, ok := c.names[n]; ok {
		// With the file's own rights: some engines set them anew.
		m := n.meta
		m.kind, m.link, m.size = tar.TypeLink, first, 0
		c.links = append(c.links, Planned{name: name, meta: m})
		return
	}
	if n.shared {
		if c.names == nil {
			c.names = map[*node]string{}
		}
		c.names[n] = name
	}
	p := Planned{name, n.meta, n.body}
	switch {
	case n.kind == tar.TypeLink:
		c.links = append(c.links, p)
	case n.order > 0:
		c.packed = append(c.packed, packed{p, n.order})
	default:
		c.entries = append(c.entries, p)
	}
}

// marker is an entry that says that something is gone.
func marker(name string) Planned {
	return Planned{name: name, meta: meta{kind: tar.TypeReg}}
}

// Write writes the entries of a layer. It may be called again, and writes the
// same. A file that has changed since it was planned, or vanished, is an error
// that names it.
func Write(ctx context.Context, w *tar.Writer, entries []Planned, when Times) error {
	buffer := make([]byte, chunk)
	for i := range entries {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if err := writeEntry(ctx, w, &entries[i], when, buffer); err != nil {
			return fmt.Errorf("adding %q: %w", entries[i].name, err)
		}
	}
	return nil
}

// chunk is how much of a file is held in memory.
const chunk = 32 << 10

func writeEntry(ctx context.Context, w *tar.Writer, p *Planned, when Times, buffer []byte) error {
	header := p.Header()
	if !when.Keep {
		header.ModTime = when.Fixed
	}
	header.ModTime = header.ModTime.Truncate(time.Second)
	if strings.HasPrefix(path.Base(header.Name), whiteout) {
		header.ModTime = when.Fixed
	}
	if p.body == nil {
		return w.WriteHeader(&header)
	}
	r, err := p.body.open(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := w.WriteHeader(&header); err != nil {
		return err
	}
	// To its end, where the reader notices that the file has changed.
	n, err := io.CopyBuffer(w, r, buffer)
	if errors.Is(err, tar.ErrWriteTooLong) || err == nil && n != header.Size {
		return errors.New("it changed its size while it was read")
	}
	return err
}

// CopyArchive writes the entries of an archive to another. Those that this
// program wrote stay the same, byte for byte.
func CopyArchive(ctx context.Context, to *tar.Writer, from io.Reader) error {
	archive := tar.NewReader(from)
	for {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		header, err := archive.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		header.Mode &= 0o7777 // Docker engine 20.10 repeats the type here
		if err := to.WriteHeader(header); err != nil {
			return err
		}
		if _, err := io.Copy(to, archive); err != nil {
			return err
		}
	}
}
