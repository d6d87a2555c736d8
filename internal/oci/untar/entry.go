package untar

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"
	"time"
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

// writeFile makes a regular file. A descriptor is at hand then, which saves
// looking the name up again for each piece of metadata.
func (t *tree) writeFile(folder *folder, base string, header *tar.Header, content io.Reader) error {
	const flags = os.O_CREATE | os.O_EXCL | os.O_WRONLY
	file, err := folder.OpenFile(base, flags, 0o600)
	if errors.Is(err, fs.ErrExist) {
		if _, err := t.makeRoom(folder, base, false); err != nil {
			return err
		}
		file, err = folder.OpenFile(base, flags, 0o600)
	}
	if err != nil {
		return err
	}
	if err := t.writeContent(file, content, header.Size); err != nil {
		file.Close()
		return err
	}
	err = t.setOwner(func() error { return file.Chown(header.Uid, header.Gid) })
	if err == nil {
		err = file.Chmod(modeOf(header))
	}
	if err == nil && t.privileged {
		err = setAttributes(folder, base, header)
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	return setTime(folder, base, header.ModTime)
}

// writeContent copies the content of a file. Long stretches of zeros become
// holes, so that a large empty file takes no room.
func (t *tree) writeContent(file *os.File, content io.Reader, size int64) error {
	hole := false
	for left := size; left > 0; {
		if err := context.Cause(t.ctx); err != nil {
			return err
		}
		piece := t.buffer[:min(left, chunk)]
		if _, err := io.ReadFull(content, piece); err != nil {
			return err
		}
		left -= int64(len(piece))
		t.content += int64(len(piece))
		if err := CheckGrowth(t.archive.read, t.content); err != nil {
			return err
		}
		if hole = bytes.Equal(piece, t.zeros); hole {
			if _, err := file.Seek(int64(len(piece)), io.SeekCurrent); err != nil {
				return err
			}
			continue
		}
		if _, err := file.Write(piece); err != nil {
			return err
		}
	}
	if hole {
		return file.Truncate(size)
	}
	return nil
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
	for name, when := range t.times {
		info, err := t.root.Lstat(name)
		if err != nil || !info.IsDir() {
			continue // a later entry of the layer took its place
		}
		if err := t.root.Chtimes(name, time.Time{}, when); err != nil {
			return fmt.Errorf("setting the time of %q: %w", name, err)
		}
	}
	return nil
}

func modeOf(header *tar.Header) fs.FileMode {
	return header.FileInfo().Mode() & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)
}
