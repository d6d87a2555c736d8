package bounded

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Value is expr.Value within a budget: where an expression costs more, a
// diagnostic says so. The same problem in each pass of a loop is reported once.
// Without a context nothing can be referred to, and there are no loops.
//
// An expression in native syntax must come from this package; one of a JSON
// file may be any.
func Value(expr hcl.Expression, ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	if ctx == nil {
		return expr.Value(nil)
	}
	if _, ok := expr.(hclsyntax.Expression); !ok {
		translated, diags := native(expr)
		if diags.HasErrors() {
			return cty.DynamicVal, diags
		}
		expr = translated
	}
	switch expr.(type) {
	case *hclsyntax.LiteralValueExpr, *hclsyntax.ScopeTraversalExpr:
		return expr.Value(ctx)
	}
	ctx, m := withMeter(ctx)
	value, diags := expr.Value(ctx)
	diags = distinct(diags)
	if m.spent() {
		if !diags.HasErrors() {
			diags = append(diags, tooExpensive(expr.Range()))
		}
		return cty.DynamicVal, diags
	}
	return value, diags
}

// distinct leaves out what was said before of the same place.
func distinct(diags hcl.Diagnostics) hcl.Diagnostics {
	if len(diags) < 2 {
		return diags
	}
	type problem struct {
		where           hcl.Range
		summary, detail string
	}
	seen := map[problem]bool{}
	var kept hcl.Diagnostics
	for _, d := range diags {
		p := problem{summary: d.Summary, detail: d.Detail}
		if d.Subject != nil {
			p.where = *d.Subject
		}
		if !seen[p] {
			kept = append(kept, d)
		}
		seen[p] = true
	}
	return kept
}

// tooExpensive reports an expression that exceeds the budget.
func tooExpensive(where hcl.Range) *hcl.Diagnostic {
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Expression too expensive",
		Detail: fmt.Sprintf("The value of this expression takes too much work: an expression may go through its loops %d times in all, or handle %d MiB of text. Loops in one another multiply; go through shorter lists, or write a file in a step before this one.",
			budget/passCost/100_000*100_000, budget*bytesOfText>>20),
		Subject: &where,
	}
}

// metered is an expression whose evaluations cost something. It walks as one in
// parentheses, so that what looks for the variables in an expression finds
// those inside.
type metered struct {
	*hclsyntax.ParenthesesExpr
	loop bool // it is evaluated in each pass of a loop
	cost int  // of each element of its value
}

// UnwrapExpression is how HCL finds an expression behind another.
func (e *metered) UnwrapExpression() hcl.Expression { return e.Expression }

// Value implements [hcl.Expression].
func (e *metered) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	m := meterOf(ctx)
	switch {
	case m == nil && e.loop:
		return cty.DynamicVal, hcl.Diagnostics{{
			Severity: hcl.DiagError,
			Summary:  "Loops not allowed",
			Detail:   "A for expression cannot be used here. Write the value out.",
			Subject:  e.Range().Ptr(),
		}}
	case m == nil:
		return e.Expression.Value(ctx)
	case m.spent():
		return cty.DynamicVal, nil
	case e.loop:
		m.left -= passCost
	}
	value, diags := e.Expression.Value(ctx)
	m.left -= problemCost * len(diags)
	m.charge(value, e.cost)
	if m.spent() {
		return cty.DynamicVal, diags
	}
	return value, diags
}

// meterLoops makes everything below node that can multiply cost something: what
// loops evaluate, the parts of templates and the arguments of functions.
func meterLoops(node hclsyntax.Node) {
	_ = hclsyntax.VisitAll(node, func(node hclsyntax.Node) hcl.Diagnostics { // reports nothing
		switch node := node.(type) {
		case *hclsyntax.ForExpr:
			node.ValExpr = meterOne(node.ValExpr, true, 1)
			node.KeyExpr = meterOne(node.KeyExpr, true, 1)
			node.CondExpr = meterOne(node.CondExpr, true, 1)
		case *hclsyntax.TemplateExpr:
			for i, part := range node.Parts {
				node.Parts[i] = meterOne(part, false, 1)
			}
		case *hclsyntax.FunctionCallExpr:
			for i, arg := range node.Args {
				node.Args[i] = meterOne(arg, false, argumentCost)
			}
		}
		return nil
	})
}

// meterOne makes one expression cost something. Nil stays nil, and what is
// written out costs no more than it did to parse.
func meterOne(expr hclsyntax.Expression, loop bool, cost int) hclsyntax.Expression {
	if _, literal := expr.(*hclsyntax.LiteralValueExpr); expr == nil || (literal && !loop) {
		return expr
	}
	return &metered{&hclsyntax.ParenthesesExpr{Expression: expr, SrcRange: expr.Range()}, loop, cost}
}
