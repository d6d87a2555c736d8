package files

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// tree is a folder whose content is hashed and copied.
type tree struct {
	root *os.Root
	skip string // slash path of a folder in it that is no content; "" for none
}

// openTree opens the folder at path. The folder at exclude is left out where
// it lies inside. The caller closes the tree.
func openTree(path, exclude string) (*tree, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("opening the folder to copy: %w", err)
	}
	relative, err := filepath.Rel(path, exclude)
	if err == nil && relative == "." {
		_ = root.Close() // only read from
		return nil, &diag.Problem{
			Summary: "Folder would be copied into itself",
			Detail:  fmt.Sprintf("The path %q is the very folder to copy. Choose a folder below or beside it.", exclude),
			Attr:    "path",
		}
	}
	t := &tree{root: root}
	if err == nil && filepath.IsLocal(relative) {
		t.skip = filepath.ToSlash(relative)
	}
	return t, nil
}

func (t *tree) close() { _ = t.root.Close() } // only read from

// walk returns the SHA-256 of the folder's content: names, kinds, whether they
// are executable, and bytes, but no times and no owners. Where target is not
// nil, it copies all of it there on the way.
func (t *tree) walk(ctx context.Context, target *os.Root) (digest string, err error) {
	sum := sha256.New()
	err = fs.WalkDir(t.root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if name == "." {
			return nil
		}
		if t.excluded(name, entry) {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		return t.visit(name, entry, sum, target)
	})
	if err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// excluded reports what is never content: version control, which holds a token
// after actions/checkout, our own state, and the copies themselves.
func (t *tree) excluded(name string, entry fs.DirEntry) bool {
	return entry.Name() == ".git" || entry.Name() == ".deploy-action" || name == t.skip
}

// visit hashes one entry and copies it.
func (t *tree) visit(name string, entry fs.DirEntry, sum hash.Hash, target *os.Root) error {
	switch entry.Type() {
	case fs.ModeDir:
		fmt.Fprintf(sum, "folder %q\n", name)
		if target == nil {
			return nil
		}
		return target.Mkdir(name, 0o755)
	case fs.ModeSymlink:
		return t.visitLink(name, sum, target)
	case 0:
		return t.visitFile(name, sum, target)
	}
	return &diag.Problem{
		Summary: "Special file cannot be copied",
		Detail:  fmt.Sprintf("%q is neither a file, a folder nor a link. Remove it before the build.", name),
	}
}

func (t *tree) visitLink(name string, sum hash.Hash, target *os.Root) error {
	link, err := t.root.Readlink(name)
	if err != nil {
		return err
	}
	if path.IsAbs(link) || !filepath.IsLocal(filepath.FromSlash(path.Join(path.Dir(name), link))) {
		return &diag.Problem{
			Summary: "Link leads out of the folder",
			Detail: fmt.Sprintf("%q points to %q, which would not be in the copy. "+
				"Replace the link by what it points to.", name, link),
		}
	}
	fmt.Fprintf(sum, "link %q %q\n", name, link)
	if target == nil {
		return nil
	}
	return target.Symlink(link, name)
}

func (t *tree) visitFile(name string, sum hash.Hash, target *os.Root) error {
	source, err := t.root.Open(name)
	if err != nil {
		return err
	}
	defer source.Close()
	info, err := source.Stat()
	if err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if info.Mode()&0o111 != 0 {
		mode = 0o755
	}
	fmt.Fprintf(sum, "file %q %o %d\n", name, mode, info.Size())
	// The header says how many bytes follow, so exactly that many do, even if
	// the file grows now.
	content := io.LimitReader(source, info.Size())
	if target == nil {
		_, err = io.Copy(sum, content)
		return err
	}
	copied, err := target.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.MultiWriter(sum, copied), content)
	if closeErr := copied.Close(); err == nil {
		err = closeErr
	}
	return err
}
