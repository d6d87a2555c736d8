package funcs

import (
	"errors"
	"maps"
	"slices"

	"github.com/hashicorp/go-cty-funcs/collection"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

func collectionEntries() []entry {
	return []entry{
		{name: "alltrue", function: allTrueFunction, summary: "Reports whether all elements of a list are true."},
		{name: "anytrue", function: anyTrueFunction, summary: "Reports whether any element of a list is true."},
		{name: "chunklist", function: stdlib.ChunklistFunc, summary: "Splits a list into lists of a size."},
		{name: "coalesce", function: collection.CoalesceFunc, summary: "Returns the first value that is neither null nor empty text."},
		{name: "coalescelist", function: stdlib.CoalesceListFunc, summary: "Returns the first list that is not empty."},
		{name: "compact", function: stdlib.CompactFunc, summary: "Removes empty texts from a list."},
		{name: "concat", function: stdlib.ConcatFunc, summary: "Joins lists to one."},
		{name: "contains", function: stdlib.ContainsFunc, summary: "Reports whether a list or set has a value."},
		{name: "distinct", function: stdlib.DistinctFunc, check: checkDistinct, summary: "Removes what is twice in a list."},
		{name: "element", function: stdlib.ElementFunc, summary: "Returns an element of a list by its index, beginning again after the last."},
		{name: "flatten", function: stdlib.FlattenFunc, summary: "Replaces lists within a list by their elements."},
		{name: "index", function: indexFunction, summary: "Returns the index of a value in a list; a value that is not there is an error."},
		{name: "keys", function: stdlib.KeysFunc, summary: "Returns the keys of a map in order."},
		{name: "length", function: lengthFunction, check: checkSlow, summary: "Returns how many elements a value has, or how many characters a text."},
		{name: "lookup", function: stdlib.LookupFunc, summary: "Returns an element of a map by its key, or a default."},
		{name: "matchkeys", function: matchKeysFunction, check: checkDistinct, summary: "Returns the values whose key, at the same index of a second list, is in a third."},
		{name: "merge", function: stdlib.MergeFunc, summary: "Joins maps to one; the later wins."},
		{name: "one", function: oneFunction, summary: "Returns the only element of a list or set, or null if it is empty."},
		{name: "range", function: stdlib.RangeFunc, summary: "Returns a list of numbers: up to a limit, from a start, in steps; at most 1024."},
		{name: "reverse", function: stdlib.ReverseListFunc, summary: "Returns a list in the opposite order."},
		{name: "slice", function: stdlib.SliceFunc, summary: "Returns the elements of a list from one index to before another."},
		{name: "sort", function: stdlib.SortFunc, summary: "Sorts a list of texts."},
		{name: "transpose", function: transposeFunction, summary: "Turns a map of lists round: its elements become keys, its keys elements."},
		{name: "values", function: stdlib.ValuesFunc, summary: "Returns the values of a map in the order of its keys."},
		{name: "zipmap", function: stdlib.ZipmapFunc, summary: "Makes a map of a list of keys and a list of values."},
	}
}

func setEntries() []entry {
	return []entry{
		{name: "setintersection", function: stdlib.SetIntersectionFunc, summary: "Returns what is in all of some sets."},
		{name: "setproduct", function: stdlib.SetProductFunc, check: checkProduct, summary: "Returns all combinations of elements of some sets."},
		{name: "setsubtract", function: stdlib.SetSubtractFunc, summary: "Returns what is in one set and not in another."},
		{name: "setunion", function: stdlib.SetUnionFunc, summary: "Returns what is in any of some sets."},
	}
}

// errNoCollection is the answer to a value that has no elements.
var errNoCollection = errors.New("a list, tuple or set is required")

// lengthFunction counts elements and, unlike the standard library's, also the
// characters of a string.
var lengthFunction = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowDynamicType: true, AllowUnknown: true}},
	Type:   function.StaticReturnType(cty.Number),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		switch kind := args[0].Type(); {
		case kind == cty.String:
			return stdlib.Strlen(args[0])
		case kind == cty.DynamicPseudoType:
			return cty.UnknownVal(cty.Number), nil
		case kind.IsObjectType():
			return cty.NumberIntVal(int64(len(kind.AttributeTypes()))), nil
		case kind.IsTupleType(), kind.IsCollectionType():
			return args[0].Length(), nil
		}
		return cty.NilVal, function.NewArgError(0, errors.New("a string, list, map, object, set or tuple is required"))
	},
})

// allTrueFunction and anyTrueFunction combine the conditions in a list.
var (
	allTrueFunction = conditions(cty.True, cty.Value.And)
	anyTrueFunction = conditions(cty.False, cty.Value.Or)
)

// conditions makes a function that joins the elements of a list, beginning
// with start.
func conditions(start cty.Value, join func(a, b cty.Value) cty.Value) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			elements, err := elementsOf(args[0], cty.Bool)
			if err != nil {
				return cty.NilVal, err
			}
			result := start
			for _, element := range elements {
				result = join(result, element)
			}
			return result, nil
		},
	})
}

