package funcs

import (
	"errors"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

func numberEntries() []entry {
	return []entry{
		{name: "abs", function: stdlib.AbsoluteFunc, summary: "Returns a number without its sign."},
		{name: "ceil", function: stdlib.CeilFunc, summary: "Rounds a number up."},
		{name: "floor", function: stdlib.FloorFunc, summary: "Rounds a number down."},
		{name: "log", function: stdlib.LogFunc, summary: "Returns the logarithm of a number to a base."},
		{name: "max", function: stdlib.MaxFunc, summary: "Returns the largest of some numbers."},
		{name: "min", function: stdlib.MinFunc, summary: "Returns the smallest of some numbers."},
		{name: "parseint", function: stdlib.ParseIntFunc, check: checkConverted, summary: "Reads a whole number in a base from 2 to 62."},
		{name: "pow", function: stdlib.PowFunc, summary: "Raises a number to a power."},
		{name: "signum", function: stdlib.SignumFunc, summary: "Returns -1, 0 or 1: the sign of a number."},
		{name: "sum", function: sumFunction, check: checkNumbers, summary: "Adds up the numbers of a list or set, which must not be empty."},
	}
}

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
