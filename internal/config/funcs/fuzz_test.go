package funcs_test

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/deploy-action/deploy-action/internal/config/funcs"
)

// FuzzFunctions calls a function with arguments made of arbitrary bytes: it
// may refuse them, but must not panic.
func FuzzFunctions(f *testing.F) {
	place := newPlace(f)
	table := maps.Clone(funcs.Standard())
	maps.Copy(table, place.Functions())
	maps.Copy(table, place.Templates(nil))
	// The standard library's setproduct panics where tuples hold a null among
	// others; config turns that into a problem.
	delete(table, "setproduct")
	names := slices.Sorted(maps.Keys(table))
	for i := range names {
		f.Add(uint16(i), []byte("\x01ab\x00\x02\x05\x03\x02\x01a\x01b\x04"))
		f.Add(uint16(i), []byte{3, 0})
	}
	f.Fuzz(func(t *testing.T, index uint16, data []byte) {
		name := names[int(index)%len(names)]
		var args []cty.Value
		for len(data) > 0 && len(args) < 4 {
			var arg cty.Value
			arg, data = argument(data, 2)
			args = append(args, arg)
		}
		_, err := table[name].Call(args)
		if panicked, ok := errors.AsType[function.PanicError](err); ok {
			t.Errorf("%s(%#v) panicked: %v\n%s", name, args, panicked.Value, panicked.Stack)
		}
	})
}

// argument makes a value of the first bytes of data and returns what is left.
func argument(data []byte, depth int) (cty.Value, []byte) {
	if len(data) == 0 {
		return cty.NullVal(cty.DynamicPseudoType), nil
	}
	kind, data := data[0]%9, data[1:]
	text := func() string {
		n := min(len(data), 1+int(kind)*2)
		s := strings.ToValidUTF8(string(data[:n]), "?") // HCL has no other strings
		data = data[n:]
		return s
	}
	var elements []cty.Value
	if kind >= 3 && kind <= 5 && depth > 0 {
		for range 2 {
			var element cty.Value
			element, data = argument(data, depth-1)
			elements = append(elements, element)
		}
	}
	switch kind {
	case 0:
		return cty.StringVal(text()), data
	case 1:
		var number [8]byte
		copy(number[:], text())
		return cty.NumberIntVal(int64(int16(binary.LittleEndian.Uint16(number[:])))), data
	case 2:
		return cty.BoolVal(len(data)%2 == 0), data
	case 3, 4:
		return cty.TupleVal(elements), data
	case 5:
		object := map[string]cty.Value{}
		for _, element := range elements {
			object[text()] = element
		}
		return cty.ObjectVal(object), data
	case 6:
		return cty.ListVal([]cty.Value{cty.StringVal(text()), cty.StringVal(text())}), data
	case 7:
		return cty.UnknownVal(cty.String), data
	}
	return cty.NullVal(cty.String), data
}

// FuzzTemplate renders arbitrary templates: they may be refused, but must not
// panic.
func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{
		"plain", "${a}", "%{ for x in b }${x}%{ endfor }", "${upper(a)}", "${", "%{ if c }x%{ else }${b[0]}%{ endif ~}",
		"${[for k, v in d : \"${k}-${v}\"]}", "$${a} %%{", "${templatestring(a)}", "${b[*].x}", "${try(a.b, 1e9)}",
	} {
		f.Add(seed)
	}
	place := newPlace(f)
	render := place.Templates(contextOf(place))["templatestring"]
	vars := cty.ObjectVal(map[string]cty.Value{
		"a": cty.StringVal("x"),
		"b": cty.ListVal([]cty.Value{cty.StringVal("y").Mark(funcs.Sensitive), cty.UnknownVal(cty.String)}),
		"c": cty.UnknownVal(cty.Bool),
		"d": cty.MapVal(map[string]cty.Value{"k": cty.StringVal("v")}),
	})
	f.Fuzz(func(t *testing.T, template string) {
		if len(template) > 10_000 || !utf8.ValidString(template) {
			return
		}
		_, err := render.Call([]cty.Value{cty.StringVal(template), vars})
		if panicked, ok := errors.AsType[function.PanicError](err); ok {
			t.Errorf("%q panicked: %v\n%s", template, panicked.Value, panicked.Stack)
		}
	})
}

// FuzzSelector matches arbitrary selectors: what is found valid can be matched,
// and the same twice.
func FuzzSelector(f *testing.F) {
	for _, seed := range []string{
		`env == prod`, `"/a-b" matches "^x"`, `not (a in b) and c is empty`, `a.b == 1`, `any a as b { b == c }`, "((((a == b", `a == "`,
	} {
		f.Add(seed, "prod")
	}
	f.Fuzz(func(t *testing.T, selector, label string) {
		labels := map[string]string{"env": label, "a": label}
		parsed, err := funcs.ParseSelector(selector)
		if err != nil {
			return
		}
		got, err := parsed.Match(labels)
		if again, _ := parsed.Match(labels); err == nil && again != got {
			t.Errorf("%q gives %v and %v", selector, got, again)
		}
	})
}
