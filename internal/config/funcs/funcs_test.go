package funcs_test

import (
	"encoding/binary"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/deploy-action/deploy-action/internal/config/funcs"
)

// results are calls with an expression for their exact result.
var results = map[string]string{
	`abs(-2)`:                   `2`,
	`ceil(1.2)`:                 `2`,
	`floor(1.8)`:                `1`,
	`log(8, 2)`:                 `3`,
	`max(1, 3, 2)`:              `3`,
	`min(1, 3, 2)`:              `1`,
	`parseint("ff", 16)`:        `255`,
	`pow(2, 10)`:                `1024`,
	`signum(-7)`:                `-1`,
	`sum([1, 2.5, "3"])`:        `6.5`,
	`chomp("a\n")`:              `"a"`,
	`endswith("abc", "bc")`:     `true`,
	`startswith("abc", "bc")`:   `false`,
	`strcontains("abc", "b")`:   `true`,
	`format("%s-%03d", "a", 7)`: `"a-007"`,
	`formatdate("YYYY", "2026-01-02T03:04:05Z")`: `"2026"`,
	`timeadd("2026-01-02T03:04:05Z", "1h")`:      `"2026-01-02T04:04:05Z"`,
	`formatlist("%s!", ["a", "b"])`:              `tolist(["a!", "b!"])`,
	`indent(2, "a\nb")`:                          `"a\n  b"`,
	`join("-", ["a", "b"])`:                      `"a-b"`,
	`lower("AbC")`:                               `"abc"`,
	`upper("AbC")`:                               `"ABC"`,
	`title("a bc")`:                              `"A Bc"`,
	`regex("[a-z]+", "12ab")`:                    `"ab"`,
	`regexall("[a-z]", "1a2b")`:                  `tolist(["a", "b"])`,
	`replace("a.b.c", ".", "-")`:                 `"a-b-c"`,
	`split(",", "a,b")`:                          `tolist(["a", "b"])`,
	`strrev("abc")`:                              `"cba"`,
	`substr("hello", 1, 3)`:                      `"ell"`,
	`trim("--a--", "-")`:                         `"a"`,
	`trimprefix("v1", "v")`:                      `"1"`,
	`trimsuffix("a.txt", ".txt")`:                `"a"`,
	`trimspace("  a ")`:                          `"a"`,
	`alltrue([true, "true"])`:                    `true`,
	`alltrue([])`:                                `true`,
	`anytrue([false, true])`:                     `true`,
	`anytrue([])`:                                `false`,
	`chunklist(["a", "b", "c"], 2)`:              `tolist([tolist(["a", "b"]), tolist(["c"])])`,
	`coalesce("", "a", "b")`:                     `"a"`,
	`coalescelist([], ["a"])`:                    `["a"]`,
	`compact(["a", "", "b"])`:                    `tolist(["a", "b"])`,
	`concat(["a"], ["b"])`:                       `["a", "b"]`,
	`contains(["a"], "a")`:                       `true`,
	`distinct(["a", "a"])`:                       `tolist(["a"])`,
	`element(["a", "b"], 3)`:                     `"b"`,
	`flatten([["a"], ["b", ["c"]]])`:             `["a", "b", "c"]`,
	`keys({ b = 1, a = 2 })`:                     `["a", "b"]`,
	`values({ b = 1, a = 2 })`:                   `[2, 1]`,
	`length("héllo")`:                            `5`,
	`length([1, 2])`:                             `2`,
	`length({ a = 1 })`:                          `1`,
	`length(toset(["a", "a"]))`:                  `1`,
	`lookup({ a = "x" }, "b", "y")`:              `"y"`,
	`merge({ a = 1 }, { a = 2, b = 3 })`:         `{ a = 2, b = 3 }`,
	`one(["a"])`:                                 `"a"`,
	`one([]) == null`:                            `true`,
	`range(3)`:                                   `tolist([0, 1, 2])`,
	`reverse(["a", "b"])`:                        `["b", "a"]`,
	`setintersection(["a", "b"], ["b"])`:         `toset(["b"])`,
	`setproduct(["a"], ["b"])`:                   `tolist([["a", "b"]])`,
	`setsubtract(["a", "b"], ["b"])`:             `toset(["a"])`,
	`setunion(["a"], ["b"])`:                     `toset(["a", "b"])`,
	`slice(["a", "b", "c"], 1, 2)`:               `["b"]`,
	`sort(["b", "a"])`:                           `tolist(["a", "b"])`,
	`zipmap(["a"], [1])`:                         `{ a = 1 }`,
	`base64encode("a")`:                          `"YQ=="`,
	`base64decode("YQ==")`:                       `"a"`,
	`substr(base64gzip("a"), 0, 4)`:              `"H4sI"`,
	`md5("a")`:                                   `"0cc175b9c0f1b6a831c399e269772661"`,
	`sha1("a")`:                                  `"86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"`,
	`sha256("a")`:                                `"ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"`,
	`substr(sha512("a"), 0, 8)`:                  `"1f40fc92"`,
	`base64sha256("a")`:                          `"ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs="`,
	`substr(base64sha512("a"), 0, 8)`:            `"H0D8ktok"`,
	`csvdecode("a,b\n1,2")`:                      `tolist([{ a = "1", b = "2" }])`,
	`jsonencode({ a = [1, true, null] })`:        `"{\"a\":[1,true,null]}"`,
	`jsondecode("{\"a\":[1]}")`:                  `{ a = [1] }`,
	`yamlencode({ a = [1] })`:                    `"\"a\":\n- 1\n"`,
	`yamldecode("a: [1]")`:                       `{ a = [1] }`,
	`urlencode("a b&c")`:                         `"a+b%26c"`,
	`can(nothing.at.all)`:                        `false`,
	`try(nothing.at.all, "a")`:                   `"a"`,
	`tobool("true")`:                             `true`,
	`tonumber("1.5")`:                            `1.5`,
	`tostring(1)`:                                `"1"`,
	`tomap({ a = 1 })["a"]`:                      `1`,
	`tolist(["a"])[0]`:                           `"a"`,
	`nonsensitive(sensitive("a"))`:               `"a"`,
	`length(timestamp())`:                        `20`,
	`abspath("a/../b") == "${here}/b"`:           `true`,
	`abspath("/a/../b")`:                         `"/b"`,
	`basename("/a/b.txt")`:                       `"b.txt"`,
	`dirname("/a/b.txt")`:                        `"/a"`,
	`pathexpand("~/a")`:                          `"/home/someone/a"`,
	`pathexpand("~other/a")`:                     `"~other/a"`,
	`file("${here}/hello.txt")`:                  `"hello\n"`,
	`file("${here}/../above.txt")`:               `"above"`,
	`file("${here}/inner-link")`:                 `"hello\n"`,
	`filebase64("${here}/bytes")`:                `"/w=="`,
	`fileexists("${here}/hello.txt")`:            `true`,
	`fileexists("${here}/nothing")`:              `false`,
	`fileset(here, "**/*.txt")`:                  `toset(["hello.txt", "below/more.txt"])`,
	`length(fileset(here, "*.{md,go}"))`:         `0`,
	`length(fileset("${here}/nothing", "*"))`:    `0`,
}

