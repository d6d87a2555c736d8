package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// keptFiles is what a command shares with its container where it has no mounts
// of its own: files that it may write to, and folders that it may leave
// something in.
type keptFiles struct {
	content map[string][]byte // nil for a file that does not exist
	names   map[string][]string
}

// keepFiles remembers files and the names in folders.
func keepFiles(files []file, folders ...string) (*keptFiles, error) {
	k := &keptFiles{map[string][]byte{}, map[string][]string{}}
	for _, f := range files {
		data, err := os.ReadFile(f.Target)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		k.content[f.Target] = data
	}
	for _, folder := range folders {
		names, err := list(folder)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		k.names[folder] = names
	}
	return k, nil
}

// write gives the files the content that the command is to see.
func (*keptFiles) write(files []file) error {
	for _, f := range files {
		if err := os.WriteFile(f.Target, []byte(f.Content), os.FileMode(f.Mode)); err != nil {
			return fmt.Errorf("writing names of hosts: %w", err)
		}
	}
	return nil
}

// empty remembers files and takes their content away. Links are not followed,
// and what is mounted read-only stays as it is.
func (k *keptFiles) empty(paths []string) error {
	for _, path := range paths {
		info, err := os.Lstat(path)
		if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
			continue // there is nothing to hide, or it was hidden by another name
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("hiding a file of the job: %w", err)
		}
		err = os.Truncate(path, 0)
		if errors.Is(err, unix.EROFS) {
			continue
		}
		if err != nil {
			return fmt.Errorf("hiding a file of the job: %w", err)
		}
		k.content[path] = data
	}
	return nil
}

// restore makes everything as it was.
func (k *keptFiles) restore() error {
	var errs []error
	for path, content := range k.content {
		errs = append(errs, restoreFile(path, content))
	}
	for folder, before := range k.names {
		names, err := list(folder)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
		for _, name := range names {
			if !slices.Contains(before, name) {
				errs = append(errs, os.RemoveAll(filepath.Join(folder, name)))
			}
		}
	}
	return errors.Join(errs...)
}

// restoreFile gives a file its content. It writes through no link that a command
// left there, and keeps what is mounted.
func restoreFile(path string, content []byte) error {
	info, err := os.Lstat(path)
	if content == nil || err == nil && !info.Mode().IsRegular() {
		if err := os.RemoveAll(path); err != nil || content == nil {
			return err
		}
	} else if now, err := os.ReadFile(path); err == nil && bytes.Equal(now, content) {
		return nil
	}
	return os.WriteFile(path, content, 0o644)
}

// lentFile is a file of an image that cannot be moved into its place, since the
// container has one of its own mounted there: the command sees and changes its
// content in that.
type lentFile struct {
	path, image string // where the command sees it, and where the image has it
	content     []byte // that the command was given
}

// lend gives the container's file the content of the image's, if it has one.
func lend(path, image string) (lentFile, error) {
	l := lentFile{path: path, image: image}
	info, err := os.Lstat(image)
	if err == nil && info.Mode().IsRegular() {
		if l.content, err = os.ReadFile(image); err != nil {
			return l, err
		}
		return l, os.WriteFile(path, l.content, 0o644)
	}
	l.content, err = os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return l, err
}

// takeBack gives the image what the command wrote. A link of the image's stays
// one.
func (l lentFile) takeBack() error {
	now, err := os.ReadFile(l.path)
	if err != nil || bytes.Equal(now, l.content) {
		return nil // without the file there is nothing to take
	}
	info, err := os.Lstat(l.image)
	if err == nil && !info.Mode().IsRegular() {
		return nil
	}
	return os.WriteFile(l.image, now, 0o644)
}
