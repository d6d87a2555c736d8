package cache

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/klauspost/compress/gzip"
)

// Visit is called for every entry of a layer, with its content.
type Visit func(*tar.Header, io.Reader) error

// maxIndexed bounds the files whose content an index has.
const maxIndexed = 10 << 20

// Scan calls visit for every entry of a layer, in order. scan does that from
// the layer itself; the first time its headers are kept in the folder, and
// after that they are read from there and scan is not called. Of content, only
// that of files for which keep holds is seen.
func (c *Cache) Scan(ctx context.Context, layer v1.Hash, keep func(*tar.Header) bool, scan func(Visit) error, visit Visit) error {
	if c == nil || c.folder == nil {
		return scan(visit)
	}
	name := c.folder.path(indexesName, layer.Hex)
	if entries, err := readIndex(name); err == nil {
		touch(name)
		return visitAll(ctx, entries, visit)
	}
	return c.folder.index(name, keep, scan, visit)
}

// indexed is an entry of an index.
type indexed struct {
	header  *tar.Header
	content []byte
}

// visitAll visits the entries of an index.
func visitAll(ctx context.Context, entries []indexed, visit Visit) error {
	for _, e := range entries {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if err := visit(e.header, bytes.NewReader(e.content)); err != nil {
			return err
		}
	}
	return nil
}

// readIndex reads a whole index before anything is done with it, so that one
// that is damaged is as good as none.
func readIndex(name string) ([]indexed, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	plain, err := gzip.NewReader(file)
	if err != nil {
		return nil, err
	}
	return readEntries(plain)
}

// readEntries reads an archive of headers to its end.
func readEntries(plain io.Reader) ([]indexed, error) {
	archive := tar.NewReader(plain)
	var entries []indexed
	for {
		header, err := archive.Next()
		if err == io.EOF {
			// To the end, where the checksum is compared.
			_, err = io.Copy(io.Discard, plain)
			return entries, err
		}
		if err != nil {
			return nil, err
		}
		content, err := io.ReadAll(io.LimitReader(archive, maxIndexed))
		if err != nil {
			return nil, err
		}
		entries = append(entries, indexed{header, content})
	}
}

// index scans a layer and writes its index. That it cannot be written harms
// nothing.
func (f *folder) index(name string, keep func(*tar.Header) bool, scan func(Visit) error, visit Visit) error {
	temp, err := os.CreateTemp(f.path(indexesName, ""), newPrefix+"*")
	if err != nil {
		return scan(visit)
	}
	defer os.Remove(temp.Name()) // renamed if all went well
	buffer := bufio.NewWriter(temp)
	zip := gzip.NewWriter(buffer)
	archive := tar.NewWriter(zip)
	var written error
	err = scan(func(header *tar.Header, r io.Reader) error {
		content, err := kept(header, r, keep)
		if err != nil {
			return err
		}
		if written == nil {
			written = add(archive, header, content)
		}
		return visit(header, bytes.NewReader(content))
	})
	written = errors.Join(written, archive.Close(), zip.Close(), buffer.Flush(), temp.Close())
	if err == nil && written == nil {
		_ = os.Rename(temp.Name(), name)
	}
	return err
}

// kept returns the content of an entry that an index has.
func kept(header *tar.Header, r io.Reader, keep func(*tar.Header) bool) ([]byte, error) {
	if !keep(header) || header.Size > maxIndexed {
		return nil, nil
	}
	return io.ReadAll(r)
}

// add writes an entry with the content that is kept of it.
func add(archive *tar.Writer, header *tar.Header, content []byte) error {
	kept := *header
	kept.Format, kept.Size = tar.FormatUnknown, int64(len(content))
	if kept.Typeflag == tar.TypeGNUSparse || kept.Typeflag == tar.TypeCont {
		kept.Typeflag = tar.TypeReg
	}
	if err := archive.WriteHeader(&kept); err != nil {
		return err
	}
	_, err := archive.Write(content)
	return err
}
