package app

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// replace gives the file at path a new content, as a whole or not at all. The
// file keeps its mode and, as far as this user may say so, its owner; a link
// keeps pointing at it.
func replace(path string, content []byte) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name()) // nothing is there any more after the renaming
	if owner, ok := info.Sys().(*syscall.Stat_t); ok {
		_ = temporary.Chown(int(owner.Uid), int(owner.Gid)) // only root can give files away
	}
	_, err = temporary.Write(content)
	err = errors.Join(err, temporary.Chmod(info.Mode().Perm()), temporary.Sync(), temporary.Close())
	if err != nil {
		return err
	}
	return os.Rename(temporary.Name(), path)
}

// cause returns what is behind a path error, for messages that name the path
// themselves.
func cause(err error) error {
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		return pathError.Err
	}
	return err
}
