package untar

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"syscall"
)

// write makes the entry of that resolved name in folder, in place of what is
// there.
func (t *tree) write(folder *folder, name string, header *tar.Header, content io.Reader) error {
	base := path.Base(name)
	switch header.Typeflag {
	case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse:
		return t.writeFile(folder, base, header, content)
	}
	kept, err := t.makeRoom(folder, base, header.Typeflag == tar.TypeDir)
	if err != nil {
		return err
	}
	switch header.Typeflag {
	case tar.TypeDir:
		t.times[name] = header.ModTime
		if !kept {
			err = folder.Mkdir(base, 0o755)
		}
		t.folders[name] = err == nil
	case tar.TypeSymlink:
		err = folder.Symlink(header.Linkname, base)
	case tar.TypeLink:
		return t.link(name, header.Linkname) // the target has its metadata already
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		made, err := makeNode(folder, base, header)
		if !made || err != nil {
			return err
		}
	default:
		return fmt.Errorf("a layer cannot hold an entry of type %q", header.Typeflag)
	}
	if err != nil {
		return err
	}
	return t.setMetadata(folder, base, header)
}

// makeRoom removes what is at the place of a new entry. Only a folder stays
// where a folder is to be: kept.
func (t *tree) makeRoom(folder *folder, base string, forFolder bool) (kept bool, err error) {
	info, err := folder.Lstat(base)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil || info.IsDir() && forFolder {
		return err == nil, err
	}
	return false, t.remove(folder.Root, base)
}

// link makes a hard link to a file of this or a lower layer.
func (t *tree) link(name, target string) error {
	target = clean(target)
	folder, err := t.resolve(path.Dir(target))
	if err != nil {
		return err
	}
	return t.root.Link(path.Join(folder, path.Base(target)), name)
}

// writeFile makes a regular file, which is filled while the next entries are read.
func (t *tree) writeFile(folder *folder, base string, header *tar.Header, content io.Reader) error {
	file, err := createFile(folder, base)
	if errors.Is(err, fs.ErrExist) {
		if _, err := t.makeRoom(folder, base, false); err != nil {
			return err
		}
		file, err = createFile(folder, base)
	}
	if err != nil {
		return err
	}
	finish := func() error { return t.setFileMetadata(file, header) }
	return t.files.add(file, header.Name, header.Size, content, t.grow, finish)
}

// grow counts what files hold; see [CheckGrowth].
func (t *tree) grow(n int64) error {
	if err := context.Cause(t.ctx); err != nil {
		return err
	}
	t.content += n
	return CheckGrowth(t.archive.read, t.content)
}

// setFileMetadata does as [tree.setMetadata], to an open file.
func (t *tree) setFileMetadata(file *os.File, header *tar.Header) error {
	if err := t.setOwner(func() error { return file.Chown(header.Uid, header.Gid) }); err != nil {
		return err
	}
	if err := file.Chmod(modeOf(header)); err != nil {
		return err
	}
	if t.privileged {
		if err := setFileAttributes(file, header); err != nil {
			return err
		}
	}
	return setFileTime(file, header.ModTime)
}

// setMetadata gives an entry its owner, mode, attributes and time, in this
// order: a change of owner clears bits of the mode, and capabilities. A folder
// gets its time when all is in it.
func (t *tree) setMetadata(folder *folder, base string, header *tar.Header) error {
	if err := t.setOwner(func() error { return folder.Lchown(base, header.Uid, header.Gid) }); err != nil {
		return err
	}
	if header.Typeflag != tar.TypeSymlink { // a link has no mode of its own
		mode := modeOf(header)
		if header.Typeflag == tar.TypeDir && !t.privileged {
			mode |= 0o700 // or else we could not fill it, nor remove it later
		}
		if err := folder.Chmod(base, mode); err != nil {
			return err
		}
	}
	if t.privileged {
		if err := setAttributes(folder, base, header); err != nil {
			return err
		}
	}
	if header.Typeflag == tar.TypeDir {
		return nil
	}
	return setTime(folder, base, header.ModTime)
}

// setOwner calls chown if this process may change owners at all.
func (t *tree) setOwner(chown func() error) error {
	if !t.privileged {
		return nil
	}
	// Root of a user namespace knows few owners but itself.
	if err := chown(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.EPERM) {
		return err
	}
	return nil
}

// setFolderTimes comes last, since writing into a folder changes its time.
func (t *tree) setFolderTimes() error {
	for _, name := range slices.Sorted(maps.Keys(t.times)) { // neighbours one after the other
		folder, err := t.enter(name)
		if err != nil {
			continue // a later entry of the layer took its place
		}
		if err := setFileTime(folder.self, t.times[name]); err != nil {
			return fmt.Errorf("setting the time of %q: %w", name, err)
		}
	}
	return nil
}

func modeOf(header *tar.Header) fs.FileMode {
	return header.FileInfo().Mode() & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)
}
