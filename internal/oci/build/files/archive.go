package files

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/bzip2"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// compressions are what ADD unpacks, by their first bytes.
var compressions = []struct {
	magic string
	open  func(*bufio.Reader) (io.ReadCloser, error)
}{
	{"\x1f\x8b\x08", func(r *bufio.Reader) (io.ReadCloser, error) { return gzip.NewReader(r) }},
	{"BZh", func(r *bufio.Reader) (io.ReadCloser, error) { return io.NopCloser(bzip2.NewReader(r)), nil }},
	{"\x28\xb5\x2f\xfd", func(r *bufio.Reader) (io.ReadCloser, error) {
		decoder, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		return decoder.IOReadCloser(), nil
	}},
	{xzMagic, openXZ},
}

// unpack puts the content of an archive into the target, where the source is
// one. Its owners and modes count, and --chown, but not --chmod.
func (c *copier) unpack(ctx context.Context, name string) (done bool, err error) {
	source, err := Resolve(ctx, c.from, name)
	if err != nil {
		return false, err
	}
	e, err := c.from.Lstat(ctx, source)
	if errors.Is(err, fs.ErrNotExist) || err == nil && e.Header.Typeflag != tar.TypeReg {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	a := &archive{file: &viewed{view: c.from, name: source, size: e.Header.Size, modified: e.Header.ModTime}}
	isArchive, err := a.recognize(ctx)
	if special, ok := errors.AsType[*xzError](err); ok {
		return false, invalid("ADD %q: the file is compressed with xz in a way that is not unpacked: %s. Compress it with gzip, zstd or xz's own settings, or COPY it as it is", name, special.why)
	}
	if err != nil || !isArchive {
		return false, err
	}
	root, err := Resolve(ctx, c.to, c.action.Dest)
	if err != nil {
		return false, err
	}
	var who owner
	if c.who != nil {
		who = *c.who
	}
	if err := c.to.folders(ctx, root, newFolder(0o755, who, c.now)); err != nil {
		return false, err
	}
	if err := c.extract(ctx, a, root); err != nil {
		return false, fmt.Errorf("unpacking %q: %w", name, err)
	}
	return true, nil
}

// extract plans every entry of an archive below root.
func (c *copier) extract(ctx context.Context, a *archive, root string) error {
	s, err := a.start(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	for {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		header, err := s.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := c.extractEntry(ctx, a, s.at, header, root); err != nil {
			return err
		}
	}
}

// extractEntry plans one entry. Links in paths are followed as if root were
// "/", and names do not lead out of it.
func (c *copier) extractEntry(ctx context.Context, a *archive, number int, header *tar.Header, root string) error {
	if err := checkLength(header); err != nil {
		return err
	}
	name := clean(header.Name)
	if name == "." || header.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	parent, err := resolveIn(ctx, c.to, root, path.Dir(name))
	if err != nil {
		return err
	}
	if err := c.to.folders(ctx, parent, newFolder(0o755, owner{}, c.now)); err != nil {
		return err
	}
	target := path.Join(parent, path.Base(name))
	m := metaOf(header)
	if c.who != nil {
		m.uid, m.gid = c.who.uid, c.who.gid
	}
	switch m.kind {
	case tar.TypeDir:
		return c.to.folder(ctx, target, m)
	case tar.TypeReg:
		a.last = number
		c.to.packed++
		return c.to.put(ctx, target, &node{meta: m, order: c.to.packed, body: &member{a, number, m.size}})
	case tar.TypeLink:
		linked := clean(m.link)
		folder, err := resolveIn(ctx, c.to, root, path.Dir(linked))
		if err != nil {
			return err
		}
		return c.to.link(ctx, path.Join(folder, path.Base(linked)), target)
	case tar.TypeSymlink, tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		return c.to.put(ctx, target, &node{meta: m})
	}
	return fmt.Errorf("an image cannot hold the entry %q of type %q", header.Name, header.Typeflag)
}

// recognize reports whether the file is an archive: compressed or not, it begins
// with the header of an entry.
func (a *archive) recognize(ctx context.Context) (bool, error) {
	file, err := a.file.open(ctx)
	if err != nil {
		return false, err
	}
	defer file.Close()
	plain, err := decompress(file)
	if _, special := errors.AsType[*xzError](err); special {
		return false, err
	}
	if err != nil {
		return false, nil // only looks like one, and is copied as it is
	}
	defer plain.Close()
	_, err = tar.NewReader(plain).Next()
	return err == nil, nil
}

// decompress reads compressed or plain data, told apart by their first bytes.
func decompress(r io.Reader) (io.ReadCloser, error) {
	counter := &countingReader{from: r}
	buffered := bufio.NewReaderSize(counter, 64<<10)
	first, err := buffered.Peek(6)
	if err != nil && err != io.EOF {
		return nil, err
	}
	for _, c := range compressions {
		if !bytes.HasPrefix(first, []byte(c.magic)) {
			continue
		}
		plain, err := c.open(buffered)
		if err != nil {
			return nil, err
		}
		return &boundedReader{ReadCloser: plain, compressed: counter}, nil
	}
	return io.NopCloser(buffered), nil
}
