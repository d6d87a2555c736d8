package arch_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// The longest files. Beyond that a reader loses the thread.
const (
	longestFile = 400
	longestTest = 600
)

// lengthErrors finds files that are too long.
func lengthErrors(u unit) []string {
	var broken []string
	for _, f := range u.files {
		limit := longestFile
		if f.test {
			limit = longestTest
		}
		if f.lines > limit && !f.generated() {
			broken = append(broken, fmt.Sprintf("%s: %d lines, more than %d: split it by verb or by resource", f.path, f.lines, limit))
		}
	}
	return broken
}

// commentErrors finds packages that do not say what they are for.
func commentErrors(u unit) []string {
	for _, f := range u.files {
		if !f.test && f.syntax.Doc != nil {
			return nil
		}
	}
	return []string{fmt.Sprintf("%s: no package comment: say what it is for and what it deliberately does not do", u.name)}
}

// initErrors finds functions that run before main.
func initErrors(files *token.FileSet, u unit) []string {
	var broken []string
	for _, f := range u.files {
		for _, d := range f.syntax.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				broken = append(broken, line(files, f, fn)+": an init function: plugins and tables are values, and start-up costs every run")
			}
		}
	}
	return broken
}

// callErrors finds calls out of their places. It goes by the names in the
// source: a selector whose left side is an import.
func callErrors(files *token.FileSet, u unit) []string {
	var broken []string
	for _, f := range u.files {
		names := f.names()
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			selector, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			call := qualified(selector, names)
			for _, b := range banned {
				if slices.Contains(b.calls, call) && !b.allows(u, f) {
					broken = append(broken, fmt.Sprintf("%s: %s: %s", line(files, f, n), call, b.why))
				}
			}
			return true
		})
	}
	return broken
}

// allows reports whether a file may make the banned calls.
func (b ban) allows(u unit, f file) bool {
	if b.bubble && f.uses("testing/synctest") {
		return true
	}
	return matchesAny(b.allowed, u.name) || (f.test && !b.tests)
}

// qualified returns a selector as a ban writes it, or "".
func qualified(s *ast.SelectorExpr, names map[string]string) string {
	left, ok := s.X.(*ast.Ident)
	if !ok {
		return ""
	}
	if importPath, ok := names[left.Name]; ok && left.Obj == nil {
		return importPath[strings.LastIndex(importPath, "/")+1:] + "." + s.Sel.Name
	}
	if slices.Contains([]string{"t", "b", "tb"}, left.Name) {
		return "testing." + s.Sel.Name
	}
	return ""
}
