package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// replace gives the file at path a new content, as a whole or not at all. The
// file keeps its mode and, as far as this user may say so, its owner; a link
// keeps pointing at it. A file that is not to be written stays, though its folder
// would let it be replaced.
func replace(path string, content []byte) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if err := mayWrite(path, info); err != nil {
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

// mayWrite reports why a file cannot be written. One that nobody may write is
// such to root, too.
func mayWrite(path string, info fs.FileInfo) error {
	if info.Mode().Perm()&0o222 == 0 {
		return &fs.PathError{Op: "open", Path: path, Err: fs.ErrPermission}
	}
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return file.Close()
}

// unwritten explains why the file of that name could not be written; unchanged
// is what can be said of the folder then.
func unwritten(name, unchanged string, err error) error {
	if !errors.Is(err, fs.ErrPermission) && !errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("writing %q: %w", name, err)
	}
	return invalid(name+" cannot be written", fmt.Sprintf(
		"The reason is: %v. %s Give this user the right to write the file and its folder, or run it where there is one.", cause(err), unchanged))
}

// cause returns what is behind a path error, for messages that name the path
// themselves.
func cause(err error) error {
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		return pathError.Err
	}
	return err
}
