package config

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/deploy-action/deploy-action/internal/config/bounded"
)

// badSettingName says why no value of that kind can have a name, or nil. A
// process has no variable without a name or with "=" in it; files lie beside
// the app, or at an absolute path of what it runs in.
func badSettingName(kind, name string) *hcl.Diagnostic {
	problem := ""
	switch {
	case kind == "env" && (name == "" || strings.ContainsAny(name, "=\x00")):
		problem = fmt.Sprintf("The name %q cannot be that of an environment variable: a name is not empty, and holds no \"=\". Rename it.", name)
	case kind == "file" && !deliverable(name):
		problem = fmt.Sprintf("The name %q cannot be that of a file: it is a path relative to the folder in which the app runs, or an absolute one, and leads nowhere else with \"..\". Write one such as \"settings/app.ini\".", name)
	default:
		return nil
	}
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Invalid name of a value", Detail: problem}
}

// deliverable reports whether a path can be that of a file of settings.
func deliverable(name string) bool {
	if name == "" || strings.Contains(name, "\x00") || strings.HasSuffix(name, "/") || path.Base(name) == "." {
		return false
	}
	if path.IsAbs(name) {
		return !slices.Contains(strings.Split(name, "/"), "..")
	}
	return filepath.IsLocal(name)
}

// secretNames reports a map of a kind whose names are computed from secrets.
func secretNames(kind string, where hcl.Range) *hcl.Diagnostic {
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Invalid name of a value",
		Detail:   fmt.Sprintf("The names in %q are computed from a sensitive value, and names are shown. Where they are no secrets, go through nonsensitive(keys(…)).", kind),
		Subject:  &where,
	}
}

// computesNames reports whether the names in a map are computed, by a loop or
// by zipmap, rather than those that some data has.
func computesNames(expr hcl.Expression) bool {
	found := false
	bounded.Inspect(expr, func(node hclsyntax.Node) {
		switch node := node.(type) {
		case *hclsyntax.ForExpr:
			found = found || node.KeyExpr != nil
		case *hclsyntax.FunctionCallExpr:
			found = found || node.Name == "zipmap"
		}
	})
	return found
}

// calls reports whether expr calls one of the named functions.
func calls(expr hcl.Expression, names []string) bool {
	found := false
	bounded.Inspect(expr, func(node hclsyntax.Node) {
		call, ok := node.(*hclsyntax.FunctionCallExpr)
		found = found || ok && slices.Contains(names, call.Name)
	})
	return found
}
