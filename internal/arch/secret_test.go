package arch_test

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"io/fs"
	"os"
	"strings"
)

// secretErrors finds conversions of a secret.Text to a plain string or to
// bytes, which get past the mask unseen by grep.
//
// It needs types, which are cheap here: what a package imports is read from
// the export data that the build has made anyway, so only this module's own
// files are checked. Errors in types are the compiler's to report; what has no
// type because of one passes.
func secretErrors(files *token.FileSet, u unit, exports map[string]string) []string {
	if u.name == "secret" {
		return nil
	}
	var broken []string
	for _, group := range groups(u) {
		info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
		conf := types.Config{Importer: exportImporter(files, exports), Error: func(error) {}}
		var syntax []*ast.File
		for _, f := range group {
			syntax = append(syntax, f.syntax)
		}
		_, _ = conf.Check(module+"internal/"+u.name, files, syntax, info) // see above
		for _, f := range group {
			ast.Inspect(f.syntax, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok && revealing(call, info) {
					broken = append(broken, fmt.Sprintf("%s: a secret.Text is converted: call Reveal on the line that sends the value", line(files, f, n)))
				}
				return true
			})
		}
	}
	return broken
}

// groups returns the files of a unit by the package that they are compiled in:
// its own, with its tests, and the tests outside of it.
func groups(u unit) map[string][]file {
	byPackage := map[string][]file{}
	for _, f := range u.files {
		name := f.syntax.Name.Name
		byPackage[name] = append(byPackage[name], f)
	}
	return byPackage
}

// revealing reports whether a call is a conversion of a secret.Text to another
// type.
func revealing(call *ast.CallExpr, info *types.Info) bool {
	if len(call.Args) != 1 || !info.Types[call.Fun].IsType() {
		return false
	}
	return isSecret(info.Types[call.Args[0]].Type) && !isSecret(info.Types[call.Fun].Type)
}

// isSecret reports whether a type is secret.Text.
func isSecret(t types.Type) bool {
	named, ok := types.Unalias(t).(*types.Named)
	return ok && named.Obj().Name() == "Text" && named.Obj().Pkg() != nil &&
		strings.HasSuffix(named.Obj().Pkg().Path(), "internal/secret")
}

// exportImporter imports packages from their export data.
func exportImporter(files *token.FileSet, exports map[string]string) types.Importer {
	return importer.ForCompiler(files, "gc", func(importPath string) (io.ReadCloser, error) {
		name, ok := exports[importPath]
		if !ok {
			return nil, fs.ErrNotExist
		}
		return os.Open(name)
	})
}
