package files

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// folderView is a folder as it is, owners and devices included.
type folderView struct{ disk disk }

// Folder is an unpacked root or another folder that nothing is hidden of.
// Sockets are left out, since no layer can hold one. It keeps dir open until
// the view is garbage.
func Folder(dir string) (View, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening folder: %w", err)
	}
	return &folderView{disk{root}}, nil
}

// Lstat implements [View].
func (f *folderView) Lstat(_ context.Context, name string) (Entry, error) {
	e, err := f.disk.lstat(name)
	if err == nil && e.Header.Typeflag == 0 {
		return Entry{}, notExist(name)
	}
	return e, err
}

// ReadDir implements [View].
func (f *folderView) ReadDir(ctx context.Context, name string) ([]Entry, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	found, err := f.disk.list(name, func(e fs.DirEntry) (bool, error) { return e.Type()&fs.ModeSocket == 0, nil })
	if err != nil {
		return nil, err
	}
	return f.disk.describeAll(name, found)
}

// Open implements [View].
func (f *folderView) Open(_ context.Context, e Entry) (io.ReadCloser, error) { return f.disk.open(e) }

var _ View = (*folderView)(nil)
