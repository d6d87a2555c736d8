package files

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"
)

// disk reads a folder on disk, and nothing outside it.
type disk struct{ root *os.Root }

// lstat describes one thing. The entry of a socket has no type.
func (d disk) lstat(name string) (Entry, error) {
	info, err := d.root.Lstat(name)
	if errors.Is(err, syscall.ENOTDIR) {
		return Entry{}, notExist(name)
	}
	if err != nil {
		return Entry{}, err
	}
	return describe(d.root, name, name, info)
}

// list names what a folder holds, sorted, as far as keep wants it.
func (d disk) list(name string, keep func(fs.DirEntry) (bool, error)) ([]fs.DirEntry, error) {
	folder, err := d.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	found, err := folder.ReadDir(-1)
	if err != nil {
		return nil, fmt.Errorf("reading %q: %w", name, err)
	}
	kept := found[:0]
	for _, entry := range found {
		wanted, err := keep(entry)
		if err != nil {
			return nil, err
		}
		if wanted {
			kept = append(kept, entry)
		}
	}
	slices.SortFunc(kept, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return kept, nil
}

// describeAll describes what list found in a folder.
func (d disk) describeAll(name string, found []fs.DirEntry) ([]Entry, error) {
	folder, err := d.root.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	entries := make([]Entry, 0, len(found))
	for _, f := range found {
		full := path.Join(name, f.Name())
		info, err := folder.Lstat(f.Name())
		if err != nil {
			return nil, fmt.Errorf("reading %q, which was there a moment ago: %w", full, err)
		}
		e, err := describe(folder, f.Name(), full, info)
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// describe makes the entry full of the thing name in root.
func describe(root *os.Root, name, full string, info fs.FileInfo) (Entry, error) {
	e := Entry{Name: full, Header: tar.Header{Mode: int64(bitsOf(info.Mode())), ModTime: info.ModTime()}}
	addSystem(&e, info)
	var err error
	switch kind := info.Mode().Type(); {
	case kind == 0:
		e.Header.Typeflag, e.Header.Size = tar.TypeReg, info.Size()
		// Only what can be executed can use capabilities.
		if info.Mode()&0o111 != 0 {
			err = addCapability(root, name, &e.Header)
		}
	case kind == fs.ModeDir:
		e.Header.Typeflag, e.Same = tar.TypeDir, nil
	case kind == fs.ModeSymlink:
		e.Header.Typeflag, e.Header.Mode, e.Same = tar.TypeSymlink, 0o777, nil
		e.Header.Linkname, err = root.Readlink(name)
	case kind == fs.ModeNamedPipe:
		e.Header.Typeflag = tar.TypeFifo
	case kind == fs.ModeDevice:
		e.Header.Typeflag = tar.TypeBlock
	case kind == fs.ModeDevice|fs.ModeCharDevice:
		e.Header.Typeflag = tar.TypeChar
	default:
		e.Header.Typeflag = 0
	}
	if err != nil {
		return Entry{}, fmt.Errorf("reading %q: %w", full, err)
	}
	return e, nil
}

// open opens a file that is still as e says.
func (d disk) open(e Entry) (io.ReadCloser, error) {
	// Without O_NONBLOCK, a pipe put in the file's place would stop us.
	file, err := d.root.OpenFile(e.Name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	s := &steady{file: file, name: e.Name, size: e.Header.Size, modified: e.Header.ModTime}
	if err := s.check(); err != nil {
		file.Close()
		return nil, err
	}
	return s, nil
}

// steady reads a file that must not change.
type steady struct {
	file     *os.File
	name     string
	size     int64
	modified time.Time
}

// check compares the file with what it was.
func (s *steady) check() error {
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() != s.size || !info.ModTime().Equal(s.modified) {
		return fmt.Errorf("reading %q: it changed while the image was built", s.name)
	}
	return nil
}

// Read implements [io.Reader].
func (s *steady) Read(p []byte) (int, error) {
	n, err := s.file.Read(p)
	if err == io.EOF {
		if err := s.check(); err != nil {
			return n, err
		}
	}
	return n, err
}

// Close implements [io.Closer].
func (s *steady) Close() error { return s.file.Close() }
