package funcs_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/deploy-action/deploy-action/internal/config/funcs"
)

// slow is far more than a call may take, so that a busy machine does not count.
const slow = 30 * time.Second

// TestLimits makes calls that would take hours or all memory.
func TestLimits(t *testing.T) {
	t.Parallel()
	place := newPlace(t)
	table := maps.Clone(funcs.Standard())
	maps.Copy(table, place.Functions())
	maps.Copy(table, place.Templates(nil))
	repeat := func(s string, n int) cty.Value { return cty.StringVal(strings.Repeat(s, n)) }
	list := func(n int) cty.Value {
		elements := make([]cty.Value, n)
		for i := range elements {
			elements[i] = cty.NumberIntVal(int64(i))
		}
		return cty.ListVal(elements)
	}
	number := cty.MustParseNumberVal
	object := func(v cty.Value) cty.Value { return cty.ObjectVal(map[string]cty.Value{"a": v}) }
	var nested strings.Builder
	nested.WriteString("a0: &a0 [x, x, x]\n")
	for i := range 40 {
		fmt.Fprintf(&nested, "a%d: &a%d [*a%d, *a%d, *a%d]\n", i+1, i+1, i, i, i)
	}
	const mega = 1 << 20
	for _, c := range []struct {
		name, want string
		args       []cty.Value
	}{
		{"upper", "more than 16 MB", []cty.Value{repeat("a", 17*mega)}},
		{"join", "more than 16 MB or 65536 elements", []cty.Value{cty.StringVal(""), list(70_000)}},
		{"strrev", "more than 4 MB", []cty.Value{repeat("a", 5*mega)}},
		{"jsonencode", "more than 4 MB", []cty.Value{repeat("<", 5*mega)}},
		{"tostring", "more than 1000 digits", []cty.Value{number("1e600000000")}},
		{"abs", "more than 1000 digits", []cty.Value{repeat("9", mega)}},
		{"parseint", "more than 1000 digits", []cty.Value{repeat("9", mega), cty.NumberIntVal(10)}},
		{"sum", "more than 1000 digits", []cty.Value{cty.TupleVal([]cty.Value{repeat("9", mega)})}},
		{"range", "1024", []cty.Value{number("1e300")}},
		{"format", "is more than 10000", []cty.Value{cty.StringVal("%1000000000d"), cty.NumberIntVal(1)}},
		{"format", "the result would be larger", []cty.Value{repeat("%[1]s", 100_000), repeat("a", 1000)}},
		{"formatlist", "the result would be larger", []cty.Value{cty.StringVal("%s%s"), list(60_000), repeat("a", 5000)}},
		{"indent", "between 0 and 10000", []cty.Value{number("1e9"), cty.StringVal("\n")}},
		{"indent", "between 0 and 10000", []cty.Value{number("-1"), cty.StringVal("\n")}},
		{"indent", "the result would be larger", []cty.Value{number("10000"), repeat("\n", 10_000)}},
		{"replace", "the result would be larger", []cty.Value{repeat("a", mega), cty.StringVal(""), repeat("b", 1000)}},
		{"join", "the result would be larger", []cty.Value{repeat("a", 1000), list(60_000)}},
		{"split", "more than 65536 elements", []cty.Value{cty.StringVal(""), repeat("a", mega)}},
		{"trim", "too many", []cty.Value{repeat("a", mega), repeat("b", mega)}},
		{"setproduct", "more than 65536 elements", []cty.Value{list(1000), list(1000)}},
		{"distinct", "too long", []cty.Value{list(60_000)}},
		{"tolist", "more than 5000 elements", []cty.Value{cty.TupleVal(list(6000).AsValueSlice())}},
		{"regex", "too long for this expression", []cty.Value{cty.StringVal("(a{1,30}){1,30}b"), repeat("a", mega)}},
		{"regexall", "takes too long", []cty.Value{cty.StringVal(".*x|a"), repeat("a", mega)}},
		{"jsondecode", "more than 500 deep", []cty.Value{repeat("[", 4*mega-1000)}},
		{"jsondecode", "more than 50000 values", []cty.Value{repeat("1,", mega)}},
		{"jsondecode", "more than 1000 digits", []cty.Value{repeat("1", mega)}},
		{"yamldecode", "lists and maps in brackets", []cty.Value{repeat("[", mega)}},
		{"yamldecode", "more than 50000 values", []cty.Value{repeat("- ", mega)}},
		{"yamldecode", "with those that aliases repeat", []cty.Value{cty.StringVal(nested.String())}},
		{"csvdecode", "more than 50000 values", []cty.Value{repeat("a,", mega)}},
		{"base64gunzip", "the result would be larger", []cty.Value{bomb(t)}},
		{"file", "at most 4096 are read", []cty.Value{repeat("/a", mega)}},
		{"fileset", "combinations of alternatives", []cty.Value{cty.StringVal(place.Dir), repeat("{a,b}", 30)}},
		{"templatestring", "at most 1048576 are read", []cty.Value{repeat("${a}", mega)}},
		{"templatestring", "Nesting too deep", []cty.Value{repeat("${[", 100_000)}},
		{"templatestring", "Nesting too deep", []cty.Value{cty.StringVal("${" + strings.Repeat("!", 100_000) + "a}")}},
		{"templatestring", "too many lines", []cty.Value{cty.StringVal(strings.Repeat("\n", mega-10) + "${a}")}},
		{"templatestring", "Expression too expensive", []cty.Value{cty.StringVal(strings.Repeat("%{for x in a}", 6) + strings.Repeat("%{endfor}", 6)), object(list(100))}},
	} {
		t.Run(c.name+" "+c.want, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			got, err := table[c.name].Call(c.args)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s gives a value: %v, and %v, want an error with %q", c.name, got != cty.NilVal, err, c.want)
			}
			if took := time.Since(start); took > slow {
				t.Errorf("%s took %v", c.name, took)
			}
		})
	}
}

// bomb returns a small text that decompresses to a large one.
func bomb(t *testing.T) cty.Value {
	t.Helper()
	var compressed bytes.Buffer
	writer := gzip.NewWriter(&compressed)
	if _, err := writer.Write(make([]byte, 20<<20)); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return cty.StringVal(base64.StdEncoding.EncodeToString(compressed.Bytes()))
}

func TestLargeFile(t *testing.T) {
	t.Parallel()
	place := newPlace(t)
	path := filepath.Join(place.Dir, "large")
	write(t, path, "")
	if err := os.Truncate(path, 11<<20); err != nil {
		t.Fatal(err)
	}
	wantError(t, place, `file("${here}/large")`, `has 11.0 MB, and at most 10 MB are read`)
	wantError(t, place, `filebase64("${here}/large")`, `at most 10 MB are read`)
	if _, err := evaluate(place, `filesha256("${here}/large")`); err != nil {
		t.Errorf("filesha256 of 11 MB: %v, want none", err)
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		value cty.Value
		want  int
	}{
		"text":     {cty.StringVal("abc"), 259},
		"unknown":  {cty.UnknownVal(cty.String), 256},
		"a secret": {cty.StringVal("abc").Mark(funcs.Sensitive), 259},
		"tuple":    {cty.TupleVal([]cty.Value{cty.StringVal("abc"), cty.True}), 256 + 259 + 256},
		"map":      {cty.MapVal(map[string]cty.Value{"k": cty.StringVal("abc")}), 256 + 1 + 259},
		"huge":     {cty.MustParseNumberVal("1e9999"), funcs.MaxSize + 1},
	} {
		if got := funcs.Size(c.value); got != c.want {
			t.Errorf("Size of %s = %d, want %d", name, got, c.want)
		}
	}
}
