package arch_test

import (
	"go/token"
	"strings"
	"testing"
)

// TestBroken shows for each rule that it fails, on packages made up for it,
// and that its neighbour in the right passes.
func TestBroken(t *testing.T) {
	t.Parallel()
	internal := `"` + module + `internal/`
	files := token.NewFileSet()
	_, exports := load(t, token.NewFileSet(), "./internal/component")
	secrets := func(u unit) []string { return secretErrors(files, u, exports) }
	calls := func(u unit) []string { return callErrors(files, u) }
	outside := func(u unit) []string { return confinementErrors([]unit{u}) }
	cases := map[string]struct {
		rule            func(unit) []string
		unit, file      string
		source          string // below the package clause
		want            string // part of the only message; "" for none
		withoutAComment bool
	}{
		"a forbidden import": {
			rule: importErrors, unit: "engine", source: "import _ " + internal + `plugin/local"`,
			want: "internal/engine/a.go: engine must not import plugin/local: it is tested without plugins, runner and GitHub",
		},
		"an allowed import": {rule: importErrors, unit: "engine", source: "import _ " + internal + `config"`},
		"a plugin that imports another": {
			rule: importErrors, unit: "plugin/helm", source: "import _ " + internal + `plugin/kubernetes"`,
			want: "shares code with another plugin through cloud or oci",
		},
		"a program that imports what is for tests": {
			rule: importErrors, unit: "app", source: "import _ " + internal + `testkit/httpfake"`,
			want: "the program never imports what is for tests",
		},
		"a test that imports what is for tests": {
			rule: importErrors, unit: "app", file: "a_test.go", source: "import _ " + internal + `testkit/httpfake"`,
		},
		"a test with a forbidden import": {
			rule: importErrors, unit: "engine", file: "a_test.go", source: "import _ " + internal + `builtin"`,
			want: "engine must not import builtin",
		},
		"a testkit that imports a plugin": {
			rule: importErrors, unit: "testkit/githubfake/cmd/githubfake", source: "import _ " + internal + `plugin/local"`,
			want: "a plugin's test brings the plugin",
		},
		"a package without a row":       {rule: importErrors, unit: "util", want: "util: no row of the import table"},
		"a file for another system":     {rule: importErrors, unit: "retry", file: "a_windows.go", source: "import _ " + internal + `state"`, want: "leaves stay leaves"},
		"a cloud SDK in the engine":     {rule: outside, unit: "engine", source: `import _ "github.com/aws/aws-sdk-go-v2/aws"`, want: "each cloud SDK stays"},
		"a cloud SDK in its plugin":     {rule: outside, unit: "plugin/awsecs", source: `import _ "github.com/aws/aws-sdk-go-v2/aws"`},
		"configuration in the state":    {rule: outside, unit: "state/dirstore", source: `import _ "github.com/hashicorp/hcl/v2"`, want: "know nothing of configuration"},
		"an assertion library":          {rule: outside, unit: "engine", file: "a_test.go", source: `import _ "github.com/stretchr/testify/assert"`, want: "go-cmp shows the difference"},
		"go-cmp in the program":         {rule: outside, unit: "engine", source: `import _ "github.com/google/go-cmp/cmp"`, want: "it is for tests"},
		"go-cmp in a test":              {rule: outside, unit: "engine", file: "a_test.go", source: `import _ "github.com/google/go-cmp/cmp"`},
		"gRPC in a plugin":              {rule: outside, unit: "plugin/vault", source: `import _ "google.golang.org/grpc/codes"`, want: "spoken over it, each in one package"},
		"a name that only begins alike": {rule: outside, unit: "engine", source: `import _ "google.golang.org/grpcweb"`},
		"a long file":                   {rule: lengthErrors, unit: "ui", source: strings.Repeat("\n", longestFile), want: "more than 400"},
		"a long test":                   {rule: lengthErrors, unit: "ui", file: "a_test.go", source: strings.Repeat("\n", longestTest), want: "more than 600"},
		"a test of middling length":     {rule: lengthErrors, unit: "ui", file: "a_test.go", source: strings.Repeat("\n", longestFile)},
		"a package without a comment":   {rule: commentErrors, unit: "ui", withoutAComment: true, want: "ui: no package comment"},
		"a package with a comment":      {rule: commentErrors, unit: "ui"},
		"an init function": {
			rule: func(u unit) []string { return initErrors(files, u) }, unit: "ui", source: "func init() {}",
			want: "internal/ui/a.go:4: an init function",
		},
		"the environment":           {rule: calls, unit: "ui", source: "import \"os\"\nvar _ = os.Getenv(\"A\")", want: "internal/ui/a.go:5: os.Getenv"},
		"the environment, renamed":  {rule: calls, unit: "ui", source: "import system \"os\"\nvar _ = system.Environ", want: "os.Environ"},
		"the environment in main":   {rule: calls, unit: "cmd/deploy-action", source: "import \"os\"\nvar _ = os.Environ()"},
		"the environment of a test": {rule: calls, unit: "ui", file: "a_test.go", source: "import \"testing\"\nfunc f(t *testing.T) { t.Setenv(\"A\", \"\") }", want: "testing.Setenv"},
		"the folder of a test":      {rule: calls, unit: "ui", file: "a_test.go", source: "import \"os\"\nvar _ = os.Chdir(\"/\")", want: "os.Chdir"},
		"the default client":        {rule: calls, unit: "ui", source: "import \"net/http\"\nvar _ = http.DefaultClient", want: "http.DefaultClient"},
		"a print":                   {rule: calls, unit: "ui", source: "import \"fmt\"\nfunc f() { fmt.Println() }", want: "fmt.Println"},
		"a print to a writer":       {rule: calls, unit: "ui", source: "import \"fmt\"\nfunc f() { fmt.Fprintln(nil) }"},
		"a context from nowhere":    {rule: calls, unit: "ui", source: "import \"context\"\nvar _ = context.Background()", want: "context.Background"},
		"a context in a test":       {rule: calls, unit: "ui", file: "a_test.go", source: "import \"context\"\nvar _ = context.Background()"},
		"a sleep in a test":         {rule: calls, unit: "ui", file: "a_test.go", source: "import \"time\"\nfunc f() { time.Sleep(1) }", want: "time.Sleep"},
		"a sleep in a bubble":       {rule: calls, unit: "ui", file: "a_test.go", source: "import (\n\"time\"\n_ \"testing/synctest\"\n)\nfunc f() { time.Sleep(1) }"},
		"a secret as a string":      {rule: secrets, unit: "ui", source: "import " + internal + "secret\"\nfunc f(t secret.Text) string { return string(t) }", want: "internal/ui/a.go:5: a secret.Text is converted"},
		"a secret as bytes":         {rule: secrets, unit: "ui", source: "import " + internal + "secret\"\nfunc f(t map[string]secret.Text) []byte { return []byte(t[\"a\"]) }", want: "a secret.Text is converted"},
		"a secret of a struct":      {rule: secrets, unit: "ui", source: "import " + internal + "component\"\nfunc f(s component.Setting) string { return string(s.Text) }", want: "a secret.Text is converted"},
		"a string as a secret":      {rule: secrets, unit: "ui", source: "import " + internal + "secret\"\nfunc f(t string) secret.Text { return secret.Text(t) }"},
		"a string as bytes":         {rule: secrets, unit: "ui", source: "func f(t string) []byte { return []byte(t) }"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if c.file == "" {
				c.file = "a.go"
			}
			head := "// Package a is made up.\n\npackage a\n"
			if !c.withoutAComment {
				head = "// Package a is made up.\n//\npackage a\n"
			}
			u := unit{c.unit, []file{parse(t, files, "internal/"+c.unit+"/"+c.file, head+c.source+"\n")}}
			got := c.rule(u)
			switch {
			case c.want == "" && len(got) > 0:
				t.Errorf("the rule finds %q, want nothing", got)
			case c.want != "" && (len(got) != 1 || !strings.Contains(got[0], c.want)):
				t.Errorf("the rule finds %q, want one message with %q", got, c.want)
			}
		})
	}
}

