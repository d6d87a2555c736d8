package config

import (
	"maps"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// The kinds of values in a group.
var settingKinds = []string{"env", "file", "internal"}

// entry is one value of a group: NAME = EXPRESSION in one of its maps. Without
// a name it is a whole map that is no literal.
type entry struct {
	kind, name string
	expr       hcl.Expression
	state      visit
	value      cty.Value // unknown until the entry was evaluated

	// taken is expr, without the sides of conditions that are not taken; nil
	// until the entry was evaluated.
	taken  hcl.Expression
	asked  []Request // of sources, and not answered yet
	refers []*entry  // what taken refers to
	waits  bool      // it, or something that it refers to, has asked
}

// String is how other values refer to the entry.
func (e *entry) String() string {
	if e.name == "" {
		return "config." + e.kind
	}
	return "config." + e.kind + "." + e.name
}

// values are the values of config blocks. They are not changed once a group
// was evaluated.
type values struct {
	named map[string]map[string]*entry // by kind and name
	open  []*entry                     // maps whose names are not known yet
}

// over returns a copy of v that more can be added to.
func (v values) over() values {
	copied := values{named: map[string]map[string]*entry{}, open: v.open[:len(v.open):len(v.open)]}
	for _, kind := range settingKinds {
		copied.named[kind] = maps.Clone(v.named[kind])
		if copied.named[kind] == nil {
			copied.named[kind] = map[string]*entry{}
		}
	}
	return copied
}

// put adds e, in place of another of its name.
func (v values) put(e *entry) { v.named[e.kind][e.name] = e }

// matching returns the values that config.KIND.NAME may be made of: all of a
// kind where the name is not known, and of all kinds where that is not.
func (v values) matching(kind, name string) []*entry {
	var found []*entry
	for _, known := range settingKinds {
		if kind != "" && kind != known {
			continue
		}
		for _, key := range keys(v.named[known]) {
			if name == "" || name == key {
				found = append(found, v.named[known][key])
			}
		}
	}
	for _, e := range v.open {
		if kind == "" || kind == e.kind {
			found = append(found, e)
		}
	}
	return found
}

// settings returns the values of a kind as a platform is given them. What is
// not known yet is left out.
func (v values) settings(kind string, secrets *secret.Set) map[string]component.Setting {
	settings := map[string]component.Setting{}
	for name, e := range v.named[kind] {
		addSecrets(secrets, e.value)
		value, marks := e.value.Unmark()
		if value.IsKnown() {
			settings[name] = component.Setting{Text: secret.Text(value.AsString()), Sensitive: len(marks) > 0}
		}
	}
	return settings
}

// unknown reports the values of env and file that are not known.
func (v values) unknown() hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, kind := range []string{"env", "file"} {
		for _, e := range v.matching(kind, "") {
			if !e.value.IsKnown() {
				diags = append(diags, undetermined(e))
			}
		}
	}
	return sorted(diags)
}

// undetermined reports a value that is unknown where it is needed.
func undetermined(e *entry) *hcl.Diagnostic {
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Unknown value",
		Detail: "The value of " + quote(e.String()) + " is still not known after all sources were asked. " +
			"Let it depend only on values that sources answer, and ask them for the same each time: not with timestamp() or uuid().",
		Subject: e.expr.Range().Ptr(),
	}
}

// object is the variable config.
func (v values) object() cty.Value {
	kinds := map[string]cty.Value{}
	for _, kind := range settingKinds {
		elements := map[string]cty.Value{}
		for name, e := range v.named[kind] {
			elements[name] = e.value
		}
		kinds[kind] = cty.ObjectVal(elements)
	}
	for _, e := range v.open {
		kinds[e.kind] = cty.DynamicVal
	}
	return cty.ObjectVal(kinds)
}
