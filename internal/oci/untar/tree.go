package untar

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"
)

// Markers of the layer format: a file with this prefix says that a lower
// layer's file is gone, and one of this name that all of a folder's are. Other
// names that begin like the latter are notes that old engines left for
// themselves.
const (
	whiteoutPrefix = ".wh."
	whiteoutNote   = ".wh..wh."
	whiteoutOpaque = ".wh..wh..opq"
)

// maxLinks is how many symbolic links one path may lead through, as in Linux.
const maxLinks = 40

// tree is a root folder while one layer is applied to it. It resolves the
// links on the way to a file itself, since an absolute link in an image means
// the image's root; [os.Root] stands behind it and lets nothing out.
type tree struct {
	ctx        context.Context
	root       *os.Root
	privileged bool

	// Growth of sparse files, see [CheckGrowth].
	archive *countingReader
	content int64

	// Paths that this layer has written, with the folders above them: whiteouts
	// are for lower layers only. Of each there is a hash, as a layer may have
	// a million.
	seed    maphash.Seed
	written map[uint64]struct{}

	folders map[string]bool      // paths that are known to be folders
	times   map[string]time.Time // of this layer's folders, set when they are filled

	trail []*folder // those that are open: the root, and each below the one before
	files *contents
}

// newTree begins to apply a layer. The caller calls close in the end.
func newTree(ctx context.Context, root *os.Root, archive *countingReader) (*tree, error) {
	top, err := openFolder(root, ".", ".")
	if err != nil {
		return nil, err
	}
	t := &tree{
		root: root, trail: []*folder{top}, privileged: os.Geteuid() == 0, archive: archive,
		seed: maphash.MakeSeed(), written: map[uint64]struct{}{},
		folders: map[string]bool{".": true}, times: map[string]time.Time{},
	}
	t.files, t.ctx = newContents(ctx)
	return t, nil
}

// close waits for the files that are still written, and returns what went wrong
// with them.
func (t *tree) close() error {
	for _, f := range t.trail {
		f.close()
	}
	return t.files.wait()
}

// apply does what one entry of a layer says.
func (t *tree) apply(header *tar.Header, content io.Reader) error {
	name := clean(header.Name)
	if header.Typeflag == tar.TypeXGlobalHeader || strings.Contains("/"+name, "/"+whiteoutNote) && path.Base(name) != whiteoutOpaque {
		return nil
	}
	if name == "." {
		if header.Typeflag != tar.TypeDir {
			return errors.New("the root can only be a folder")
		}
		top, err := t.enter(".")
		if err != nil {
			return err
		}
		t.times["."] = header.ModTime
		return t.setMetadata(top, ".", header)
	}
	if strings.Contains("/"+path.Dir(name), "/"+whiteoutPrefix) {
		return errors.New("it is in a folder with the name of a whiteout")
	}
	parent, err := t.resolve(path.Dir(name))
	if err != nil {
		return err
	}
	folder, err := t.enter(parent)
	if err != nil {
		return err
	}
	base := path.Base(name)
	if base == whiteoutOpaque {
		return t.hideAll(folder.Root, parent)
	}
	if hidden, ok := strings.CutPrefix(base, whiteoutPrefix); ok {
		if hidden == "" || hidden == "." || hidden == ".." {
			return fmt.Errorf("a layer cannot remove %q", hidden)
		}
		return t.hide(folder.Root, parent, hidden)
	}
	t.mark(path.Join(parent, base))
	return t.write(folder, path.Join(parent, base), header, content)
}

// hideAll removes what lower layers have in a folder.
func (t *tree) hideAll(folder *os.Root, name string) error {
	entries, err := fs.ReadDir(folder.FS(), ".")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := t.hide(folder, name, entry.Name()); err != nil {
			return err
		}
	}
	return nil
}

// hide removes what lower layers have of one entry and below it. What this
// layer has is spared, wherever in the archive the whiteout stands.
func (t *tree) hide(folder *os.Root, parent, base string) error {
	name := path.Join(parent, base)
	if !t.marked(name) {
		return t.remove(folder, base)
	}
	info, err := folder.Lstat(base)
	if err != nil || !info.IsDir() {
		return err
	}
	below, err := folder.OpenRoot(base)
	if err != nil {
		return err
	}
	defer below.Close()
	return t.hideAll(below, name)
}

func (t *tree) mark(name string) {
	for ; name != "." && !t.marked(name); name = path.Dir(name) {
		t.written[maphash.String(t.seed, name)] = struct{}{}
	}
}

func (t *tree) marked(name string) bool {
	_, ok := t.written[maphash.String(t.seed, name)]
	return ok
}

// remove deletes an entry with all below it, if it is there. With a folder may
// go what is known of others.
func (t *tree) remove(folder *os.Root, base string) error {
	info, err := folder.Lstat(base)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return folder.Remove(base)
	}
	err = folder.RemoveAll(base)
	t.folders = map[string]bool{".": true}
	return err
}

// resolve returns the path of a folder without links in it, and makes the
// folders that are missing. Links are followed as if root were "/".
func (t *tree) resolve(name string) (string, error) {
	if t.folders[name] {
		return name, nil
	}
	at, links := ".", 0
	for rest := name; rest != ""; {
		var element string
		element, rest, _ = strings.Cut(rest, "/")
		if element == ".." {
			at = path.Dir(at)
			continue
		}
		next := path.Join(at, element)
		target, err := t.step(next)
		if err != nil {
			return "", err
		}
		if target == "" {
			at = next
			continue
		}
		if links++; links > maxLinks {
			return "", fmt.Errorf("following %q: too many links", name)
		}
		if path.IsAbs(target) {
			at = "."
		}
		rest = target + "/" + rest
	}
	return at, nil
}

// step returns where name leads if it is a link, and otherwise sees to it that
// it is a folder.
func (t *tree) step(name string) (target string, err error) {
	if t.folders[name] {
		return "", nil
	}
	info, err := t.root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = t.root.Mkdir(name, 0o755)
	case err != nil:
		return "", err
	case info.Mode()&fs.ModeSymlink != 0:
		return t.root.Readlink(name)
	case !info.IsDir():
		// A lower layer's file where this one has a folder.
		if err := t.root.Remove(name); err != nil {
			return "", err
		}
		err = t.root.Mkdir(name, 0o755)
	}
	t.folders[name] = err == nil
	return "", err
}

// clean makes a path relative to the root; no number of ".." leads above it.
func clean(name string) string {
	if name = strings.TrimPrefix(path.Clean("/"+name), "/"); name != "" {
		return name
	}
	return "."
}