func TestFunctions(t *testing.T) {
	t.Parallel()
	place := newPlace(t)
	for call, want := range results {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			got, err := evaluate(place, call)
			if err != nil {
				t.Fatal(err)
			}
			expected, err := evaluate(place, want)
			if err != nil {
				t.Fatal(err)
			}
			if !got.RawEquals(expected) {
				t.Errorf("%s = %#v, want %#v", call, got, expected)
			}
		})
	}
}

// mistakes are wrong calls with what their author is told.
var mistakes = map[string]string{
	`sum([])`:                             `an empty list has no sum`,
	`sum(["x"])`:                          `element 0: a number is required`,
	`sum("x")`:                            `a list, tuple or set is required`,
	`alltrue([null])`:                     `element 0 is null`,
	`one(["a", "b"])`:                     `it has more than one element`,
	`one("a")`:                            `a list, tuple or set is required`,
	`length(1)`:                           `a string, list, map, object, set or tuple is required`,
	`base64decode("%")`:                   `this is not base64`,
	`base64decode("/w==")`:                `the decoded bytes are no UTF-8 text`,
	`file("hello.txt")`:                   `the path "hello.txt" is relative; begin it with ${path.project}/ or ${path.app}/`,
	`file("${here}/nothing")`:             `there is no file "`,
	`file("${here}/bytes")`:               `is no UTF-8 text; filebase64 reads it`,
	`file("${here}")`:                     `it is not a regular file`,
	`file("${here}/../../outside")`:       `lies outside of the repository`,
	`file("/etc/hostname")`:               `lies outside of the repository`,
	`file("${here}/outer-link")`:          `path escapes from parent`,
	`file("${here}/folder-link/secret")`:  `path escapes from parent`,
	`filebase64("${here}/outer-link")`:    `path escapes from parent`,
	`fileexists("${here}/below")`:         `it is not a regular file`,
	`fileexists("${here}/outer-link")`:    `path escapes from parent`,
	`fileset(here, "[")`:                  `the pattern "[" is not valid`,
	`fileset("/etc", "*")`:                `lies outside of the repository`,
	`fileset("${here}/folder-link", "*")`: `path escapes from parent`,
	`gitrefhash()`:                        `is in no Git repository`,
}

