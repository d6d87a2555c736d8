package funcs

import (
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"
)

const (
	maxFile   = 10 << 20  // bytes that are read to memory
	maxHashed = 256 << 20 // bytes that are read to be hashed
)

// text returns the content of a file.
func (p *Place) text(path string) (cty.Value, error) {
	content, err := p.read(path, maxFile)
	if err != nil {
		return cty.NilVal, err
	}
	if !utf8.Valid(content) {
		return cty.NilVal, fmt.Errorf("the file %q is no UTF-8 text; filebase64 reads it", path)
	}
	return p.marked(path, cty.StringVal(string(content))), nil
}

// base64 returns the content of a file in base64.
func (p *Place) base64(path string) (cty.Value, error) {
	content, err := p.read(path, maxFile)
	if err != nil {
		return cty.NilVal, err
	}
	return p.marked(path, cty.StringVal(base64.StdEncoding.EncodeToString(content))), nil
}

// digest returns what reads a file and returns its hash as text.
func (p *Place) digest(algorithm func() hash.Hash, write func([]byte) string) func(path string) (cty.Value, error) {
	return func(path string) (cty.Value, error) {
		sum := algorithm()
		if err := p.copy(sum, path, maxHashed); err != nil {
			return cty.NilVal, err
		}
		return p.marked(path, cty.StringVal(write(sum.Sum(nil)))), nil
	}
}

// exists reports whether there is a file at path. Anything else there, such as
// a folder, is an error.
func (p *Place) exists(path string) (cty.Value, error) {
	root, name, err := p.open(path)
	if err != nil {
		return cty.NilVal, err
	}
	defer root.Close()
	_, err = regular(root, name)
	if errors.Is(err, fs.ErrNotExist) {
		return cty.False, nil
	}
	return cty.True, describe(path, err)
}

// read returns the content of a regular file of at most limit bytes.
func (p *Place) read(path string, limit int64) ([]byte, error) {
	root, name, err := p.open(path)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return readFile(root, name, path, limit)
}

// readFile returns the content of a regular file in root of at most limit
// bytes. Messages call it path.
func readFile(root *os.Root, name, path string, limit int64) ([]byte, error) {
	info, err := regular(root, name)
	if err != nil {
		return nil, describe(path, err)
	}
	if info.Size() > limit {
		return nil, tooBig(path, info.Size(), limit)
	}
	content, err := root.ReadFile(name)
	return content, describe(path, err)
}

// copy writes the content of a regular file of at most limit bytes to w.
func (p *Place) copy(w io.Writer, path string, limit int64) error {
	root, name, err := p.open(path)
	if err != nil {
		return err
	}
	defer root.Close()
	info, err := regular(root, name)
	if err != nil {
		return describe(path, err)
	}
	if info.Size() > limit {
		return tooBig(path, info.Size(), limit)
	}
	file, err := root.Open(name)
	if err != nil {
		return describe(path, err)
	}
	defer file.Close()
	_, err = io.Copy(w, io.LimitReader(file, limit))
	return describe(path, err)
}

// open returns the repository, or the folder of rendered files, as a root that
// no path leads out of, and the name of path in it. The caller closes the root.
func (p *Place) open(path string) (*os.Root, string, error) {
	full := p.expand(path)
	if !filepath.IsAbs(full) {
		return nil, "", fmt.Errorf("the path %q is relative; begin it with ${path.project}/ or ${path.app}/", path)
	}
	for _, folder := range []string{p.TempDir, p.Root} {
		if folder == "" {
			continue
		}
		name, err := filepath.Rel(folder, full)
		if err != nil || !filepath.IsLocal(name) {
			continue
		}
		root, err := os.OpenRoot(folder)
		if err != nil {
			return nil, "", describe(folder, err)
		}
		return root, name, nil
	}
	return nil, "", fmt.Errorf("the path %q lies outside of the repository %q, and files are read only inside it", path, p.Root)
}

// errNotRegular says that there is something else where a file should be.
var errNotRegular = errors.New("it is not a regular file")

// regular checks that name is a regular file: reading a pipe might never end.
func regular(root *os.Root, name string) (fs.FileInfo, error) {
	info, err := root.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	return info, err
}

// tooBig says that a file has more bytes than are read.
func tooBig(path string, size, limit int64) error {
	return fmt.Errorf("the file %q has %.1f MB, and at most %d MB are read", path, float64(size)/(1<<20), limit>>20)
}

// describe names the path in an error, as its author wrote it. A nil error
// stays nil.
func describe(path string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no file %q", path)
	}
	if inner, ok := errors.AsType[*fs.PathError](err); ok {
		err = inner.Err
	}
	return fmt.Errorf("the file %q cannot be read: %w", path, err)
}
