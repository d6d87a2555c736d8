package funcs_test

import (
	"strings"
	"testing"

	"github.com/deploy-action/deploy-action/internal/config/funcs"
)

// results are calls with an expression for their exact result.
var results = map[string]string{
	`base64gunzip(base64gzip("a"))`:                                                                  `"a"`,
	`cidrhost("10.12.0.0/16", 5)`:                                                                    `"10.12.0.5"`,
	`cidrnetmask("172.16.0.0/12")`:                                                                   `"255.240.0.0"`,
	`cidrsubnet("172.16.0.0/12", 4, 2)`:                                                              `"172.18.0.0/16"`,
	`cidrsubnets("10.1.0.0/16", 4, 8)`:                                                               `tolist(["10.1.0.0/20", "10.1.16.0/24"])`,
	`filemd5("${here}/../above.txt") == md5("above")`:                                                `true`,
	`filesha1("${here}/../above.txt") == sha1("above")`:                                              `true`,
	`filesha256("${here}/../above.txt") == sha256("above")`:                                          `true`,
	`filesha512("${here}/../above.txt") == sha512("above")`:                                          `true`,
	`filebase64sha256("${here}/../above.txt") == base64sha256("above")`:                              `true`,
	`filebase64sha512("${here}/../above.txt") == base64sha512("above")`:                              `true`,
	`index(["a", "b"], "b")`:                                                                         `1`,
	`issensitive(sensitive("a"))`:                                                                    `true`,
	`issensitive("a")`:                                                                               `false`,
	`matchkeys(["x", "y", "z"], ["a", "b", "a"], ["a"])`:                                             `tolist(["x", "z"])`,
	`matchkeys(["x"], ["a"], ["b"])`:                                                                 `slice(tolist(["x"]), 0, 0)`,
	`selectormatch({ env = "prod" }, "env == prod")`:                                                 `true`,
	`selectorlookup({ env = "prod" }, { "env == dev" = 1, "env == prod" = 2 }, 3)`:                   `2`,
	`selectorlookup({ env = "prod" }, { "env == dev" = 1 }, 3)`:                                      `3`,
	`selectorlookup({ env = "prod" }, { "env == prod" = "z", "env != dev" = "a" }, "")`:              `"a"`,
	`substr(bcrypt("a", 4), 0, 7)`:                                                                   `"$2a$04$"`,
	`textencodebase64("é", "UTF-16LE")`:                                                              `"6QA="`,
	`textdecodebase64("6QA=", "UTF-16LE")`:                                                           `"é"`,
	`timecmp("2026-01-02T03:04:05Z", "2026-01-02T04:04:05+01:00")`:                                   `0`,
	`timecmp("2026-01-02T03:04:05Z", "2027-01-02T03:04:05Z")`:                                        `-1`,
	`transpose({ a = ["1", "2"], b = ["2"] })`:                                                       `tomap({ "1" = tolist(["a"]), "2" = tolist(["a", "b"]) })`,
	`urldecode("a+b%26c")`:                                                                           `"a b&c"`,
	`length(uuid())`:                                                                                 `36`,
	`uuidv5("dns", "www.terraform.io")`:                                                              `"a5008fae-b28c-5ba5-96cd-82b4c53552d6"`,
	`file(jsonnetfile("${here}/a.jsonnet", { ext_vars = { a = "x" }, tla_code = { n = "1 + 1" } }))`: `"{\n   \"a\": \"x\",\n   \"n\": 2\n}\n"`,
	`basename(jsonnetfile("${here}/json/b.jsonnet", null))`:                                          `"b.json"`,
	`fileset(jsonnetdir("${here}/json", {}), "**")`:                                                  `toset(["b.json", "more/c.json"])`,
	`jsondecode(file("${jsonnetdir("${here}/json", {})}/more/c.json"))`:                              `{ b = 1, text = "hello\n" }`,
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
	`base64gunzip("YQ==")`:                                          `this is not compressed by gzip`,
	`bcrypt("a", 31)`:                                               `a cost of more than 13 takes too long`,
	`cidrhost("x", 1)`:                                              `invalid CIDR`,
	`cidrsubnets("10.0.0.0/30", 4)`:                                 `too long for an IPv4 address`,
	`index(["a"], "b")`:                                             `the list does not have this value`,
	`index("a", "b")`:                                               `a list or tuple is required`,
	`matchkeys(["x"], ["a", "b"], ["a"])`:                           `there are 2 keys for 1 values`,
	`transpose({ a = [null] })`:                                     `the list "a" has a null`,
	`rsadecrypt("YQ==", "x")`:                                       `this is no key in PEM form`,
	`textencodebase64("a", "nope")`:                                 `there is no encoding "nope"`,
	`textencodebase64("\U0001F600", "ISO-8859-1")`:                  `it has characters that ISO-8859-1 cannot write`,
	`textdecodebase64("%", "UTF-8")`:                                `this is not base64`,
	`timecmp("x", "y")`:                                             `"x" is no time such as`,
	`urldecode("%zz")`:                                              `"%zz" is no escape`,
	`uuidv5("x", "y")`:                                              `doesn't support namespace x`,
	`parseint("x", 10)`:                                             `cannot parse "x" as a base 10 integer`,
	`selectormatch({}, "env = x")`:                                  `the selector "env = x" is not valid: what begins at character 5, "= x", is not understood; write it as in`,
	`selectorlookup({}, { "env ==" = 1 }, 2)`:                       `is not complete`,
	`selectorlookup({}, [1], 2)`:                                    `a map of values by their selectors is required`,
	`selectorlookup({}, { "a == b" = [1] }, "x")`:                   `the default must be of the same type as the values`,
	`jsonnetfile("${here}/a.jsonnet", { ext_var = {} })`:            `there is no option "ext_var". Did you mean "ext_vars"?`,
	`jsonnetfile("${here}/a.jsonnet", { ext_vars = 1 })`:            `the option "ext_vars": `,
	`jsonnetfile("${here}/a.jsonnet", { ext_vars = { a = null } })`: `the value of "a" is null`,
	`jsonnetfile("${here}/a.jsonnet", 1)`:                           `an object or null is required`,
	`jsonnetfile("${here}/a.jsonnet", {})`:                          `Missing argument: n`,
	`jsonnetfile("a.jsonnet", {})`:                                  `is relative; begin it with ${path.project}/`,
	`jsonnetfile("${here}/json/bad.libsonnet", {})`:                 `lies outside of the repository`,
	`jsonnetfile("${here}/json/recursive.libsonnet", {})`:           `max stack frames exceeded`,
	`jsonnetfile("${here}/deep.jsonnet", {})`:                       `it is nested too deep`,
	`jsonnetdir("${here}/nothing", {})`:                             `there is no folder`,
	`sum([])`:                                                       `an empty list has no sum`,
	`sum(["x"])`:                                                    `element 0: a number is required`,
	`sum("x")`:                                                      `a list, tuple or set is required`,
	`alltrue([null])`:                                               `element 0 is null`,
	`one(["a", "b"])`:                                               `it has more than one element`,
	`one("a")`:                                                      `a list, tuple or set is required`,
	`length(1)`:                                                     `a string, list, map, object, set or tuple is required`,
	`base64decode("%")`:                                             `this is not base64`,
	`base64decode("/w==")`:                                          `the decoded bytes are no UTF-8 text`,
	`file("hello.txt")`:                                             `the path "hello.txt" is relative; begin it with ${path.project}/ or ${path.app}/`,
	`file("${here}/nothing")`:                                       `there is no file "`,
	`file("${here}/bytes")`:                                         `is no UTF-8 text; filebase64 reads it`,
	`file("${here}")`:                                               `it is not a regular file`,
	`file("${here}/../../outside")`:                                 `lies outside of the repository`,
	`file("/etc/hostname")`:                                         `lies outside of the repository`,
	`file("${here}/outer-link")`:                                    `path escapes from parent`,
	`file("${here}/folder-link/secret")`:                            `path escapes from parent`,
	`filebase64("${here}/outer-link")`:                              `path escapes from parent`,
	`fileexists("${here}/below")`:                                   `it is not a regular file`,
	`fileexists("${here}/outer-link")`:                              `path escapes from parent`,
	`fileset(here, "[")`:                                            `the pattern "[" is not valid`,
	`fileset("/etc", "*")`:                                          `lies outside of the repository`,
	`fileset("${here}/folder-link", "*")`:                           `path escapes from parent`,
	`gitrefhash()`:                                                  `is in no Git repository`,
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