// oneFunction returns the only element of a list, or null for an empty one.
var oneFunction = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType}},
	Type: func(args []cty.Value) (cty.Type, error) {
		switch kind := args[0].Type(); {
		case kind.IsListType(), kind.IsSetType():
			return kind.ElementType(), nil
		case kind.IsTupleType() && kind.Length() == 1:
			return kind.TupleElementType(0), nil
		case kind.IsTupleType():
			return cty.DynamicPseudoType, nil
		}
		return cty.NilType, function.NewArgError(0, errNoCollection)
	},
	Impl: func(args []cty.Value, kind cty.Type) (cty.Value, error) {
		switch elements := args[0].AsValueSlice(); len(elements) {
		case 0:
			return cty.NullVal(kind), nil
		case 1:
			return elements[0], nil
		}
		return cty.NilVal, function.NewArgError(0, errors.New("it has more than one element"))
	},
})

// indexFunction finds a value in a list.
var indexFunction = function.New(&function.Spec{
	Params: []function.Parameter{
		{Name: "list", Type: cty.DynamicPseudoType},
		{Name: "value", Type: cty.DynamicPseudoType},
	},
	Type: func(args []cty.Value) (cty.Type, error) {
		if t := args[0].Type(); !t.IsTupleType() && !t.IsListType() {
			return cty.NilType, function.NewArgError(0, errors.New("a list or tuple is required"))
		}
		return cty.Number, nil
	},
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		for i, element := range args[0].AsValueSlice() {
			equal, err := stdlib.Equal(element, args[1])
			switch {
			case err != nil:
				return cty.NilVal, function.NewArgError(1, err)
			case !equal.IsKnown():
				return cty.UnknownVal(cty.Number), nil
			case equal.True():
				return cty.NumberIntVal(int64(i)), nil
			}
		}
		return cty.NilVal, function.NewArgError(1, errors.New("the list does not have this value"))
	},
})

// matchKeysFunction selects values by keys that stand beside them.
var matchKeysFunction = function.New(&function.Spec{
	Params: []function.Parameter{
		{Name: "values", Type: cty.List(cty.DynamicPseudoType)},
		{Name: "keys", Type: cty.List(cty.DynamicPseudoType)},
		{Name: "search", Type: cty.List(cty.DynamicPseudoType)},
	},
	Type: func(args []cty.Value) (cty.Type, error) {
		if kind, _ := convert.UnifyUnsafe([]cty.Type{args[1].Type(), args[2].Type()}); kind == cty.NilType {
			return cty.NilType, function.NewArgError(2, errors.New("its elements are of another type than the keys"))
		}
		return args[0].Type(), nil
	},
	Impl: func(args []cty.Value, kind cty.Type) (cty.Value, error) {
		values, keys, search := args[0].AsValueSlice(), args[1].AsValueSlice(), args[2].AsValueSlice()
		if len(values) != len(keys) {
			return cty.NilVal, function.NewArgErrorf(1, "there are %d keys for %d values", len(keys), len(values))
		}
		var selected []cty.Value
		for i, key := range keys {
			for _, wanted := range search {
				equal, err := stdlib.Equal(key, wanted)
				switch {
				case err != nil:
					return cty.NilVal, function.NewArgError(2, err)
				case !equal.IsKnown():
					return cty.UnknownVal(kind), nil
				}
				if equal.True() {
					selected = append(selected, values[i])
					break
				}
			}
		}
		if len(selected) == 0 {
			return cty.ListValEmpty(kind.ElementType()), nil
		}
		return cty.ListVal(selected), nil
	},
})

// transposeFunction swaps the keys and the elements of a map of lists.
var transposeFunction = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "values", Type: cty.Map(cty.List(cty.String))}},
	Type:   function.StaticReturnType(cty.Map(cty.List(cty.String))),
	Impl: func(args []cty.Value, kind cty.Type) (cty.Value, error) {
		if !args[0].IsWhollyKnown() {
			return cty.UnknownVal(kind), nil
		}
		lists := args[0].AsValueMap()
		turned := map[string][]cty.Value{}
		for _, key := range slices.Sorted(maps.Keys(lists)) {
			if lists[key].IsNull() {
				return cty.NilVal, function.NewArgErrorf(0, "the list %q is null", key)
			}
			for _, element := range lists[key].AsValueSlice() {
				if element.IsNull() {
					return cty.NilVal, function.NewArgErrorf(0, "the list %q has a null", key)
				}
				turned[element.AsString()] = append(turned[element.AsString()], cty.StringVal(key))
			}
		}
		if len(turned) == 0 {
			return cty.MapValEmpty(kind.ElementType()), nil
		}
		result := map[string]cty.Value{}
		for key, elements := range turned {
			result[key] = cty.ListVal(elements)
		}
		return cty.MapVal(result), nil
	},
})

// elementsOf returns the elements of a list, tuple or set as values of kind.
func elementsOf(list cty.Value, kind cty.Type) ([]cty.Value, error) {
	if t := list.Type(); !t.IsTupleType() && !t.IsListType() && !t.IsSetType() {
		return nil, function.NewArgError(0, errNoCollection)
	}
	elements := list.AsValueSlice()
	for i, element := range elements {
		converted, err := convert.Convert(element, kind)
		switch {
		case err != nil:
			return nil, function.NewArgErrorf(0, "element %d: %w", i, err)
		case converted.IsNull():
			return nil, function.NewArgErrorf(0, "element %d is null", i)
		}
		elements[i] = converted
	}
	return elements, nil
}
