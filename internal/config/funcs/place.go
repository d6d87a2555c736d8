package funcs

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// Place is where a project is. Functions read files below Root only, also
// where symbolic links lead elsewhere.
type Place struct {
	Dir  string // absolute folder of waypoint.hcl
	Root string // absolute folder of the repository; Dir or a folder above it
	Home string // what "~" stands for; "" where there is no home

	TempDir string // where template functions may write; "" for nowhere
}

// Functions returns the functions that depend on the place, by name. They
// remember what they learned of the Git repository.
func (p Place) Functions() map[string]function.Function {
	table := gitFunctions(p.Dir)
	table["abspath"] = pathFunction(p.absolute)
	table["basename"] = pathFunction(filepath.Base)
	table["dirname"] = pathFunction(filepath.Dir)
	table["pathexpand"] = pathFunction(p.expand)
	table["file"] = fileFunction(cty.String, p.text)
	table["filebase64"] = fileFunction(cty.String, p.base64)
	table["fileexists"] = fileFunction(cty.Bool, p.exists)
	table["fileset"] = function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}, {Name: "pattern", Type: cty.String}},
		Type:   function.StaticReturnType(cty.Set(cty.String)),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return p.files(args[0].AsString(), args[1].AsString())
		},
	})
	return table
}

// pathFunction makes a function that computes with a path and reads nothing.
func pathFunction(change func(string) string) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.StringVal(change(args[0].AsString())), nil
		},
	})
}

// fileFunction makes a function of one path.
func fileFunction(returns cty.Type, read func(path string) (cty.Value, error)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}},
		Type:   function.StaticReturnType(returns),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			value, err := read(args[0].AsString())
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			return value, nil
		},
	})
}

// absolute makes a path absolute; a relative one begins at waypoint.hcl.
func (p Place) absolute(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(p.Dir, path)
}

// expand replaces a leading "~".
func (p Place) expand(path string) string {
	if rest, ok := strings.CutPrefix(path, "~"); ok && p.Home != "" && (rest == "" || rest[0] == '/') {
		return p.Home + rest
	}
	return path
}

// text returns the content of a file.
func (p Place) text(path string) (cty.Value, error) {
	content, err := p.read(path)
	if err != nil {
		return cty.NilVal, err
	}
	if !utf8.Valid(content) {
		return cty.NilVal, fmt.Errorf("the file %q is no UTF-8 text; filebase64 reads it", path)
	}
	return cty.StringVal(string(content)), nil
}

// base64 returns the content of a file in base64.
func (p Place) base64(path string) (cty.Value, error) {
	content, err := p.read(path)
	if err != nil {
		return cty.NilVal, err
	}
	return cty.StringVal(base64.StdEncoding.EncodeToString(content)), nil
}

// exists reports whether there is a file at path. Anything else there, such as
// a folder, is an error.
func (p Place) exists(path string) (cty.Value, error) {
	root, name, err := p.open(path)
	if err != nil {
		return cty.NilVal, err
	}
	defer root.Close()
	err = regular(root, name)
	if errors.Is(err, fs.ErrNotExist) {
		return cty.False, nil
	}
	return cty.True, describe(path, err)
}

// read returns the content of a regular file: reading a pipe might never end.
func (p Place) read(path string) ([]byte, error) {
	root, name, err := p.open(path)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if err := regular(root, name); err != nil {
		return nil, describe(path, err)
	}
	content, err := root.ReadFile(name)
	return content, describe(path, err)
}

// files returns the files below folder that match pattern, relative to it.
func (p Place) files(folder, pattern string) (cty.Value, error) {
	if !doublestar.ValidatePattern(pattern) {
		return cty.NilVal, function.NewArgErrorf(1, "the pattern %q is not valid", pattern)
	}
	root, name, err := p.open(folder)
	if err != nil {
		return cty.NilVal, function.NewArgError(0, err)
	}
	defer root.Close()
	below, err := root.OpenRoot(name)
	if errors.Is(err, fs.ErrNotExist) {
		return cty.SetValEmpty(cty.String), nil
	}
	if err != nil {
		return cty.NilVal, function.NewArgError(0, describe(folder, err))
	}
	defer below.Close()
	matches, err := doublestar.Glob(below.FS(), pattern, doublestar.WithFilesOnly(), doublestar.WithNoFollow())
	if err != nil {
		return cty.NilVal, function.NewArgError(1, describe(folder, err))
	}
	if len(matches) == 0 {
		return cty.SetValEmpty(cty.String), nil
	}
	values := make([]cty.Value, len(matches))
	for i, match := range matches {
		values[i] = cty.StringVal(match)
	}
	return cty.SetVal(values), nil
}

// open returns the repository as a root that no path leads out of, and the
// name of path in it. The caller closes the root.
func (p Place) open(path string) (*os.Root, string, error) {
	full := p.expand(path)
	if !filepath.IsAbs(full) {
		return nil, "", fmt.Errorf("the path %q is relative; begin it with ${path.project}/ or ${path.app}/", path)
	}
	name, err := filepath.Rel(p.Root, full)
	if err != nil || !filepath.IsLocal(name) {
		return nil, "", fmt.Errorf("the path %q lies outside of the repository %q, and files are read only inside it", path, p.Root)
	}
	root, err := os.OpenRoot(p.Root)
	if err != nil {
		return nil, "", describe(p.Root, err)
	}
	return root, name, nil
}

// errNotRegular says that there is something else where a file should be.
var errNotRegular = errors.New("it is not a regular file")

// regular checks that name is a regular file.
func regular(root *os.Root, name string) error {
	info, err := root.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		return errNotRegular
	}
	return err
}

// describe names the path in an error, as its author wrote it. A nil error
// stays nil.
func describe(path string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no file %q", path)
	}
	if inner, ok := errors.AsType[*fs.PathError](err); ok {
		err = inner.Err
	}
	return fmt.Errorf("the file %q cannot be read: %w", path, err)
}
