package arch_test

import (
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strconv"
	"strings"
)

const module = "github.com/deploy-action/deploy-action/"

// unit is a package of this module as the rules see it.
type unit struct {
	name  string // its path below internal, or cmd/NAME
	files []file
}

// file is one file of a unit, whichever system and tags it is built for.
type file struct {
	path   string // from the repository's root
	lines  int
	test   bool
	syntax *ast.File
}

// generated reports whether a tool wrote the file.
func (f file) generated() bool { return ast.IsGenerated(f.syntax) }

// imports returns the import paths of the file.
func (f file) imports() []string {
	var paths []string
	for _, spec := range f.syntax.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // the compiler says so better
		}
		paths = append(paths, p)
	}
	return paths
}

// uses reports whether the file imports a package.
func (f file) uses(importPath string) bool {
	return slices.Contains(f.imports(), importPath)
}

// names returns the names that package-level selectors in the file can begin
// with, and the import paths that they stand for.
func (f file) names() map[string]string {
	names := map[string]string{}
	for i, p := range f.imports() {
		name := path.Base(p)
		if alias := f.syntax.Imports[i].Name; alias != nil {
			name = alias.Name
		}
		names[name] = p
	}
	return names
}

// inModule returns the unit that an import path of this module names.
func inModule(importPath string) (name string, ok bool) {
	rest, ok := strings.CutPrefix(importPath, module)
	return strings.TrimPrefix(rest, "internal/"), ok
}

// matches reports whether a unit's name fits a pattern of the table.
func matches(pattern, name string) bool {
	if pattern == "**" {
		return true
	}
	if folder, ok := strings.CutSuffix(pattern, "/**"); ok {
		return name == folder || strings.HasPrefix(name, folder+"/")
	}
	ok, err := path.Match(pattern, name)
	return err == nil && ok
}

// matchesAny reports whether a name fits one of the patterns.
func matchesAny(patterns []string, name string) bool {
	for _, p := range patterns {
		if matches(p, name) {
			return true
		}
	}
	return false
}

// line returns where a node stands, for messages.
func line(files *token.FileSet, f file, node ast.Node) string {
	return f.path + ":" + strconv.Itoa(files.Position(node.Pos()).Line)
}
