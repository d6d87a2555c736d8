package bounded

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// Taken returns the part of expr that its value comes from: of a condition that
// is known in ctx the one side, and of everything else all of it. It looks only
// at conditions that are the whole of an expression, or of a side.
func Taken(expr hcl.Expression, ctx *hcl.EvalContext) hcl.Expression {
	if _, ok := expr.(hclsyntax.Expression); !ok {
		translated, diags := native(expr)
		if diags.HasErrors() {
			return expr
		}
		expr = translated
	}
	for {
		conditional, ok := inner(expr).(*hclsyntax.ConditionalExpr)
		if !ok {
			return expr
		}
		value, diags := Value(conditional.Condition, ctx)
		value, _ = value.Unmark()
		value, err := convert.Convert(value, cty.Bool)
		switch {
		case diags.HasErrors(), err != nil, value.IsNull(), !value.IsKnown():
			return expr
		case value.True():
			expr = conditional.TrueResult
		default:
			expr = conditional.FalseResult
		}
	}
}

// inner returns the expression in parentheses, or in "${…}".
func inner(expr hcl.Expression) hcl.Expression {
	for {
		switch outer := expr.(type) {
		case *metered:
			expr = outer.Expression
		case *hclsyntax.ParenthesesExpr:
			expr = outer.Expression
		case *hclsyntax.TemplateWrapExpr:
			expr = outer.Wrapped
		default:
			return expr
		}
	}
}