func TestBrokenList(t *testing.T) {
	t.Parallel()
	files := token.NewFileSet()
	plugin := func(name string) unit { return unit{name: "plugin/" + name} }
	list := func(names ...string) unit {
		var source strings.Builder
		source.WriteString("// Package builtin is made up.\npackage builtin\n")
		for _, name := range names {
			source.WriteString("import \"" + module + "internal/plugin/" + name + "\"\n")
		}
		source.WriteString("var Plugins = []any{")
		for _, name := range names {
			source.WriteString(name + ".Plugin, ")
		}
		return unit{"builtin", []file{parse(t, files, "internal/builtin/builtin.go", source.String()+"}\n")}}
	}
	cases := map[string]struct {
		units []unit
		want  string
	}{
		"complete":            {[]unit{list("exec", "local"), plugin("exec"), plugin("local")}, ""},
		"a folder not listed": {[]unit{list("exec"), plugin("exec"), plugin("local")}, "builtin does not list plugin/local: add its line"},
		"a line too many":     {[]unit{list("exec", "local"), plugin("exec")}, "builtin lists plugin/local, which does not exist"},
		"out of order":        {[]unit{list("local", "exec"), plugin("exec"), plugin("local")}, "builtin lists the plugins as local exec: sort them"},
		"no list":             {[]unit{plugin("exec")}, "builtin: the package is missing"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := strings.Join(pluginErrors(c.units), "; "); got != c.want {
				t.Errorf("the rule finds %q, want %q", got, c.want)
			}
		})
	}
}

func TestSinglePlace(t *testing.T) {
	t.Parallel()
	files := token.NewFileSet()
	reader := func(name string) unit {
		source := "package a\nimport _ \"github.com/moby/buildkit/frontend/dockerfile/parser\"\n"
		return unit{name, []file{parse(t, files, "internal/"+name+"/a.go", source)}}
	}
	if got := confinementErrors([]unit{reader("oci/build")}); len(got) > 0 {
		t.Errorf("one place for the Dockerfile reader gives %q, want nothing", got)
	}
	if got := confinementErrors([]unit{reader("oci/build"), reader("oci/build/syntax")}); len(got) != 1 {
		t.Errorf("two places for the Dockerfile reader give %q, want one message", got)
	}
}
