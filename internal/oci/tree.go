package oci

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"time"
)

// Markers of the layer format: a file with this prefix says that a lower
// layer's file is gone, and one of this name that all of a folder's are.
const (
	whiteoutPrefix = ".wh."
	whiteoutOpaque = ".wh..wh..opq"
)

// maxLinks is how many symbolic links one path may lead through, as in Linux.
const maxLinks = 40

// tree is a root folder while one layer is applied to it. It resolves the
// links on the way to a file itself, since an absolute link in an image means
// the image's root; [os.Root] stands behind it and lets nothing out.
type tree struct {
	root       *os.Root
	privileged bool
	written    map[string]bool // paths of this layer, so that an opaque marker spares them

	// The folder of the last entry stays open: the next one is mostly beside it.
	folder     *os.Root
	folderName string
}

func newTree(root *os.Root) *tree {
	return &tree{root: root, privileged: os.Geteuid() == 0, written: map[string]bool{}}
}

func (t *tree) close() {
	if t.folder != nil {
		t.folder.Close()
	}
}

// apply does what one entry of a layer says.
func (t *tree) apply(header *tar.Header, content io.Reader) error {
	name := clean(header.Name)
	if name == "." {
		if header.Typeflag != tar.TypeDir {
			return errors.New("the root can only be a folder")
		}
		return t.setMetadata(t.root, ".", header)
	}
	parent, err := t.resolve(path.Dir(name), 0)
	if err != nil {
		return err
	}
	base := path.Base(name)
	if strings.HasPrefix(base, whiteoutPrefix) {
		return t.whiteout(parent, base)
	}
	folder, err := t.enter(parent)
	if err != nil {
		return err
	}
	t.written[path.Join(parent, base)] = true
	return t.write(folder, base, header, content)
}

// write makes the entry base in folder, in place of what is there.
func (t *tree) write(folder *os.Root, base string, header *tar.Header, content io.Reader) error {
	if info, err := folder.Lstat(base); err == nil && !(info.IsDir() && header.Typeflag == tar.TypeDir) {
		if err := t.remove(folder, base); err != nil {
			return err
		}
	}
	switch header.Typeflag {
	case tar.TypeDir:
		if err := folder.Mkdir(base, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	case tar.TypeReg:
		if err := writeContent(folder, base, content); err != nil {
			return err
		}
	case tar.TypeSymlink:
		if err := folder.Symlink(header.Linkname, base); err != nil {
			return err
		}
	case tar.TypeLink:
		// The target has its metadata already.
		return t.link(header)
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		if made, err := makeNode(folder, base, header); !made || err != nil {
			return err
		}
	case tar.TypeXGlobalHeader:
		return nil
	default:
		return fmt.Errorf("a layer cannot hold an entry of type %q", header.Typeflag)
	}
	return t.setMetadata(folder, base, header)
}

func writeContent(folder *os.Root, base string, content io.Reader) error {
	file, err := folder.OpenFile(base, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(file, content); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}

// link makes a hard link to a file of this or a lower layer.
func (t *tree) link(header *tar.Header) error {
	target, name := clean(header.Linkname), clean(header.Name)
	targetDir, err := t.resolve(path.Dir(target), 0)
	if err != nil {
		return err
	}
	nameDir, err := t.resolve(path.Dir(name), 0)
	if err != nil {
		return err
	}
	return t.root.Link(path.Join(targetDir, path.Base(target)), path.Join(nameDir, path.Base(name)))
}

// setMetadata gives an entry its owner, mode, attributes and time, in this
// order: a change of owner would clear bits of the mode.
func (t *tree) setMetadata(folder *os.Root, base string, header *tar.Header) error {
	if t.privileged {
		err := folder.Lchown(base, header.Uid, header.Gid)
		// Root of a user namespace knows few owners but itself.
		if err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.EPERM) {
			return err
		}
	}
	if header.Typeflag == tar.TypeSymlink {
		return nil // a link has no mode of its own, and its time is of no use
	}
	mode := header.FileInfo().Mode() & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)
	if header.Typeflag == tar.TypeDir && !t.privileged {
		mode |= 0o700 // or else we could not fill it, nor remove it later
	}
	if err := folder.Chmod(base, mode); err != nil {
		return err
	}
	if t.privileged {
		if err := setAttributes(folder, base, header); err != nil {
			return err
		}
	}
	if header.Typeflag == tar.TypeReg && !header.ModTime.IsZero() {
		return folder.Chtimes(base, time.Time{}, header.ModTime)
	}
	return nil
}

// whiteout removes what lower layers have: one entry of a folder, or all.
func (t *tree) whiteout(parent, base string) error {
	folder, err := t.enter(parent)
	if err != nil {
		return err
	}
	if base != whiteoutOpaque {
		return t.remove(folder, strings.TrimPrefix(base, whiteoutPrefix))
	}
	entries, err := fs.ReadDir(folder.FS(), ".")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if t.written[path.Join(parent, entry.Name())] {
			continue
		}
		if err := t.remove(folder, entry.Name()); err != nil {
			return err
		}
	}
	return nil
}

// remove deletes an entry with all below it. The folder kept open may be among
// that, so it is let go.
func (t *tree) remove(folder *os.Root, base string) error {
	if base == "" || base == "." || base == ".." {
		return fmt.Errorf("a layer cannot remove %q", base)
	}
	err := folder.RemoveAll(base)
	if t.folder != nil && folder != t.folder {
		t.folder.Close()
		t.folder, t.folderName = nil, ""
	}
	return err
}

// enter opens a folder whose name is resolved, and keeps it open.
func (t *tree) enter(name string) (*os.Root, error) {
	if t.folder != nil && t.folderName == name {
		return t.folder, nil
	}
	folder, err := t.root.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	t.close()
	t.folder, t.folderName = folder, name
	return folder, nil
}

// resolve returns the path of a folder without links in it, and makes the
// folders that are missing. Links are followed as if root were "/".
func (t *tree) resolve(name string, links int) (string, error) {
	if name == t.folderName && t.folder != nil || name == "." {
		return name, nil
	}
	parent, err := t.resolve(path.Dir(name), links)
	if err != nil {
		return "", err
	}
	resolved := path.Join(parent, path.Base(name))
	info, err := t.root.Lstat(resolved)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return resolved, t.root.Mkdir(resolved, 0o755)
	case err != nil:
		return "", err
	case info.IsDir():
		return resolved, nil
	case info.Mode()&fs.ModeSymlink == 0:
		// A lower layer's file where this one has a folder.
		if err := t.root.Remove(resolved); err != nil {
			return "", err
		}
		return resolved, t.root.Mkdir(resolved, 0o755)
	case links == maxLinks:
		return "", fmt.Errorf("following %q: too many links", name)
	}
	target, err := t.root.Readlink(resolved)
	if err != nil {
		return "", err
	}
	if !path.IsAbs(target) {
		target = path.Join("/", parent, target)
	}
	return t.resolve(clean(target), links+1)
}

// clean makes a path relative to the root; no number of ".." leads above it.
func clean(name string) string {
	if name = strings.TrimPrefix(path.Clean("/"+name), "/"); name != "" {
		return name
	}
	return "."
}
