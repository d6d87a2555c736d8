package bounded

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Inspect calls visit with every part of an expression. The strings of a JSON
// file are read as the templates that they are; one that cannot be has no
// parts.
func Inspect(expr hcl.Expression, visit func(hclsyntax.Node)) {
	node, ok := expr.(hclsyntax.Expression)
	if !ok {
		translated, diags := native(expr)
		if diags.HasErrors() {
			return
		}
		node = translated
	}
	_ = hclsyntax.VisitAll(node, func(node hclsyntax.Node) hcl.Diagnostics { // reports nothing
		visit(node)
		return nil
	})
}
