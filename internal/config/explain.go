package config

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/deploy-action/deploy-action/internal/config/bounded"
	"github.com/deploy-action/deploy-action/internal/diag"
)

// elsewhere says why a variable of the language does not exist in some places.
var elsewhere = map[string]string{
	"app":        "It exists inside an app block.",
	"artifact":   "It is what the build made, so it exists in the registry, deploy and release blocks.",
	"config":     "It is what the values of a config block refer to one another by, and exists only in them.",
	"deploy":     "It is what the platform made, so it exists in the release block.",
	"entrypoint": "It exists in the deploy block.",
	"labels":     "It exists inside the build, registry, deploy and release blocks, but not in their own labels.",
	"var":        "Variables are resolved after the project's name, its labels, and the defaults of variables, so that none of these can refer to one.",
}

// templateNames are the functions that exist only where what a template may
// refer to does.
var templateNames = []string{"templatedir", "templatefile", "templatestring"}

// explain completes HCL's diagnostic on an expression: it names what was
// probably meant, or where a name exists. It goes by the expression at fault,
// not by HCL's words.
func explain(d *hcl.Diagnostic) {
	if call, ok := hcl.DiagnosticExtra[hclsyntax.FunctionCallUnknownDiagExtra](d); ok {
		d.Summary, d.Detail = "Unknown function", unknownFunction(call.CalledFunctionName(), d.EvalContext)
		return
	}
	if call, ok := hcl.DiagnosticExtra[hclsyntax.FunctionCallDiagExtra](d); ok {
		if _, ok := errors.AsType[function.PanicError](call.FunctionCallError()); ok {
			// The error's own text is a stack of the library.
			d.Detail = fmt.Sprintf("The function %q cannot handle these arguments. Give it arguments of like types, without null.", call.CalledFunctionName())
		}
		return
	}
	if d.Expression == nil || d.EvalContext == nil {
		return
	}
	if value, more := bounded.Value(d.Expression, d.EvalContext); !more.HasErrors() && value.IsMarked() {
		d.Detail = "What is wrong is not shown, because the value is sensitive."
		return
	}
	if index, ok := d.Expression.(*hclsyntax.IndexExpr); ok {
		explainIndex(d, index)
		return
	}
	traversal, diags := hcl.AbsTraversalForExpr(d.Expression)
	if diags.HasErrors() || len(traversal) == 0 {
		return
	}
	root := traversal.RootName()
	value, found := lookUp(root, d.EvalContext)
	if !found {
		d.Summary, d.Detail = "Unknown variable", unknownVariable(root, len(traversal) == 1, d.EvalContext)
		return
	}
	name, names, missing := missingName(traversal[1:], value)
	if !missing {
		return
	}
	hint := diag.Suggest(name, names)
	if root == "var" && len(traversal) > 1 && slices.Equal(names, typeNames(value.Type())) {
		d.Summary = "Undeclared variable"
		d.Detail = fmt.Sprintf("The file declares no variable %q.%s To declare it, add variable %q { }.", name, hint, name)
		return
	}
	if hint == "" {
		hint = " " + listing("It has", names)
	}
	d.Detail = fmt.Sprintf("There is no %q in this value.%s", name, hint)
}

// explainIndex says which name a computed index looked for, and which there
// are, unless one of the two is a secret.
func explainIndex(d *hcl.Diagnostic, index *hclsyntax.IndexExpr) {
	collection, problems := bounded.Value(index.Collection, d.EvalContext)
	key, more := bounded.Value(index.Key, d.EvalContext)
	if problems.HasErrors() || more.HasErrors() || key.IsMarked() || !key.IsKnown() || key.IsNull() || key.Type() != cty.String {
		return
	}
	name, names, missing := missingName(hcl.Traversal{hcl.TraverseIndex{Key: key}}, collection)
	if missing {
		d.Detail = fmt.Sprintf("There is no %q in this value. %s", name, listing("It has", names))
	}
}

// unknownFunction says what to call instead.
func unknownFunction(name string, ctx *hcl.EvalContext) string {
	if slices.Contains(dynamicNames, name) {
		return fmt.Sprintf("The function %q asks a source of values. It can be called in the default of a variable and in a config block. Declare a variable with it as its default, and refer to that one.", name)
	}
	if name == "env" || name == "getenv" {
		return fmt.Sprintf("There is no function named %q. Declare a variable with env = [\"NAME\"], and refer to that one.", name)
	}
	if slices.Contains(templateNames, name) {
		return fmt.Sprintf("The function %q renders a template, and can be called in apps and in config blocks.", name)
	}
	var names []string
	for ; ctx != nil; ctx = ctx.Parent() {
		names = append(names, keys(ctx.Functions)...)
	}
	slices.Sort(names)
	return fmt.Sprintf("There is no function named %q.%s", name, diag.Suggest(name, names))
}

// unknownVariable says where the variable exists, or what was meant; alone says
// that nothing of it is referred to, so that it may be a text without quotes.
func unknownVariable(name string, alone bool, ctx *hcl.EvalContext) string {
	if reason, ok := elsewhere[name]; ok {
		return fmt.Sprintf("There is no %q here. %s", name, reason)
	}
	if declared, found := lookUp("var", ctx); found && declared.Type().IsObjectType() && declared.Type().HasAttribute(name) {
		return fmt.Sprintf("There is no %q here. To refer to the variable that the file declares, write var.%s.", name, name)
	}
	var names []string
	for ; ctx != nil; ctx = ctx.Parent() {
		names = append(names, keys(ctx.Variables)...)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !hclsyntax.ValidIdentifier(name) }) // not for expressions
	slices.Sort(names)
	names = slices.Compact(names)
	if hint := diag.Suggest(name, names); hint != "" {
		return fmt.Sprintf("There is no variable named %q.%s", name, hint)
	}
	quotes := ""
	if alone {
		quotes = " A text stands in quotes."
	}
	return fmt.Sprintf("There is no variable named %q. %s%s", name, listing("There are", names), quotes)
}

// lookUp finds a variable as HCL does: in the nearest context that has it.
func lookUp(name string, ctx *hcl.EvalContext) (cty.Value, bool) {
	for ; ctx != nil; ctx = ctx.Parent() {
		if value, found := ctx.Variables[name]; found {
			return value, true
		}
	}
	return cty.NilVal, false
}

// missingName follows a traversal to the first name that does not exist, and
// returns it with the names that do. The names in a sensitive value are not
// told.
func missingName(steps hcl.Traversal, value cty.Value) (name string, names []string, missing bool) {
	for _, step := range steps {
		if value.IsMarked() || value.IsNull() || !value.IsKnown() {
			return "", nil, false
		}
		var key string
		switch step := step.(type) {
		case hcl.TraverseAttr:
			key = step.Name
		case hcl.TraverseIndex:
			if step.Key.Type() != cty.String {
				return "", nil, false
			}
			key = step.Key.AsString()
		default:
			return "", nil, false
		}
		switch kind := value.Type(); {
		case kind.IsObjectType():
			if !kind.HasAttribute(key) {
				return key, typeNames(kind), true
			}
			value = value.GetAttr(key)
		case kind.IsMapType():
			elements := value.AsValueMap()
			if _, found := elements[key]; !found {
				return key, keys(elements), true
			}
			value = elements[key]
		default:
			return "", nil, false
		}
	}
	return "", nil, false
}

// typeNames returns the attributes of an object type in order.
func typeNames(t cty.Type) []string { return keys(t.AttributeTypes()) }
