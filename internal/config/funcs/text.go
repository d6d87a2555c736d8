package funcs

import (
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// The functions on text that the standard library lacks.
var (
	startsWithFunction   = textTest(strings.HasPrefix, "prefix")
	endsWithFunction     = textTest(strings.HasSuffix, "suffix")
	containsTextFunction = textTest(strings.Contains, "substr")

	timestampFunction = function.New(&function.Spec{
		Description: "Returns the present time in UTC as RFC 3339 writes it.",
		Type:        function.StaticReturnType(cty.String),
		Impl: func([]cty.Value, cty.Type) (cty.Value, error) {
			return cty.StringVal(time.Now().UTC().Format(time.RFC3339)), nil
		},
	})
)

// textTest makes a function of two strings that answers true or false.
func textTest(test func(s, part string) bool, part string) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{
			{Name: "str", Type: cty.String},
			{Name: part, Type: cty.String},
		},
		Type: function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.BoolVal(test(args[0].AsString(), args[1].AsString())), nil
		},
	})
}
