package arch_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// TestRules holds the whole module against every rule.
func TestRules(t *testing.T) {
	t.Parallel()
	files := token.NewFileSet()
	units, exports := load(t, files, "./internal/...", "./cmd/...")
	rules := map[string]func() []string{
		"imports":     func() []string { return each(units, importErrors) },
		"confinement": func() []string { return confinementErrors(units) },
		"length":      func() []string { return each(units, lengthErrors) },
		"comments":    func() []string { return each(units, commentErrors) },
		"init": func() []string {
			return each(units, func(u unit) []string { return initErrors(files, u) })
		},
		"calls": func() []string {
			return each(units, func(u unit) []string { return callErrors(files, u) })
		},
		"secrets": func() []string {
			return each(units, func(u unit) []string { return secretErrors(files, u, exports) })
		},
		"plugins": func() []string { return pluginErrors(units) },
	}
	for name, broken := range rules {
		t.Run(name, func(t *testing.T) {
			for _, message := range broken() {
				t.Error(message)
			}
		})
	}
}

// each collects what a rule finds in every unit.
func each(units []unit, rule func(unit) []string) []string {
	var broken []string
	for _, u := range units {
		broken = append(broken, rule(u)...)
	}
	return broken
}

// listed is what go list says of a package.
type listed struct {
	ImportPath, Dir, Export string
	DepOnly                 bool

	GoFiles, CgoFiles, IgnoredGoFiles, TestGoFiles, XTestGoFiles []string
}

// load reads packages of the module, with the files for other systems and tags,
// and says where the export data of everything that they import is.
func load(t *testing.T, files *token.FileSet, patterns ...string) (units []unit, exports map[string]string) {
	t.Helper()
	args := []string{
		"list", "-e", "-deps", "-export",
		"-json=ImportPath,Dir,Export,DepOnly,GoFiles,CgoFiles,IgnoredGoFiles,TestGoFiles,XTestGoFiles",
	}
	cmd := exec.CommandContext(t.Context(), "go", append(args, patterns...)...)
	cmd.Dir = root
	cmd.Stderr = io.Discard // a package that does not compile is not this test's matter
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("running go list: %v", err)
	}
	exports = map[string]string{}
	decoder := json.NewDecoder(bytes.NewReader(output))
	for {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return units, exports
		} else if err != nil {
			t.Fatal(err)
		}
		if p.Export != "" {
			exports[p.ImportPath] = p.Export
		}
		if name, ours := inModule(p.ImportPath); ours && !p.DepOnly {
			u := unit{name: name}
			for _, name := range slices.Concat(p.GoFiles, p.CgoFiles, p.IgnoredGoFiles, p.TestGoFiles, p.XTestGoFiles) {
				u.files = append(u.files, read(t, files, filepath.Join(p.Dir, name)))
			}
			units = append(units, u)
		}
	}
}

// read parses one file of the module.
func read(t *testing.T, files *token.FileSet, name string) file {
	t.Helper()
	source, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	base, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	short, err := filepath.Rel(base, name)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, files, filepath.ToSlash(short), string(source))
}

// parse makes a file of its source.
func parse(t *testing.T, files *token.FileSet, name, source string) file {
	t.Helper()
	syntax, err := parser.ParseFile(files, name, source, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	return file{name, strings.Count(source, "\n"), strings.HasSuffix(name, "_test.go"), syntax}
}

// pluginErrors compares the list of built-in plugins with the folders of
// plugins, both ways, and wants it in alphabetical order.
func pluginErrors(units []unit) []string {
	folders := map[string]bool{}
	var list []string
	found := false
	for _, u := range units {
		if folder, ok := strings.CutPrefix(u.name, "plugin/"); ok && !strings.Contains(folder, "/") {
			folders[folder] = true
		}
		if u.name == "builtin" {
			found = true
			list = listedPlugins(u)
		}
	}
	if !found {
		return []string{"builtin: the package is missing"}
	}
	var broken []string
	for _, name := range list {
		if !folders[name] {
			broken = append(broken, "builtin lists plugin/"+name+", which does not exist")
		}
		delete(folders, name)
	}
	for name := range folders {
		broken = append(broken, "builtin does not list plugin/"+name+": add its line")
	}
	if !slices.IsSorted(list) {
		broken = append(broken, "builtin lists the plugins as "+strings.Join(list, " ")+": sort them")
	}
	return broken
}

// listedPlugins returns the packages whose Plugin stands in the list, in its
// order.
func listedPlugins(u unit) []string {
	var list []string
	for _, f := range u.files {
		if f.test {
			continue
		}
		names := f.names()
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "Plugin" {
				if left, ok := s.X.(*ast.Ident); ok {
					if to, ours := inModule(names[left.Name]); ours && strings.HasPrefix(to, "plugin/") {
						list = append(list, strings.TrimPrefix(to, "plugin/"))
					}
				}
			}
			return true
		})
	}
	return list
}
