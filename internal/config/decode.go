package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/gocty"

	"github.com/deploy-action/deploy-action/internal/secret"
)

// reader decodes one body into a Go struct.
//
// The work is gohcl's, which can handle neither marked nor unknown values and
// does not name the argument in its messages. So it is given the body behind
// [plain], where every expression is a constant that fits its field.
type reader struct {
	ctx     *hcl.EvalContext
	secrets *secret.Set
	what    string // the block, as messages call it

	lenient bool // what the target does not know is ignored
	partial bool // what is unknown is left out, instead of a problem
	reopen  bool // what is missing was a secret, and is left out too

	incomplete bool     // something was unknown
	withheld   []string // the names of what a record leaves out for the secrets in it
}

// decode reads body into the struct, or map, that into points to.
func (r *reader) decode(body hcl.Body, into any) hcl.Diagnostics {
	target := reflect.TypeOf(into).Elem()
	return sorted(gohcl.DecodeBody(&plain{body, r, target}, nil, into))
}

// plain is a body whose expressions are constants: evaluated, unmarked and
// converted to what the target takes. Its arguments that are null or, in a
// partial reading, unknown do not exist.
type plain struct {
	hcl.Body
	reader *reader
	target reflect.Type // the struct or map that it is decoded into; nil when not known
}

// Content implements [hcl.Body].
func (p *plain) Content(schema *hcl.BodySchema) (*hcl.BodyContent, hcl.Diagnostics) {
	if p.reader.lenient || p.reader.reopen {
		content, _, diags := p.PartialContent(schema)
		return content, diags
	}
	content, diags := readBody(p.Body, schema, func(i item) *hcl.Diagnostic {
		return unsupported(i, schema, p.reader.what)
	})
	return content, append(diags, p.flatten(content, schema)...)
}

// PartialContent implements [hcl.Body].
func (p *plain) PartialContent(schema *hcl.BodySchema) (*hcl.BodyContent, hcl.Body, hcl.Diagnostics) {
	content, rest, diags := p.Body.PartialContent(withoutRequired(schema))
	if content == nil {
		return &hcl.BodyContent{}, &plain{hcl.EmptyBody(), p.reader, nil}, diags
	}
	if !p.reader.reopen {
		diags = append(diags, missing(content, schema, nil)...)
	}
	diags = append(diags, p.flatten(content, schema)...)
	return content, &plain{rest, p.reader, remainType(p.target)}, diags
}

// JustAttributes implements [hcl.Body].
func (p *plain) JustAttributes() (hcl.Attributes, hcl.Diagnostics) {
	attributes, diags := p.Body.JustAttributes()
	for _, name := range keys(attributes) {
		diags = append(diags, p.flattenAttribute(attributes, name, false)...)
	}
	return attributes, diags
}

// flatten makes the attributes of content constants, and its blocks plain.
func (p *plain) flatten(content *hcl.BodyContent, schema *hcl.BodySchema) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, attribute := range schema.Attributes {
		diags = append(diags, p.flattenAttribute(content.Attributes, attribute.Name, attribute.Required && !p.reader.reopen)...)
	}
	var blocks hcl.Blocks
	first := map[string]*hcl.Block{}
	for _, block := range content.Blocks {
		if earlier := first[block.Type]; earlier != nil && !repeats(p.target, block.Type) {
			diags = append(diags, duplicate(block, earlier))
			continue
		}
		first[block.Type] = block
		copied := *block
		copied.Body = &plain{block.Body, p.reader, fieldType(p.target, block.Type)}
		blocks = append(blocks, &copied)
	}
	content.Blocks = blocks
	return diags
}

// flattenAttribute makes one attribute a constant, or removes it.
func (p *plain) flattenAttribute(attributes hcl.Attributes, name string, required bool) hcl.Diagnostics {
	attribute, found := attributes[name]
	if !found {
		return nil
	}
	value, ok, diags := p.reader.value(attribute, fieldType(p.target, name), required)
	if !ok {
		delete(attributes, name)
		return diags
	}
	constant := *attribute
	constant.Expr = hcl.StaticExpr(value, attribute.Expr.Range())
	attributes[name] = &constant
	return diags
}

