package funcs

import (
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// mark is the type of marks on values.
type mark string

// Sensitive is the mark on values that must not be shown. Whatever is computed
// from a marked value is marked too.
const Sensitive = mark("sensitive")

// sensitiveFunction marks a value.
var sensitiveFunction = marking(func(v cty.Value) cty.Value { return v.Mark(Sensitive) })

// nonsensitiveFunction takes the mark away where the author knows that what is
// left of a secret is none.
var nonsensitiveFunction = marking(func(v cty.Value) cty.Value {
	v, _ = v.UnmarkDeep()
	return v
})

// issensitiveFunction tells whether a value has the mark. Of a value that is
// not known yet that is not known either.
var issensitiveFunction = function.New(&function.Spec{
	Params: []function.Parameter{anyValue},
	Type:   function.StaticReturnType(cty.Bool),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		switch v := args[0]; {
		case v.HasMark(Sensitive):
			return cty.True, nil
		case !v.IsKnown():
			return cty.UnknownVal(cty.Bool), nil
		}
		return cty.False, nil
	},
})

// anyValue is a parameter that takes whatever there is, as it is.
var anyValue = function.Parameter{
	Name: "value", Type: cty.DynamicPseudoType,
	AllowUnknown: true, AllowNull: true, AllowMarked: true, AllowDynamicType: true,
}

// marking makes a function that changes only the marks of its argument.
func marking(change func(cty.Value) cty.Value) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{anyValue},
		Type:   func(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil },
		Impl:   func(args []cty.Value, _ cty.Type) (cty.Value, error) { return change(args[0]), nil },
	})
}
