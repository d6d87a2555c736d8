package funcs

import (
	"fmt"
	"time"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

func timeEntries() []entry {
	return []entry{
		{name: "formatdate", function: stdlib.FormatDateFunc, summary: "Writes a time as a pattern such as \"YYYY-MM-DD\" says."},
		{name: "timeadd", function: stdlib.TimeAddFunc, summary: "Adds a duration such as \"1h30m\" to a time."},
		{name: "timecmp", function: compareTimesFunction, summary: "Returns -1, 0 or 1: whether the first time is before, at or after the second."},
		{name: "timestamp", function: timestampFunction, summary: "Returns the present time in UTC, such as \"2026-01-02T03:04:05Z\"."},
	}
}

// timestampFunction returns the present time as RFC 3339 writes it.
var timestampFunction = function.New(&function.Spec{
	Type: function.StaticReturnType(cty.String),
	Impl: func([]cty.Value, cty.Type) (cty.Value, error) {
		return cty.StringVal(time.Now().UTC().Format(time.RFC3339)), nil
	},
})

// compareTimesFunction compares two times, whatever their zones.
var compareTimesFunction = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "a", Type: cty.String}, {Name: "b", Type: cty.String}},
	Type:   function.StaticReturnType(cty.Number),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		var times [2]time.Time
		for i, arg := range args {
			parsed, err := time.Parse(time.RFC3339, arg.AsString())
			if err != nil {
				return cty.NilVal, function.NewArgError(i, fmt.Errorf("%q is no time such as \"2026-01-02T03:04:05Z\"", arg.AsString()))
			}
			times[i] = parsed
		}
		return cty.NumberIntVal(int64(times[0].Compare(times[1]))), nil
	},
})
