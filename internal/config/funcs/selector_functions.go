package funcs

import (
	"errors"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
)

func selectorEntries() []entry {
	return []entry{
		{name: "selectorlookup", function: selectorLookupFunction, summary: "Returns the first value, in the order of its selectors, whose selector matches labels, or a default."},
		{name: "selectormatch", function: selectorMatchFunction, summary: "Reports whether labels match a selector."},
	}
}

// selectorMatchFunction evaluates one selector.
var selectorMatchFunction = function.New(&function.Spec{
	Params: []function.Parameter{
		{Name: "map", Type: cty.Map(cty.String)},
		{Name: "selector", Type: cty.String},
	},
	Type: function.StaticReturnType(cty.Bool),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		selector, err := ParseSelector(args[1].AsString())
		if err != nil {
			return cty.NilVal, function.NewArgError(1, err)
		}
		if !args[0].IsWhollyKnown() {
			return cty.UnknownVal(cty.Bool), nil
		}
		matched, err := selector.Match(labelsOf(args[0]))
		return cty.BoolVal(matched), err
	},
})

// selectorLookupFunction chooses among values by their selectors.
var selectorLookupFunction = function.New(&function.Spec{
	Params: []function.Parameter{
		{Name: "map", Type: cty.Map(cty.String)},
		{Name: "values", Type: cty.DynamicPseudoType, AllowUnknown: true, AllowMarked: true},
		{Name: "default", Type: cty.DynamicPseudoType, AllowUnknown: true, AllowNull: true, AllowMarked: true},
	},
	Type: func(args []cty.Value) (cty.Type, error) {
		kind := args[1].Type()
		if !kind.IsMapType() && !kind.IsObjectType() {
			return cty.NilType, function.NewArgError(1, errors.New("a map of values by their selectors is required"))
		}
		return lookupType(kind, args[2].Type())
	},
	Impl: func(args []cty.Value, kind cty.Type) (cty.Value, error) {
		table, marks := args[1].Unmark()
		if !table.IsKnown() || !args[0].IsWhollyKnown() {
			return cty.UnknownVal(kind).WithMarks(marks), nil
		}
		result := args[2]
		labels := labelsOf(args[0])
		matched := false
		for it := table.ElementIterator(); it.Next(); {
			key, value := it.Element()
			// All are read, so that none with an error hides behind another.
			selector, err := ParseSelector(key.AsString())
			if err != nil {
				return cty.NilVal, function.NewArgError(1, err)
			}
			fulfilled, err := selector.Match(labels)
			if err != nil {
				return cty.NilVal, function.NewArgError(1, err)
			}
			if fulfilled && !matched {
				result, matched = value, true
			}
		}
		converted, err := convert.Convert(result, kind)
		if err != nil {
			return cty.NilVal, function.NewArgError(2, err)
		}
		return converted.WithMarks(marks), nil
	},
})

// lookupType is the type that all values of a map and a default have in common.
func lookupType(table, other cty.Type) (cty.Type, error) {
	kinds := []cty.Type{other}
	if table.IsMapType() {
		kinds = append(kinds, table.ElementType())
	}
	if table.IsObjectType() {
		for _, kind := range table.AttributeTypes() {
			kinds = append(kinds, kind)
		}
	}
	kind, _ := convert.UnifyUnsafe(kinds)
	if kind == cty.NilType {
		return cty.NilType, function.NewArgError(2, errors.New("the default must be of the same type as the values"))
	}
	return kind, nil
}

// labelsOf returns a known map as one of Go. A label that is null is not there.
func labelsOf(v cty.Value) map[string]string {
	labels := map[string]string{}
	for it := v.ElementIterator(); it.Next(); {
		key, value := it.Element()
		if !value.IsNull() {
			labels[key.AsString()] = value.AsString()
		}
	}
	return labels
}
