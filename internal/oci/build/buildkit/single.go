package buildkit

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"io/fs"

	"github.com/deploy-action/deploy-action/internal/oci/build/files"
)

// single is a folder with one file.
type single struct {
	name    string
	content []byte
}

var _ files.View = single{}

func (s single) entry() files.Entry {
	return files.Entry{Name: s.name, Header: tar.Header{Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(s.content))}}
}

// Lstat implements [files.View].
func (s single) Lstat(_ context.Context, name string) (files.Entry, error) {
	if name != s.name {
		return files.Entry{}, &fs.PathError{Op: "lstat", Path: name, Err: fs.ErrNotExist}
	}
	return s.entry(), nil
}

// ReadDir implements [files.View].
func (s single) ReadDir(context.Context, string) ([]files.Entry, error) {
	return []files.Entry{s.entry()}, nil
}

// Open implements [files.View].
func (s single) Open(context.Context, files.Entry) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(s.content)), nil
}
