package funcs

import (
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

func textEntries() []entry {
	return []entry{
		{name: "chomp", function: stdlib.ChompFunc, check: checkSlow, summary: "Removes newlines at the end of a text."},
		{name: "endswith", function: endsWithFunction, summary: "Reports whether a text ends with another."},
		{name: "format", function: stdlib.FormatFunc, check: checkFormat, summary: "Puts values into a text at its %s, %d, %q and other verbs."},
		{name: "formatlist", function: stdlib.FormatListFunc, check: checkFormat, summary: "Does what format does, once for each element of its lists."},
		{name: "indent", function: stdlib.IndentFunc, check: checkIndent, summary: "Puts spaces before every line but the first."},
		{name: "join", function: stdlib.JoinFunc, check: checkJoin, summary: "Joins the texts of lists with a separator."},
		{name: "lower", function: stdlib.LowerFunc, summary: "Makes all letters small."},
		{name: "regex", function: stdlib.RegexFunc, check: checkRegex, summary: "Returns the first match of a regular expression, or its groups; none is an error."},
		{name: "regexall", function: stdlib.RegexAllFunc, check: checkRegexAll, summary: "Returns all matches of a regular expression."},
		{name: "replace", function: stdlib.ReplaceFunc, check: checkReplace, summary: "Replaces every occurrence of a text, taken literally."},
		{name: "split", function: stdlib.SplitFunc, check: checkSplit, summary: "Splits a text at every separator."},
		{name: "startswith", function: startsWithFunction, summary: "Reports whether a text begins with another."},
		{name: "strcontains", function: containsTextFunction, summary: "Reports whether a text contains another."},
		{name: "strrev", function: stdlib.ReverseFunc, check: checkSlow, summary: "Reverses the characters of a text."},
		{name: "substr", function: stdlib.SubstrFunc, check: checkSlow, summary: "Returns part of a text by offset and length, in characters; a negative offset counts from the end, the length -1 means the rest."},
		{name: "title", function: stdlib.TitleFunc, check: checkSlow, summary: "Makes the first letter of each word a capital."},
		{name: "trim", function: stdlib.TrimFunc, check: checkTrim, summary: "Removes characters of a set from both ends of a text."},
		{name: "trimprefix", function: stdlib.TrimPrefixFunc, summary: "Removes a text from the beginning, if it is there."},
		{name: "trimspace", function: stdlib.TrimSpaceFunc, summary: "Removes white space from both ends of a text."},
		{name: "trimsuffix", function: stdlib.TrimSuffixFunc, summary: "Removes a text from the end, if it is there."},
		{name: "upper", function: stdlib.UpperFunc, summary: "Makes all letters capitals."},
	}
}

// The functions on text that the standard library lacks.
var (
	startsWithFunction   = textTest(strings.HasPrefix, "prefix")
	endsWithFunction     = textTest(strings.HasSuffix, "suffix")
	containsTextFunction = textTest(strings.Contains, "substr")
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
