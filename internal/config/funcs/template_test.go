package funcs_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/deploy-action/deploy-action/internal/config/funcs"
)

// templatePlace is a place with templates.
func templatePlace(t *testing.T) *funcs.Place {
	t.Helper()
	place := newPlace(t)
	for name, content := range map[string]string{
		"a.tpl":          "Hello ${name}, %{ for x in list }<${x}>%{ endfor }!",
		"plain.txt":      "no sequences: $5, 10 % {}\n",
		"here.tpl":       "${here} ${upper(name)}",
		"missing.tpl":    "first\n  ${nmae}\n",
		"syntax.tpl":     "a\n${ 1 + }",
		"nested.tpl":     `${templatestring("x")}`,
		"list.tpl":       "${list}",
		"tree/a.txt":     "a ${name}",
		"tree/b/c.sh":    "${name}",
		"tree/bytes":     "\xff${name}",
		"bad/link-tree":  "",
		"outer/file.txt": "x",
	} {
		write(t, filepath.Join(place.Dir, name), content)
	}
	for name, target := range map[string]string{
		"tree/link": "../a.txt.real", "outer/link": "/etc/hostname", "bad/folder": "../tree",
	} {
		if err := os.Symlink(target, filepath.Join(place.Dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(place.Dir, "a.txt.real"), "linked ${name}")
	if err := os.Chmod(filepath.Join(place.Dir, "tree/b/c.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	return place
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	place := templatePlace(t)
	for call, want := range map[string]string{
		`file(templatefile("${here}/a.tpl", { name = "you" }, { list = [1, "b"] }))`:          `"Hello you, <1><b>!"`,
		`file(templatefile("${here}/a.tpl", { name = "a", list = [] }, { name = "b" }))`:      `"Hello b, !"`,
		`file(templatefile("${here}/plain.txt"))`:                                             `"no sequences: $5, 10 % {}\n"`,
		`file(templatefile("${here}/here.tpl", { name = "x" }))`:                              `"${here} X"`,
		`basename(templatefile("${here}/a.tpl", { name = "", list = [] }))`:                   `"a.tpl"`,
		`file(templatefile(templatefile("${here}/plain.txt")))`:                               `"no sequences: $5, 10 % {}\n"`,
		`file("${templatedir("${here}/tree", { name = "x" })}/a.txt")`:                        `"a x"`,
		`file("${templatedir("${here}/tree", { name = "x" })}/b/c.sh")`:                       `"x"`,
		`file("${templatedir("${here}/tree", { name = "x" })}/link")`:                         `"linked x"`,
		`filebase64("${templatedir("${here}/tree", { name = "x" })}/bytes")`:                  `base64encode("?") == "" ? "" : filebase64("${here}/tree/bytes")`,
		`fileset(templatedir("${here}/tree", { name = "x" }), "**")`:                          `toset(["a.txt", "b/c.sh", "bytes", "link"])`,
		`templatestring("$${n + 1}", { n = 2 })`:                                              `3`,
		`templatestring("$${list}", { list = ["a"] })`:                                        `["a"]`,
		`templatestring("a $${n}", { n = 2 })`:                                                `"a 2"`,
		`templatestring("")`:                                                                  `""`,
		`templatefile("${here}/plain.txt") == templatefile("${here}/plain.txt")`:              `true`,
		`try(templatestring("$${no}"), "fallback")`:                                           `"fallback"`,
		`templatestring("$${file(\"$${here}/hello.txt\")}")`:                                  `"hello\n"`,
		`templatefile("${here}/a.tpl", { name = "a", list = [] }) == "${here}/a.tpl"`:         `false`,
		`fileexists(templatefile("${here}/here.tpl", { name = "y" }))`:                        `true`,
		`filesha256(templatefile("${here}/here.tpl", { name = "y" })) == sha256("${here} Y")`: `true`,
	} {
		wantValue(t, place, call, want)
	}
}

// wantValue checks that a call gives the value of another expression.
func wantValue(t *testing.T, place *funcs.Place, call, want string) {
	t.Helper()
	got, err := evaluate(place, call)
	if err != nil {
		t.Errorf("%s: %v", call, err)
		return
	}
	expected, err := evaluate(place, want)
	if err != nil {
		t.Fatal(err)
	}
	if !got.RawEquals(expected) {
		t.Errorf("%s = %#v, want %#v", call, got, expected)
	}
}

// wantError checks that a call fails with a text.
func wantError(t *testing.T, place *funcs.Place, call, want string) {
	t.Helper()
	got, err := evaluate(place, call)
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%s = %#v, %v, want an error with %q", call, got, err, want)
	}
}

func TestTemplateErrors(t *testing.T) {
	t.Parallel()
	place := templatePlace(t)
	for call, want := range map[string]string{
		`templatefile("a.tpl")`:                                          `the path "a.tpl" is relative`,
		`templatefile("${here}/none")`:                                   `there is no file "`,
		`templatefile("${here}/bytes")`:                                  `is no UTF-8 text, so it cannot be a template`,
		`templatefile("/etc/hostname")`:                                  `lies outside of the repository`,
		`templatefile("${here}/missing.tpl", { name = "" })`:             `/missing.tpl:2:5: Unknown variable: There is no variable named "nmae". Did you mean "name"? There are: dynamic, here, name, unknown.`,
		`templatefile("${here}/syntax.tpl")`:                             `/syntax.tpl:2:`,
		`templatefile("${here}/nested.tpl")`:                             `a template cannot render another; call it outside`,
		`templatefile("${here}/list.tpl", { list = ["a"] })`:             `gives a value that is no text`,
		`templatefile("${here}/list.tpl", { list = null })`:              `gives null`,
		`templatefile("${here}/a.tpl", "x")`:                             `a map of variables is required`,
		`templatefile("${here}/a.tpl", { "a b" = 1 })`:                   `"a b" cannot be the name of a variable`,
		`templatefile("${here}/a.tpl", null)`:                            `argument must not be null`,
		`templatestring("$${nothing}")`:                                  `template:1:3: Unknown variable`,
		`templatestring("$${")`:                                          `template:1:`,
		`templatedir("${here}/none")`:                                    `there is no folder "`,
		`templatedir("${here}/a.tpl")`:                                   `is not a folder`,
		`templatedir("${here}/outer")`:                                   `path escapes from parent`,
		`templatedir("${here}/bad")`:                                     `leads to a folder; only links to files are followed`,
		`templatestring("$${1e99999}")`:                                  `gives more than 16 MB`,
		`templatestring(join("", [for i in range(1024) : "$${[["]), {})`: `template:1:`,
	} {
		wantError(t, place, call, want)
	}
}

func TestTemplatesWithoutFolder(t *testing.T) {
	t.Parallel()
	place := templatePlace(t)
	place = &funcs.Place{Dir: place.Dir, Root: place.Root}
	for _, call := range []string{
		`templatefile("${here}/plain.txt")`, `templatedir("${here}/tree")`, `jsonnetfile("${here}/a.jsonnet", null)`,
	} {
		wantError(t, place, call, "there is no temporary folder")
	}
}

func TestTemplatesOfUnknownValues(t *testing.T) {
	t.Parallel()
	place := templatePlace(t)
	for call, unknown := range map[string]bool{
		`templatefile("${here}/here.tpl", { name = unknown })`:                        true,
		`templatefile("${here}/here.tpl", dynamic)`:                                   true,
		`templatefile("${here}/plain.txt", { name = unknown })`:                       false,
		`templatefile(unknown)`:                                                       true,
		`templatedir("${here}/tree", { name = unknown })`:                             true,
		`templatestring("a$${name}", { name = unknown })`:                             true,
		`templatestring("a", { name = unknown })`:                                     false,
		`templatestring("%%{ if true }a%%{ else }$${x}%%{ endif }", { x = unknown })`: false,
	} {
		got, err := evaluate(place, call)
		if err != nil || got.IsKnown() == unknown {
			t.Errorf("%s = %#v, %v, want it unknown: %v", call, got, err, unknown)
		}
	}
}

// What is rendered of a secret is secret, but not the name of the file.
func TestRenderedSecrets(t *testing.T) {
	t.Parallel()
	place := templatePlace(t)
	write(t, filepath.Join(place.Dir, "s.jsonnet"), `{ a: std.extVar("a") }`)
	for call, marked := range map[string]bool{
		`templatefile("${here}/here.tpl", { name = sensitive("s") })`:             false,
		`file(templatefile("${here}/here.tpl", { name = sensitive("s") }))`:       true,
		`filebase64(templatefile("${here}/here.tpl", { name = sensitive("s") }))`: true,
		`filesha1(templatefile("${here}/here.tpl", { name = sensitive("s") }))`:   true,
		`file("${dirname(templatefile("${here}/here.tpl", sensitive({ name = "s" })))}/../${basename(dirname(templatefile("${here}/here.tpl", sensitive({ name = "s" }))))}/here.tpl")`: true,
		`file(templatefile("${here}/here.tpl", { name = "s" }))`:                          false,
		`file(templatefile(templatefile("${here}/here.tpl", { name = sensitive("s") })))`: true,
		`templatedir("${here}/tree", { name = sensitive("s") })`:                          false,
		`file("${templatedir("${here}/tree", { name = sensitive("s") })}/a.txt")`:         true,
		`templatestring("$${x}", { x = sensitive("s") })`:                                 true,
		`templatestring("x", { x = sensitive("s") })`:                                     false,
		`jsonnetfile("${here}/s.jsonnet", { ext_vars = { a = sensitive("s") } })`:         false,
		`file(jsonnetfile("${here}/s.jsonnet", { ext_vars = { a = sensitive("s") } }))`:   true,
		`file(jsonnetfile("${here}/s.jsonnet", { ext_vars = { a = "s" } }))`:              false,
	} {
		got, err := evaluate(place, call)
		if err != nil || got.HasMark(funcs.Sensitive) != marked {
			t.Errorf("%s = %#v, %v, want it sensitive: %v", call, got, err, marked)
		}
	}
}

// Errors of calls with a secret do not show it.
func TestErrorsHideSecrets(t *testing.T) {
	t.Parallel()
	place := templatePlace(t)
	write(t, filepath.Join(place.Dir, "e.jsonnet"), `error std.extVar("a")`)
	for _, call := range []string{
		`parseint(sensitive("hunter2"), 10)`,
		`jsondecode(sensitive("hunter2"))`,
		`file(sensitive("hunter2"))`,
		`templatestring("$${parseint(x, 10)}", { x = sensitive("hunter2") })`,
		`jsonnetfile("${here}/e.jsonnet", { ext_vars = { a = sensitive("hunter2") } })`,
		`regex(sensitive("(hunter2"), "a")`,
	} {
		_, err := evaluate(place, call)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want an error that does not show the secret", call, err)
		}
	}
}

func TestRenderedFilesArePrivate(t *testing.T) {
	t.Parallel()
	place := templatePlace(t)
	for call, want := range map[string]os.FileMode{
		`templatefile("${here}/plain.txt")`:                       0o600,
		`"${templatedir("${here}/tree", { name = "x" })}/a.txt"`:  0o600,
		`"${templatedir("${here}/tree", { name = "x" })}/b/c.sh"`: 0o700,
		`dirname(templatefile("${here}/plain.txt"))`:              0o700,
		`"${templatedir("${here}/tree", { name = "x" })}/b"`:      0o700,
	} {
		path, err := evaluate(place, call)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path.AsString())
		if err != nil || info.Mode().Perm() != want || !strings.HasPrefix(path.AsString(), place.TempDir) {
			t.Errorf("%s = %q with mode %v, %v, want it below %q with mode %v", call, path.AsString(), info.Mode().Perm(), err, place.TempDir, want)
		}
	}
}

func TestRenderConcurrently(t *testing.T) {
	t.Parallel()
	place := templatePlace(t)
	paths := make([]cty.Value, 8)
	var group sync.WaitGroup
	for i := range paths {
		group.Go(func() {
			paths[i], _ = evaluate(place, `templatefile("${here}/here.tpl", { name = sensitive("x") })`)
		})
	}
	group.Wait()
	for _, path := range paths {
		if path == cty.NilVal || !path.RawEquals(paths[0]) {
			t.Errorf("rendering at the same time gives %#v and %#v, want one path", path, paths[0])
		}
	}
}