// value evaluates attribute for a field of type field, which may be nil. It is
// not ok where there is no value to decode.
func (r *reader) value(attribute *hcl.Attribute, field reflect.Type, required bool) (_ cty.Value, ok bool, _ hcl.Diagnostics) {
	where := attribute.Expr.Range()
	value, diags := evaluate(attribute.Expr, r.ctx)
	if diags.HasErrors() {
		return cty.NilVal, false, diags
	}
	addSecrets(r.secrets, value)
	value, _ = value.UnmarkDeep()
	if value.IsNull() {
		if required {
			diags = append(diags, null(attribute.Name, where))
		}
		return cty.NilVal, false, diags
	}
	value, problem := fit(attribute.Name, value, field, where)
	if problem != nil {
		return cty.NilVal, false, append(diags, problem)
	}
	whole := value.IsWhollyKnown()
	if !whole {
		r.incomplete = true
		if !r.partial {
			return cty.NilVal, false, append(diags, unknown(attribute.Name, where))
		}
		if value, ok = known(value); !ok {
			return cty.NilVal, false, diags
		}
	}
	if err := decodable(value, field); err != nil {
		reason := err.Error()
		if whole { // or else elements are missing, and places in it are others
			reason = conversion(err)
		}
		return cty.NilVal, false, append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError,
			Summary:  "Unsuitable value",
			Detail:   fmt.Sprintf("The value of %q cannot be used: %s.", attribute.Name, reason),
			Subject:  &where,
		})
	}
	return value, true, diags
}

// evaluateAll evaluates every argument in body and in the blocks below it, for
// a target that is not known.
func (r *reader) evaluateAll(body hcl.Body) hcl.Diagnostics {
	attributes, blocks := parts(body)
	var diags hcl.Diagnostics
	for _, name := range keys(attributes) {
		_, _, more := r.value(attributes[name], nil, false)
		diags = append(diags, more...)
	}
	for _, block := range blocks {
		diags = append(diags, r.evaluateAll(block.Body)...)
	}
	return sorted(diags)
}

// fit converts value to the type that a field takes. A nil field, and one that
// holds an expression or a value, takes any.
func fit(name string, value cty.Value, field reflect.Type, where hcl.Range) (cty.Value, *hcl.Diagnostic) {
	want := valueType(field)
	if want == cty.DynamicPseudoType {
		return value, nil
	}
	converted, err := convert.Convert(value, want)
	if err != nil {
		return value, wrongType(name, want, value, err, where)
	}
	return converted, nil
}

// decodable says what the type of a value cannot tell, such as a fraction for a
// field of whole numbers or a null in a list.
func decodable(value cty.Value, field reflect.Type) error {
	if valueType(field) == cty.DynamicPseudoType {
		return nil
	}
	return gocty.FromCtyValue(value, reflect.New(field).Interface())
}

// known returns value without its unknown elements; it is not ok where nothing
// is left because the value itself is unknown.
func known(value cty.Value) (_ cty.Value, ok bool) {
	kind := value.Type()
	switch {
	case !value.IsKnown():
		return cty.NilVal, false
	case value.IsWhollyKnown():
		return value, true
	case kind.IsMapType(), kind.IsObjectType():
		elements := map[string]cty.Value{}
		for it := value.ElementIterator(); it.Next(); {
			key, element := it.Element()
			if element, ok := known(element); ok {
				elements[key.AsString()] = element
			}
		}
		switch {
		case kind.IsObjectType():
			return cty.ObjectVal(elements), true
		case len(elements) == 0:
			return cty.MapValEmpty(kind.ElementType()), true
		case !oneType(slices.Collect(maps.Values(elements))):
			return cty.ObjectVal(elements), true
		}
		return cty.MapVal(elements), true
	}
	var elements []cty.Value
	for it := value.ElementIterator(); it.Next(); {
		_, element := it.Element()
		if element, ok := known(element); ok {
			elements = append(elements, element)
		}
	}
	switch {
	case kind.IsTupleType(), !oneType(elements):
		return cty.TupleVal(elements), true
	case kind.IsSetType() && len(elements) == 0:
		return cty.SetValEmpty(kind.ElementType()), true
	case kind.IsSetType():
		return cty.SetVal(elements), true
	case len(elements) == 0:
		return cty.ListValEmpty(kind.ElementType()), true
	}
	return cty.ListVal(elements), true
}

// oneType reports whether values are of one type. Objects of which unknown
// attributes were left out may not be.
func oneType(values []cty.Value) bool {
	return !slices.ContainsFunc(values, func(v cty.Value) bool { return !v.Type().Equals(values[0].Type()) })
}
