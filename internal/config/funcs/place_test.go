package funcs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/deploy-action/deploy-action/internal/config/funcs"
)

// newPlace makes a project in a repository with files, and links that lead
// elsewhere.
func newPlace(t testing.TB) *funcs.Place {
	t.Helper()
	top := t.TempDir()
	place := &funcs.Place{
		Dir:     filepath.Join(top, "repository/project"),
		Root:    filepath.Join(top, "repository"),
		Home:    "/home/someone",
		TempDir: filepath.Join(top, "rendered"),
	}
	if err := os.Mkdir(place.TempDir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"repository/project/a.jsonnet":                `function(n) { a: std.extVar("a"), n: n }`,
		"repository/project/json/b.jsonnet":           `{ b: 1 }`,
		"repository/project/json/more/c.jsonnet":      `(import "../b.jsonnet") + { text: importstr "../../hello.txt" }`,
		"repository/project/json/bad.libsonnet":       `import "../../../outside/secret"`,
		"repository/project/json/recursive.libsonnet": `local f(x) = 1 + f(x); f(1)`,
		"repository/project/deep.jsonnet":             strings.Repeat("[", 2000),
		"outside/secret":                              "secret",
		"repository/above.txt":                        "above",
		"repository/project/hello.txt":                "hello\n",
		"repository/project/bytes":                    "\xff",
		"repository/project/below/more.txt":           "more",
		"repository/project/below/other/x.yaml":       "x",
	} {
		write(t, filepath.Join(top, name), content)
	}
	for name, destination := range map[string]string{
		"inner-link":  "hello.txt",
		"outer-link":  "../../outside/secret",
		"folder-link": "../../outside",
	} {
		if err := os.Symlink(destination, filepath.Join(place.Dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return place
}

// evaluate evaluates one expression; the variable here is the project's folder.
func evaluate(place *funcs.Place, source string) (cty.Value, error) {
	expr, diags := hclsyntax.ParseExpression([]byte(source), "test", hcl.InitialPos)
	if diags.HasErrors() {
		return cty.NilVal, diags
	}
	value, diags := expr.Value(contextOf(place))
	if diags.HasErrors() {
		return cty.NilVal, diags
	}
	return value, nil
}

// contextOf returns a context with all functions.
func contextOf(place *funcs.Place) *hcl.EvalContext {
	ctx := (&hcl.EvalContext{Functions: funcs.Standard()}).NewChild()
	ctx.Functions = place.Functions()
	ctx.Variables = map[string]cty.Value{
		"here":    cty.StringVal(place.Dir),
		"unknown": cty.UnknownVal(cty.String),
		"dynamic": cty.DynamicVal,
	}
	templates := place.Templates(ctx)
	ctx = ctx.NewChild()
	ctx.Functions = templates
	return ctx
}

// write writes a file and the folders above it.
func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
