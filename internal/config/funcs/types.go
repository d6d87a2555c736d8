package funcs

import (
	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

func typeEntries() []entry {
	return []entry{
		{name: "can", function: tryfunc.CanFunc, summary: "Reports whether an expression can be evaluated without an error."},
		{name: "issensitive", function: issensitiveFunction, summary: "Reports whether a value is sensitive."},
		{name: "nonsensitive", function: nonsensitiveFunction, summary: "Returns a sensitive value as one that may be shown."},
		{name: "sensitive", function: sensitiveFunction, summary: "Returns a value that is never shown."},
		{name: "tobool", function: stdlib.MakeToFunc(cty.Bool), summary: "Converts a value to true or false."},
		{name: "tolist", function: stdlib.MakeToFunc(cty.List(cty.DynamicPseudoType)), check: checkConverted, summary: "Converts a value to a list."},
		{name: "tomap", function: stdlib.MakeToFunc(cty.Map(cty.DynamicPseudoType)), check: checkConverted, summary: "Converts a value to a map."},
		{name: "tonumber", function: stdlib.MakeToFunc(cty.Number), check: checkConverted, summary: "Converts a value to a number."},
		{name: "toset", function: stdlib.MakeToFunc(cty.Set(cty.DynamicPseudoType)), check: checkConverted, summary: "Converts a value to a set."},
		{name: "tostring", function: stdlib.MakeToFunc(cty.String), summary: "Converts a value to text."},
		{name: "try", function: tryfunc.TryFunc, summary: "Returns the first of some expressions that can be evaluated without an error."},
	}
}
