package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// entry is one value of a group: NAME = EXPRESSION in one of its maps.
type entry struct {
	kind, name string
	expr       hcl.Expression
	state      visit
}

// visit is how far the evaluation of an entry got.
type visit int

const (
	waiting visit = iota
	visiting
	visited
)

// String is how other values refer to the entry.
func (e *entry) String() string { return "config." + e.kind + "." + e.name }

// groupReader evaluates the values of one group, each after those that it
// refers to.
type groupReader struct {
	scope   Scope
	ctx     *hcl.EvalContext
	values  values // grows
	entries []*entry
	named   map[string][]*entry // by what String returns
	path    []*entry            // that led to the present one
	size    int                 // of the values so far, in bytes
	diags   hcl.Diagnostics
}

// evaluate evaluates g over the values under it.
func (g group) evaluate(under values, ctx *hcl.EvalContext, scope Scope) (values, hcl.Diagnostics) {
	r := &groupReader{scope: scope, ctx: ctx, values: under.over(), named: map[string][]*entry{}}
	for i, attribute := range []*hcl.Attribute{g.env, g.file, g.internal} {
		if attribute != nil {
			r.list(settingKinds[i], attribute)
		}
	}
	for _, e := range r.entries {
		r.evaluate(e)
	}
	return r.values, sorted(r.diags)
}

// list takes a map apart, so that its values can refer to one another. A map
// that is no literal is evaluated as a whole.
func (r *groupReader) list(kind string, attribute *hcl.Attribute) {
	pairs, diags := hcl.ExprMap(attribute.Expr)
	if diags.HasErrors() {
		elements, more := stringMap(attribute, r.scope.withDynamic(r.ctx, kind, attribute.Expr.Range()))
		r.diags = append(r.diags, more...)
		for name, value := range elements {
			r.keep(&entry{kind: kind, name: name, expr: attribute.Expr}, value)
		}
		return
	}
	for _, pair := range pairs {
		key, more := evaluate(pair.Key, r.ctx)
		r.diags = append(r.diags, more...)
		key, err := convert.Convert(key, cty.String)
		switch {
		case more.HasErrors():
		case err != nil, key.IsNull(), key.IsMarked(), !key.IsKnown():
			r.diags = append(r.diags, &hcl.Diagnostic{
				Severity: hcl.DiagError,
				Summary:  "Invalid name of a value",
				Detail:   fmt.Sprintf("The names in %q must be texts that are known before anything runs, and no secrets.", kind),
				Subject:  pair.Key.Range().Ptr(),
			})
		default:
			e := &entry{kind: kind, name: key.AsString(), expr: pair.Value}
			r.entries = append(r.entries, e)
			r.named[e.String()] = append(r.named[e.String()], e)
		}
	}
}

// evaluate evaluates e after what it refers to.
func (r *groupReader) evaluate(e *entry) {
	switch e.state {
	case visited:
		return
	case visiting:
		r.loop(e)
		return
	}
	if r.full() {
		return // which has been reported
	}
	e.state = visiting
	r.values[e.kind][e.name] = cty.UnknownVal(cty.String) // so that a problem here is none of those that refer to it
	r.path = append(r.path, e)
	refers := false
	for _, traversal := range e.expr.Variables() {
		if traversal.RootName() != "config" {
			continue
		}
		refers = true
		for _, other := range r.referred(traversal) {
			if other != e || len(traversal) > 2 {
				r.evaluate(other)
			}
		}
	}
	r.path = r.path[:len(r.path)-1]
	if e.state == visited { // it is in a loop
		return
	}
	e.state = visited
	ctx := r.scope.withDynamic(r.ctx, e.name, e.expr.Range())
	if refers {
		ctx.Variables = map[string]cty.Value{"config": r.values.object()}
	}
	value, diags := evaluate(e.expr, ctx)
	r.diags = append(r.diags, diags...)
	if diags.HasErrors() {
		return
	}
	where := e.expr.Range()
	text, err := convert.Convert(value, cty.String)
	switch {
	case err != nil:
		r.diags = append(r.diags, wrongType(e.kind+"."+e.name, cty.String, value, err, where))
	case text.IsNull():
		r.diags = append(r.diags, null(e.kind+"."+e.name, where))
	default:
		r.keep(e, text)
	}
}

// full reports whether the values are too long together.
func (r *groupReader) full() bool { return r.size > longestSettings }

// keep adds a value that was evaluated.
func (r *groupReader) keep(e *entry, value cty.Value) {
	plain, _ := value.Unmark()
	if plain.IsKnown() {
		length := len(plain.AsString())
		if length > longestSetting {
			r.diags = append(r.diags, tooLong(e.kind+"."+e.name, e.expr.Range()))
			return
		}
		if r.size += length; r.full() {
			r.diags = append(r.diags, tooMuch(e.expr.Range()))
			return
		}
	}
	r.values[e.kind][e.name] = value
}

// referred returns the entries that config.KIND.NAME names, or all of a kind
// where the name is computed.
func (r *groupReader) referred(traversal hcl.Traversal) []*entry {
	kind, name := stepName(traversal, 1), stepName(traversal, 2)
	if kind != "" && name != "" {
		return r.named[(&entry{kind: kind, name: name}).String()]
	}
	var found []*entry
	for _, e := range r.entries {
		if (kind == "" || e.kind == kind) && (name == "" || e.name == name) {
			found = append(found, e)
		}
	}
	return found
}

// stepName returns the name that step i of a traversal selects, or "".
func stepName(traversal hcl.Traversal, i int) string {
	if i >= len(traversal) {
		return ""
	}
	switch step := traversal[i].(type) {
	case hcl.TraverseAttr:
		return step.Name
	case hcl.TraverseIndex:
		if step.Key.Type() == cty.String {
			return step.Key.AsString()
		}
	}
	return ""
}

// loop reports values that refer to one another in a circle, and ends their
// evaluation.
func (r *groupReader) loop(e *entry) {
	from := slices.Index(r.path, e)
	names := make([]string, 0, len(r.path)-from+1)
	for _, member := range r.path[from:] {
		names = append(names, member.String())
		member.state = visited
	}
	r.diags = append(r.diags, &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Values that refer to one another in a circle",
		Detail:   fmt.Sprintf("None of them can be evaluated first: %s. Write one of them without the others.", strings.Join(append(names, e.String()), " → ")),
		Subject:  e.expr.Range().Ptr(),
	})
}

// object is the variable config.
func (v values) object() cty.Value {
	kinds := map[string]cty.Value{}
	for _, kind := range settingKinds {
		kinds[kind] = cty.ObjectVal(v[kind])
	}
	return cty.ObjectVal(kinds)
}
