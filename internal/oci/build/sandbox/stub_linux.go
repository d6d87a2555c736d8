package sandbox

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	securejoin "github.com/cyphar/filepath-securejoin"
)

// folder returns the folder that an absolute path of the image means, without
// links, and makes what is missing of it.
func (m *mounter) folder(target string) (string, error) {
	path, err := m.resolve(target)
	if err != nil {
		return "", err
	}
	return path, m.makeFolders(path)
}

// placeholder is [mounter.folder] for a file.
func (m *mounter) placeholder(target string) (string, error) {
	path, err := m.resolve(target)
	if err != nil {
		return "", err
	}
	switch info, err := os.Lstat(path); {
	case err == nil && info.IsDir():
		return "", errors.New("there is a folder where a file is to be")
	case err == nil:
		return path, nil
	}
	if err := m.makeFolders(filepath.Dir(path)); err != nil {
		return "", err
	}
	return path, m.note(path, func() error { return os.WriteFile(path, nil, 0o644) })
}

// resolve returns the path in the root that target means.
func (m *mounter) resolve(target string) (string, error) {
	path, err := securejoin.SecureJoin(m.root, target)
	if err == nil && path == filepath.Clean(m.root) {
		err = errors.New("it cannot be the root folder")
	}
	return path, err
}

func (m *mounter) makeFolders(path string) error {
	info, err := os.Lstat(path)
	switch {
	case err == nil && !info.IsDir():
		return errors.New("there is no folder where one is to be")
	case err == nil || !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := m.makeFolders(filepath.Dir(path)); err != nil {
		return err
	}
	return m.note(path, func() error { return os.Mkdir(path, 0o755) })
}

// note makes something in the root and remembers it.
func (m *mounter) note(path string, makeIt func() error) error {
	before, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return err
	}
	if err := makeIt(); err != nil {
		return err
	}
	after, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return err
	}
	below, err := filepath.Rel(m.root, path)
	m.made = append(m.made, stub{below, before.ModTime(), after.ModTime()})
	return err
}

// removeStubs removes from dir what was made to mount on, unless the command put
// something else in its place. A folder that has not changed otherwise gets its
// time back.
func removeStubs(dir string, made []stub) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for i := len(made) - 1; i >= 0; i-- {
		s := made[i]
		parent := filepath.Dir(s.Path)
		info, err := root.Stat(parent)
		if err != nil {
			continue // the command moved it, or put a link in its place
		}
		if entry, err := root.Lstat(s.Path); err != nil || !entry.IsDir() && (entry.Size() > 0 || !entry.Mode().IsRegular()) {
			continue
		}
		if root.Remove(s.Path) == nil && info.ModTime().Equal(s.After) {
			if err := root.Chtimes(parent, time.Time{}, s.Before); err != nil {
				return err
			}
		}
	}
	return nil
}
