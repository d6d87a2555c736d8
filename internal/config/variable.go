package config

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/gohcl"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/deploy-action/deploy-action/internal/config/bounded"
)

// variable is the declaration of an input variable.
type variable struct {
	name      string
	header    hcl.Range
	env       []string // further names in the environment
	sensitive bool

	// constraint is what values are converted to; [cty.DynamicPseudoType]
	// for a variable that takes any.
	constraint cty.Type
	optional   *typeexpr.Defaults // of optional attributes in constraint; may be nil
	standard   *hcl.Attribute     // the default; nil when a value must be given

	// written says that values in text are expressions: the type is a
	// collection, or the word any.
	written bool

	// dynamic says that the default asks a source.
	dynamic bool

	validations []validation

	// broken says that Load found a problem with the declaration: its value
	// is unknown, and not a problem again.
	broken bool
}

// readVariables reads the declarations. Broken ones are kept, so that what
// refers to them is no further problem.
func (p *Project) readVariables(blocks hcl.Blocks) hcl.Diagnostics {
	var diags hcl.Diagnostics
	early := Scope{project: p, head: p.earlyContext()}
	first := map[string]hcl.Range{}
	for _, block := range blocks {
		name := block.Labels[0]
		if earlier, twice := first[name]; twice {
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError,
				Summary:  "Duplicate variable",
				Detail:   fmt.Sprintf("The variable %q is declared on line %d already. Remove one of the two.", name, earlier.Start.Line),
				Subject:  &block.LabelRanges[0],
			})
			continue
		}
		first[name] = block.DefRange
		v, more := readVariable(block, early)
		v.broken = more.HasErrors()
		diags = append(diags, more...)
		p.variables = append(p.variables, v)
	}
	return diags
}

// readVariable reads one declaration, and checks its default as far as it can
// be known without a workspace.
func readVariable(block *hcl.Block, early Scope) (*variable, hcl.Diagnostics) {
	v := &variable{name: block.Labels[0], header: block.DefRange, constraint: cty.DynamicPseudoType}
	content, diags := variableGrammar.read(block.Body)
	if !hclsyntax.ValidIdentifier(v.name) {
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError,
			Summary:  "Invalid variable name",
			Detail:   fmt.Sprintf("The name %q cannot be used: a name begins with a letter, and has letters, digits, \"_\" and \"-\".", v.name),
			Subject:  &block.LabelRanges[0],
		})
	}
	var (
		description string
		more        hcl.Diagnostics
	)
	for name, field := range map[string]any{"description": &description, "env": &v.env, "sensitive": &v.sensitive} {
		if attribute, found := content.Attributes[name]; found {
			diags = append(diags, literal(attribute, field)...)
		}
	}
	if attribute, found := content.Attributes["type"]; found {
		v.constraint, v.optional, more = typeexpr.TypeConstraintWithDefaults(attribute.Expr)
		diags = append(diags, more...)
		v.written = !v.constraint.IsPrimitiveType()
	}
	v.standard = content.Attributes["default"]
	if v.standard != nil {
		v.dynamic = calls(v.standard.Expr, dynamicNames)
		value, more := v.fallback(v.context(early))
		diags = append(diags, more...)
		if _, typed := content.Attributes["type"]; !typed && !more.HasErrors() {
			v.infer(value.Type())
		}
	}
	v.validations, more = readValidations(content.Blocks.OfType("validation"), v.name)
	return v, append(diags, more...)
}

// context returns what the default is evaluated in.
func (v *variable) context(s Scope) *hcl.EvalContext {
	if !v.dynamic {
		return s.head
	}
	return s.withDynamic(s.head, v.name, v.standard.Expr.Range())
}

// literal decodes an argument that may not refer to anything.
func literal(attribute *hcl.Attribute, into any) hcl.Diagnostics {
	diags := gohcl.DecodeExpression(attribute.Expr, nil, into)
	if !diags.HasErrors() {
		return nil
	}
	kind := map[string]string{"description": "a string", "env": "a list of strings", "sensitive": "true or false"}
	return hcl.Diagnostics{{
		Severity: hcl.DiagError,
		Summary:  "Invalid variable declaration",
		Detail:   fmt.Sprintf("The argument %q must be %s, written out without variables or functions.", attribute.Name, kind[attribute.Name]),
		Subject:  attribute.Expr.Range().Ptr(),
	}}
}

// infer makes the type of a default the type of the variable. A list or an
// object that is written out says no more than that values are expressions: its
// length or its attributes are an example.
func (v *variable) infer(t cty.Type) {
	switch {
	case t.IsPrimitiveType():
		v.constraint = t
	case t != cty.DynamicPseudoType:
		v.written = true
	}
}

// fallback evaluates the default. It can refer to what ctx has, which is never
// another variable.
func (v *variable) fallback(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	value, diags := evaluate(v.standard.Expr, ctx)
	if diags.HasErrors() {
		return cty.DynamicVal, diags
	}
	if v.dynamic {
		value = v.parsed(value)
	}
	converted, err := v.convert(value)
	if err != nil {
		reason := conversion(err)
		if v.dynamic && v.written && value.Type() == cty.String {
			reason = "the answer of the source is no JSON"
		}
		return cty.DynamicVal, append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError,
			Summary:  "Invalid default value for variable",
			Detail:   fmt.Sprintf("The default of %q does not fit its type, which is %s: %s.", v.name, typeexpr.TypeString(v.constraint), reason),
			Subject:  v.standard.Expr.Range().Ptr(),
		})
	}
	return converted, diags
}

// convert gives value the variable's type.
func (v *variable) convert(value cty.Value) (cty.Value, error) {
	if v.optional != nil && !value.IsNull() {
		value = v.optional.Apply(value)
	}
	return convert.Convert(value, v.constraint)
}

// parsed reads the text of a source as JSON where the variable takes something
// else than text. What is no JSON stays as it is: that it does not fit is then
// said in words that show no secret.
func (v *variable) parsed(value cty.Value) cty.Value {
	text, marks := value.Unmark()
	switch {
	case text.Type() != cty.String || text.IsNull() || !v.written:
		return value
	case !text.IsKnown():
		return cty.UnknownVal(v.constraint).WithMarks(marks)
	case bounded.DeepJSON(text.AsString()):
		return value
	}
	kind, err := ctyjson.ImpliedType([]byte(text.AsString()))
	if err != nil {
		return value
	}
	decoded, err := ctyjson.Unmarshal([]byte(text.AsString()), kind)
	if err != nil {
		return value
	}
	return decoded.WithMarks(marks)
}
