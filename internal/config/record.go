package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
	hcljson "github.com/hashicorp/hcl/v2/json"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/deploy-action/deploy-action/internal/component"
)

// Reopen returns the function that reads what [Stage.Record] wrote. What the
// target does not know is ignored and what is missing is left at its zero
// value, because records outlive the version that wrote them and hold no
// secrets.
func Reopen(raw json.RawMessage) component.Decode {
	return func(into any) hcl.Diagnostics {
		if len(raw) == 0 {
			raw = json.RawMessage("{}")
		}
		// A nil context makes HCL take strings as they are: what was
		// evaluated once must not be evaluated again.
		r := &reader{reopen: true, what: "the recorded configuration"}
		file, diags := hcljson.Parse(withoutWithheld(raw), "recorded configuration")
		if diags.HasErrors() {
			return diags
		}
		return r.decode(file.Body, into)
	}
}

// Recorded returns a stage that says what [Stage.Record] wrote, whatever the
// scope: for where the file has no such block any more. It has no place, no
// labels and no hooks.
func Recorded(plugin string, raw json.RawMessage) *Stage {
	if len(raw) == 0 {
		raw = json.RawMessage("{}")
	}
	return &Stage{Plugin: plugin, Body: hcl.EmptyBody(), recorded: raw}
}

// withheldKey is where a record names the arguments that it leaves out for the
// secrets in them. An argument of that name is left out as well.
const withheldKey = "withheld"

// Withheld returns the names of the arguments that [Stage.Record] left out for
// the secrets in them, such as "env.PASSWORD", where s is a recorded stage; nil
// for one of the file.
func (s *Stage) Withheld() []string {
	var held struct {
		Names []string `json:"withheld"`
	}
	if json.Unmarshal(s.recorded, &held) != nil {
		return nil // also for nothing at all
	}
	return held.Names
}

// withoutWithheld returns a record without the names of what it leaves out.
func withoutWithheld(raw json.RawMessage) json.RawMessage {
	var recorded map[string]json.RawMessage
	if json.Unmarshal(raw, &recorded) != nil || recorded[withheldKey] == nil {
		return raw // a record that cannot be read is reported by who parses it
	}
	delete(recorded, withheldKey)
	rest, err := json.Marshal(recorded)
	if err != nil {
		return raw
	}
	return rest
}

// recordWithNames returns what [reader.record] does, with the names of what it
// withholds.
func (r *reader) recordWithNames(body hcl.Body, target reflect.Type) (map[string]any, hcl.Diagnostics) {
	recorded, diags := r.record(body, target, "")
	if _, taken := recorded[withheldKey]; taken {
		r.withheld = append(r.withheld, withheldKey)
	}
	if len(r.withheld) > 0 {
		slices.Sort(r.withheld)
		recorded[withheldKey] = slices.Compact(r.withheld)
	}
	return recorded, diags
}

// record returns what body says, by the names of its arguments and blocks,
// without secrets. A nil target knows no types. The names of what is withheld
// begin with where, the way to body.
func (r *reader) record(body hcl.Body, target reflect.Type, where string) (map[string]any, hcl.Diagnostics) {
	attributes, blocks, diags := recordable(body, target)
	recorded := map[string]any{}
	for name, attribute := range attributes {
		field := fieldType(target, name)
		value, more := evaluate(attribute.Expr, r.ctx)
		if keepsSecret(field) {
			if more.HasErrors() || !isNull(value) {
				r.withheld = append(r.withheld, where+name)
			}
			continue
		}
		diags = append(diags, more...)
		if more.HasErrors() {
			continue
		}
		value, ok := r.public(value, where+name)
		if !ok {
			continue
		}
		data, err := ctyjson.Marshal(value, value.Type())
		if err != nil {
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError,
				Summary:  "Unsuitable value",
				Detail:   fmt.Sprintf("The value of %q cannot be recorded: %v.", name, err),
				Subject:  attribute.Expr.Range().Ptr(),
			})
			continue
		}
		recorded[name] = json.RawMessage(data)
	}
	for _, block := range blocks {
		inner, more := r.record(block.Body, fieldType(target, block.Type), where+block.Type+".")
		diags = append(diags, more...)
		var labelled any = inner
		for i := len(block.Labels) - 1; i >= 0; i-- {
			labelled = map[string]any{block.Labels[i]: labelled}
		}
		list, _ := recorded[block.Type].([]any)
		recorded[block.Type] = append(list, labelled)
	}
	return recorded, sorted(diags)
}

// recordable returns the arguments and blocks of body that the target takes,
// or all of them where the target has a field for the rest or is not known.
func recordable(body hcl.Body, target reflect.Type) (hcl.Attributes, hcl.Blocks, hcl.Diagnostics) {
	if target == nil || target.Kind() != reflect.Struct {
		attributes, blocks := parts(body)
		return attributes, blocks, nil
	}
	schema, open := gohcl.ImpliedBodySchema(reflect.Zero(target).Interface())
	content, rest, diags := body.PartialContent(withoutRequired(schema))
	if content == nil || !open {
		return content.Attributes, content.Blocks, diags
	}
	attributes, blocks, more := recordable(rest, remainType(target))
	maps.Copy(content.Attributes, attributes)
	return content.Attributes, append(content.Blocks, blocks...), append(diags, more...)
}

// isNull reports whether a value, marked or not, is none.
func isNull(value cty.Value) bool {
	value, _ = value.Unmark()
	return value.IsNull()
}

// public returns value without whatever is marked as a secret, unknown or
// null; it is not ok where nothing is left of it. A list without one of its
// elements would be another list, so it is left out as a whole. The names of
// secrets, which begin with that of the value, are noted.
func (r *reader) public(value cty.Value, name string) (_ cty.Value, ok bool) {
	if value.IsMarked() && !isNull(value) {
		r.withheld = append(r.withheld, name)
	}
	if value.IsMarked() || value.IsNull() || !value.IsKnown() {
		return cty.NilVal, false
	}
	kind := value.Type()
	switch {
	case kind.IsPrimitiveType():
		return value, true
	case kind.IsMapType(), kind.IsObjectType():
		elements := map[string]cty.Value{}
		for it := value.ElementIterator(); it.Next(); {
			key, element := it.Element()
			if key.IsMarked() {
				r.withheld = append(r.withheld, name)
				continue
			}
			if element, ok := r.public(element, name+"."+key.AsString()); ok {
				elements[key.AsString()] = element
			}
		}
		return cty.ObjectVal(elements), true
	case value.CanIterateElements():
		elements := []cty.Value{}
		for it := value.ElementIterator(); it.Next(); {
			_, element := it.Element()
			element, ok := r.public(element, name)
			if !ok {
				return cty.NilVal, false
			}
			elements = append(elements, element)
		}
		return cty.TupleVal(elements), true
	}
	return cty.NilVal, false
}
