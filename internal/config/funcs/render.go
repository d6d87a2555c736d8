package funcs

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/deploy-action/deploy-action/internal/config/bounded"
)

const (
	maxTemplate = 1 << 20 // bytes of a template
	maxCopied   = 1 << 30 // bytes that the parser of HCL copies to join the lines of a template
)

// render evaluates a template. Messages call it name.
func (t templates) render(name, source string, vars variables) (cty.Value, error) {
	if len(source) > maxTemplate {
		return cty.NilVal, fmt.Errorf("the template %q has %d bytes, and at most %d are read", name, len(source), maxTemplate)
	}
	if !strings.Contains(source, "${") && !strings.Contains(source, "%{") {
		return cty.StringVal(source), nil
	}
	if copied(source) > maxCopied {
		return cty.NilVal, fmt.Errorf("the template %q has too many lines; render part of it", name)
	}
	expr, diags := bounded.ParseTemplate([]byte(source), name, hcl.InitialPos)
	if diags.HasErrors() {
		return cty.NilVal, t.explain(diags)
	}
	ctx := t.ctx
	if ctx == nil {
		ctx = &hcl.EvalContext{}
	}
	ctx = ctx.NewChild()
	ctx.Variables = vars
	ctx.Functions = refused()
	value, diags := bounded.Value(expr, ctx)
	switch {
	case diags.HasErrors():
		return cty.NilVal, t.explain(diags)
	case Size(value) > MaxSize:
		return cty.NilVal, fmt.Errorf("the template %q gives more than %d MB", name, MaxSize>>20)
	}
	return value, nil
}

// copied estimates how many bytes the parser copies: it reads the text between
// two sequences line by line, and also ends a piece at each $ and %, and joins
// each piece to all before it.
func copied(source string) int {
	total, start, pieces := 0, 0, 0
	for i := range len(source) {
		switch source[i] {
		case '\n', '$', '%':
			pieces++
		case '{':
			if i > 0 && (source[i-1] == '$' || source[i-1] == '%') {
				total += pieces * (i - start) / 2
				start, pieces = i, 0
			}
		}
	}
	return total + pieces*(len(source)-start)/2
}

// refused are the functions that do not exist inside a template, so that none
// can render itself.
func refused() map[string]function.Function {
	functions := map[string]function.Function{}
	for _, name := range []string{"templatedir", "templatefile", "templatestring"} {
		functions[name] = function.New(&function.Spec{
			VarParam: &function.Parameter{
				Name: "arguments", Type: cty.DynamicPseudoType,
				AllowNull: true, AllowUnknown: true, AllowDynamicType: true, AllowMarked: true,
			},
			Type: func([]cty.Value) (cty.Type, error) {
				return cty.NilType, errors.New("a template cannot render another; call it outside, and give its result to this template as a variable")
			},
		})
	}
	return functions
}

// explain makes one error of what is wrong with a template.
func (t templates) explain(diags hcl.Diagnostics) error {
	var errs []error
	for _, d := range diags {
		if d.Severity != hcl.DiagError {
			continue
		}
		where := ""
		if d.Subject != nil {
			where = fmt.Sprintf("%s:%d:%d: ", d.Subject.Filename, d.Subject.Start.Line, d.Subject.Start.Column)
		}
		errs = append(errs, fmt.Errorf("%s%s: %s%s", where, d.Summary, d.Detail, existing(d)))
		if len(errs) == 10 {
			break // one mistake in a loop is there for each element
		}
	}
	return errors.Join(errs...)
}

// existing lists the variables that exist, where a diagnostic is about one that
// does not.
func existing(d *hcl.Diagnostic) string {
	expr, ok := d.Expression.(*hclsyntax.ScopeTraversalExpr)
	if !ok || d.EvalContext == nil {
		return ""
	}
	var names []string
	for ctx := d.EvalContext; ctx != nil; ctx = ctx.Parent() {
		if _, found := ctx.Variables[expr.Traversal.RootName()]; found {
			return ""
		}
		for name := range ctx.Variables {
			if hclsyntax.ValidIdentifier(name) { // or else nobody can refer to it
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 {
		return " There are no variables."
	}
	slices.Sort(names)
	return " There are: " + strings.Join(slices.Compact(names), ", ") + "."
}
