package funcs

import (
	"errors"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

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

// sumFunction adds up the numbers of a list or set.
var sumFunction = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType}},
	Type:   function.StaticReturnType(cty.Number),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		elements, err := elementsOf(args[0], cty.Number)
		if err != nil {
			return cty.NilVal, err
		}
		if len(elements) == 0 {
			return cty.NilVal, function.NewArgError(0, errors.New("an empty list has no sum"))
		}
		sum := cty.Zero
		for _, element := range elements {
			if sum, err = stdlib.Add(sum, element); err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
		}
		return sum, nil
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
