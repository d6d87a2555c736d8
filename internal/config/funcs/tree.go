package funcs

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"
)

// maxTree is how many files one folder to render may have.
const maxTree = 10_000

// source is a file of a folder to render.
type source struct {
	name    string // within the folder
	path    string // as messages call it
	content []byte
	mode    fs.FileMode
}

// dir is templatedir.
func (t templates) dir(path string, vars variables) (cty.Value, error) {
	var outputs []output
	known := true
	folders, err := t.place.walk(path, func(string) bool { return true }, func(s source) error {
		if !utf8.Valid(s.content) {
			outputs = append(outputs, output{s.name, string(s.content), t.place.marksOf(s.path), s.mode})
			return nil
		}
		rendered, err := t.render(s.path, string(s.content), vars)
		if err != nil {
			return err
		}
		out, whole, err := newOutput(s.path, rendered)
		if err != nil {
			return err
		}
		known = known && whole
		out.name, out.mode = s.name, s.mode
		maps.Copy(out.marks, t.place.marksOf(s.path))
		outputs = append(outputs, out)
		return nil
	})
	if err != nil || !known {
		return cty.UnknownVal(cty.String), err
	}
	folder, err := t.place.write(folders, outputs)
	return cty.StringVal(folder), err
}

// walk calls visit for each file below the folder at path whose name is wanted,
// and returns the folders below it. A link counts as the file that it leads to,
// within the repository; what is neither file nor folder is an error.
func (p *Place) walk(path string, wanted func(name string) bool, visit func(source) error) (folders []string, err error) {
	if p.TempDir == "" {
		return nil, errNoTempDir
	}
	root, name, err := p.open(path)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := root.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no folder %q", path)
	case err != nil:
		return nil, describe(path, err)
	case !info.IsDir():
		return nil, fmt.Errorf("%q is not a folder", path)
	}
	files := 0
	var total int64
	err = fs.WalkDir(root.FS(), filepath.ToSlash(name), func(found string, entry fs.DirEntry, err error) error {
		below, relErr := filepath.Rel(name, filepath.FromSlash(found))
		full := filepath.Join(p.expand(path), below)
		if err = errors.Join(err, relErr); err != nil {
			return describe(full, err)
		}
		if files++; files > maxTree {
			return fmt.Errorf("the folder %q has more than %d files", path, maxTree)
		}
		if entry.IsDir() {
			folders = append(folders, below)
			return nil
		}
		if !wanted(found) {
			return nil
		}
		s, err := readSource(root, found, full)
		if err != nil {
			return err
		}
		if total += int64(len(s.content)); total > 4*maxFile {
			return fmt.Errorf("the files in the folder %q have more than %d MB", path, 4*maxFile>>20)
		}
		s.name = below
		return visit(s)
	})
	return folders, err
}

// readSource reads a file of a folder to render.
func readSource(root *os.Root, name, path string) (source, error) {
	info, err := root.Stat(name)
	if err != nil {
		return source{}, describe(path, err)
	}
	if info.IsDir() {
		return source{}, fmt.Errorf("the link %q leads to a folder; only links to files are followed", path)
	}
	content, err := readFile(root, name, path, maxFile)
	// A script stays one.
	return source{path: path, content: content, mode: 0o600 | info.Mode()&0o100}, err
}