func TestFunctionErrors(t *testing.T) {
	t.Parallel()
	place := newPlace(t)
	for call, want := range mistakes {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			got, err := evaluate(place, call)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s = %#v, %v, want an error with %q", call, got, err, want)
			}
		})
	}
}

// Folders that links lead out to are not listed.
func TestFileSetFollowsNoLinks(t *testing.T) {
	t.Parallel()
	got, err := evaluate(newPlace(t), `fileset(here, "**/secret")`)
	if err != nil || got.LengthInt() != 0 {
		t.Errorf("fileset = %#v, %v, want nothing", got, err)
	}
}

func TestSensitiveValuesStaySensitive(t *testing.T) {
	t.Parallel()
	for _, call := range []string{
		`upper(sensitive("a"))`,
		`"${sensitive("a")}-b"`,
		`jsonencode({ a = sensitive("a") })`,
		`base64encode(sensitive("a"))`,
		`length(sensitive(["a"]))`,
		`sum([1, sensitive(2)])`,
		`startswith(sensitive("a"), "b")`,
		`sha256(sensitive("a"))`,
		`yamlencode([sensitive("a")])`,
	} {
		got, err := evaluate(newPlace(t), call)
		if err != nil || !got.HasMark(funcs.Sensitive) {
			t.Errorf("%s = %#v, %v, want a sensitive value", call, got, err)
		}
	}
}

// FuzzFunctions calls a function with arguments made of arbitrary bytes: it
// may refuse them, but must not panic.
func FuzzFunctions(f *testing.F) {
	place := newPlace(f)
	table := maps.Clone(funcs.Standard())
	maps.Copy(table, place.Functions())
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

// newPlace makes a project in a repository with files, and links that lead
// elsewhere.
func newPlace(t testing.TB) funcs.Place {
	t.Helper()
	top := t.TempDir()
	place := funcs.Place{
		Dir:  filepath.Join(top, "repository/project"),
		Root: filepath.Join(top, "repository"),
		Home: "/home/someone",
	}
	for name, content := range map[string]string{
		"outside/secret":                        "secret",
		"repository/above.txt":                  "above",
		"repository/project/hello.txt":          "hello\n",
		"repository/project/bytes":              "\xff",
		"repository/project/below/more.txt":     "more",
		"repository/project/below/other/x.yaml": "x",
	} {
		write(t, filepath.Join(top, name), content)
	}
	for name, destination := range map[string]string{
		"inner-link":  "hello.txt",
		"outer-link":  "../../outside/secret",
		"folder-link": "../../outside",
	} {
		if err := os.Symlink(destination, filepath.Join(place.Dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return place
}

// evaluate evaluates one expression; the variable here is the project's folder.
func evaluate(place funcs.Place, source string) (cty.Value, error) {
	expr, diags := hclsyntax.ParseExpression([]byte(source), "test", hcl.InitialPos)
	if diags.HasErrors() {
		return cty.NilVal, diags
	}
	ctx := (&hcl.EvalContext{Functions: funcs.Standard()}).NewChild()
	ctx.Functions = place.Functions()
	ctx.Variables = map[string]cty.Value{"here": cty.StringVal(place.Dir)}
	value, diags := expr.Value(ctx)
	if diags.HasErrors() {
		return cty.NilVal, diags
	}
	return value, nil
}

// write writes a file and the folders above it.
func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
