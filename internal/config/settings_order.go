package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/deploy-action/deploy-action/internal/config/bounded"
	"github.com/deploy-action/deploy-action/internal/config/funcs"
)

// visit is how far the evaluation of an entry got.
type visit int

const (
	waiting visit = iota
	visiting
	visited
)

// groupReader evaluates the values of one group, each after those that it
// refers to.
type groupReader struct {
	scope   Scope
	ctx     *hcl.EvalContext
	values  values // grows
	entries []*entry
	byName  map[string][]*entry // by what String returns
	path    []*entry            // that led to the present one
	size    int                 // of the values so far, in bytes
	diags   hcl.Diagnostics
}

// evaluate evaluates g over the values under it.
func (g group) evaluate(under values, ctx *hcl.EvalContext, scope Scope) (values, hcl.Diagnostics) {
	r := &groupReader{scope: scope, ctx: ctx, values: under.over(), byName: map[string][]*entry{}}
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
// that is no literal is one entry.
func (r *groupReader) list(kind string, attribute *hcl.Attribute) {
	pairs, diags := hcl.ExprMap(attribute.Expr)
	if diags.HasErrors() {
		r.add(&entry{kind: kind, expr: attribute.Expr})
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
		case r.named(kind, key.AsString(), pair.Key.Range()):
			r.add(&entry{kind: kind, name: key.AsString(), expr: pair.Value})
		}
	}
}

// add takes note of an entry, to be evaluated.
func (r *groupReader) add(e *entry) {
	e.value = cty.UnknownVal(cty.String)
	r.entries = append(r.entries, e)
	r.byName[e.String()] = append(r.byName[e.String()], e)
}

// named reports whether a value can have that name; if not, it is a problem.
func (r *groupReader) named(kind, name string, where hcl.Range) bool {
	problem := badSettingName(kind, name)
	if problem != nil {
		problem.Subject = &where
		r.diags = append(r.diags, problem)
	}
	return problem == nil
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
	if e.name != "" {
		r.values.put(e) // so that a problem here is none of those that refer to it
	}
	references := r.first(e)
	if e.state == visited { // it is in a loop
		return
	}
	e.state = visited
	scope := r.scope
	scope.asked = &e.asked
	ctx := scope.withDynamic(r.ctx, cmp.Or(e.name, e.kind), e.expr.Range())
	if len(references) > 0 {
		ctx.Variables = map[string]cty.Value{"config": r.values.object()}
	}
	e.taken = bounded.Taken(e.expr, ctx)
	for _, traversal := range configReferences(e.taken) {
		for _, other := range r.values.matching(stepName(traversal, 1), stepName(traversal, 2)) {
			if other != e && !slices.Contains(e.refers, other) {
				e.refers = append(e.refers, other)
			}
		}
	}
	value, diags := evaluate(e.expr, ctx)
	r.diags = append(r.diags, diags...)
	if len(e.asked) > 0 { // the side of a condition that is not taken asks, too
		e.asked = nil
		_, _ = evaluate(e.taken, ctx)
	}
	e.waits = len(e.asked) > 0 || slices.ContainsFunc(e.refers, func(other *entry) bool { return other.waits })
	switch {
	case diags.HasErrors():
	case e.name == "":
		r.elements(e, value)
	default:
		r.text(e, value)
	}
}

// first evaluates what e refers to, and returns how it does.
func (r *groupReader) first(e *entry) []hcl.Traversal {
	r.path = append(r.path, e)
	references := configReferences(e.expr)
	for _, traversal := range references {
		for _, other := range r.referred(traversal) {
			// A map that is no literal sees what lies under it by its own name.
			if other != e || (len(traversal) > 2 && e.name != "") {
				r.evaluate(other)
			}
		}
	}
	r.path = r.path[:len(r.path)-1]
	return references
}

// configReferences returns how an expression refers to values of config blocks.
func configReferences(expr hcl.Expression) []hcl.Traversal {
	return slices.DeleteFunc(expr.Variables(), func(t hcl.Traversal) bool { return t.RootName() != "config" })
}

// text takes over the value of e.
func (r *groupReader) text(e *entry, value cty.Value) {
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

// elements takes over the values of a whole map.
func (r *groupReader) elements(e *entry, value cty.Value) {
	where := e.expr.Range()
	if value.HasMark(funcs.Sensitive) && computesNames(e.expr) {
		addSecrets(r.scope.secrets, value)
		r.diags = append(r.diags, secretNames(e.kind, where))
		return
	}
	if plain, _ := value.Unmark(); !plain.IsKnown() {
		r.values.open = append(r.values.open, e)
		return
	}
	elements, diags := textElements(e.kind, value, where)
	r.diags = append(r.diags, diags...)
	for _, name := range keys(elements) {
		if r.named(e.kind, name, where) {
			element := &entry{kind: e.kind, name: name, expr: e.expr, taken: e.taken, refers: []*entry{e}, waits: e.waits, value: cty.UnknownVal(cty.String)}
			r.keep(element, elements[name])
		}
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
	e.value = value
	r.values.put(e)
}

// referred returns the entries that config.KIND.NAME names, or all of a kind
// where the name is computed.
func (r *groupReader) referred(traversal hcl.Traversal) []*entry {
	kind, name := stepName(traversal, 1), stepName(traversal, 2)
	if kind != "" && name != "" {
		whole, named := &entry{kind: kind}, &entry{kind: kind, name: name}
		return slices.Concat(r.byName[whole.String()], r.byName[named.String()])
	}
	var found []*entry
	for _, e := range r.entries {
		if (kind == "" || e.kind == kind) && (name == "" || e.name == "" || e.name == name) {
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
