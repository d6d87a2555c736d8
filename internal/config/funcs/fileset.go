package funcs

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

const (
	maxVisited = 100_000 // files that fileset looks at
	maxPattern = 1_000   // bytes of a pattern
	maxChoices = 1_000   // combinations of the alternatives in a pattern
)

func (p *Place) filesetFunction() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}, {Name: "pattern", Type: cty.String}},
		Type:   function.StaticReturnType(cty.Set(cty.String)),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return p.files(args[0].AsString(), args[1].AsString())
		},
	})
}

// checkPattern bounds the work for each file: {a,b}{c,d} is four patterns.
func checkPattern(args []cty.Value) error {
	if len(args) < 2 {
		return nil
	}
	pattern, choices := text(args[1]), 1
	if len(pattern) > maxPattern {
		return function.NewArgErrorf(1, "a pattern of more than %d bytes is too long", maxPattern)
	}
	for part := range strings.SplitSeq(pattern, "{") {
		choices *= 1 + strings.Count(part, ",")
		if choices > maxChoices {
			return function.NewArgErrorf(1, "the pattern has more than %d combinations of alternatives", maxChoices)
		}
	}
	return nil
}

// files returns the files below folder that match pattern, relative to it.
func (p *Place) files(folder, pattern string) (cty.Value, error) {
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
	visits := &countedFS{FS: below.FS(), left: maxVisited}
	matches, err := doublestar.Glob(visits, pattern, doublestar.WithFilesOnly(), doublestar.WithNoFollow())
	switch {
	case visits.left < 0:
		return cty.NilVal, function.NewArgError(0, fmt.Errorf("the folder %q has more than %d files to look at; name a folder further down", folder, maxVisited))
	case err != nil:
		return cty.NilVal, function.NewArgError(1, describe(folder, err))
	case len(matches) == 0:
		return cty.SetValEmpty(cty.String), nil
	}
	values := make([]cty.Value, len(matches))
	for i, match := range matches {
		values[i] = cty.StringVal(match)
	}
	return cty.SetVal(values), nil
}

// countedFS is a file system that ends once so many files were looked at.
type countedFS struct {
	fs.FS
	left int
}

func (c *countedFS) Open(name string) (fs.File, error) {
	if c.left--; c.left < 0 {
		return nil, fs.ErrNotExist
	}
	return c.FS.Open(name)
}

func (c *countedFS) Stat(name string) (fs.FileInfo, error) {
	if c.left--; c.left < 0 {
		return nil, fs.ErrNotExist
	}
	return fs.Stat(c.FS, name)
}

func (c *countedFS) ReadDir(name string) ([]fs.DirEntry, error) {
	if c.left < 0 {
		return nil, fs.ErrNotExist
	}
	entries, err := fs.ReadDir(c.FS, name)
	c.left -= len(entries) + 1
	return entries, err
}
