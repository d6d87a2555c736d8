package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"golang.org/x/tools/txtar"

	"github.com/deploy-action/deploy-action/internal/config"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// FuzzLoad loads any file, in both syntaxes: it ends, and everything can be
// asked of what was understood.
func FuzzLoad(f *testing.F) {
	for _, source := range sources(f, "waypoint.hcl") {
		f.Add(source, false)
	}
	for _, source := range sources(f, "waypoint.hcl.json") {
		f.Add(source, true)
	}
	f.Fuzz(func(t *testing.T, source string, inJSON bool) {
		name := "waypoint.hcl"
		if inJSON {
			name += ".json"
		}
		askEverything(t, name, source, config.Inputs{})
	})
}

// FuzzEvaluate evaluates any expression, wherever the language has one.
func FuzzEvaluate(f *testing.F) {
	for _, expr := range []string{
		`var.list`, `[for a in range(9) : [for b in range(9) : "${a}${b}"]]`, `{for k, v in var.map : v => k...}`,
		`"%{for a in var.list}${a}%{endfor}"`, `merge(var.map, { a = sensitive("x") })`, `jsondecode("[1]")`,
		`try(nothing, var.secret)`, `var.list[*].name`, `null`, `artifact.image == deploy.url ? 1 : "x"`, `dynamic("vault", { path = "x" })`,
		`setproduct(var.list, [null])`, `formatlist("%s", var.list)`, `config.env.a`, `replace("aaa", "a", var.secret)`,
	} {
		f.Add(expr)
	}
	f.Fuzz(func(t *testing.T, expr string) {
		source := strings.ReplaceAll(everyPlace, "EXPR", strings.ReplaceAll(expr, "\n", " "))
		askEverything(t, "waypoint.hcl", source, config.Inputs{})
	})
}

// everyPlace is a file with an expression in every place that takes one.
const everyPlace = `
project = "shop"
labels  = { a = EXPR }
variable "list" { default = ["a", { name = 1 }, null] }
variable "map" { default = { a = "x", b = 2 } }
variable "secret" {
  default   = "hidden value"
  sensitive = true
}
variable "x" {
  default = EXPR
  validation {
    condition     = var.x != EXPR
    error_message = EXPR
  }
}
config {
  env  = { a = EXPR, b = config.env.a, (EXPR) = "c" }
  file = EXPR
}
app "web" {
  path       = EXPR
  labels     = EXPR
  watch      = EXPR
  depends_on = EXPR
  preview {
    ttl = EXPR
    max = EXPR
  }
  build {
    use "test" {
      text      = EXPR
      number    = EXPR
      list      = EXPR
      map       = EXPR
      passwords = EXPR
      any       = EXPR
    }
    hook {
      when    = EXPR
      command = EXPR
    }
  }
  deploy {
    timeout = EXPR
    use "other" {
      a = EXPR
      b { c = EXPR }
    }
  }
  release {
    canary = EXPR
    pause  = EXPR
    use "strict" {
      command = EXPR
    }
  }
}
`

// FuzzVariables reads any file of variables, and any value of the command line.
func FuzzVariables(f *testing.F) {
	for _, source := range sources(f, ".wpvars", ".wpvars.json") {
		f.Add(source, "text", strings.HasPrefix(source, "{"))
	}
	for _, value := range []string{`["x"]`, `{ a = { b = 1 } }`, `1e400`, `"${1}"`, `[for a in [1, 2] : a]`} {
		f.Add("list = "+value, value, false)
	}
	f.Fuzz(func(t *testing.T, source, value string, inJSON bool) {
		path := filepath.Join(t.TempDir(), "values.wpvars")
		if inJSON {
			path += ".json"
		}
		write(t, path, source)
		askEverything(t, "waypoint.hcl", everyVariable, config.Inputs{
			VarFiles:  []string{path},
			Variables: []string{"a=" + value, "b=" + value, "list=" + value, "object=" + value, "secret=" + value},
		})
	})
}

// everyVariable declares variables of every type.
const everyVariable = `
project = "shop"
variable "a" {}
variable "b" { type = number }
variable "list" { type = list(string) }
variable "object" { type = object({ a = optional(map(number), {}), b = tuple([bool, any]) }) }
variable "set" {
  type    = set(string)
  default = []
}
variable "secret" {
  type      = any
  sensitive = true
}
` + anApp

// sources returns the files of that name, or with that suffix, in testdata/hcl.
func sources(f *testing.F, names ...string) []string {
	f.Helper()
	paths, err := filepath.Glob("../../testdata/hcl/*.txtar")
	if err != nil || len(paths) == 0 {
		f.Fatalf("no archives found: %v", err)
	}
	var found []string
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			for _, name := range names {
				if strings.HasSuffix(file.Name, name) {
					found = append(found, string(file.Data))
				}
			}
		}
	}
	return found
}

// askEverything asks all there is to ask of a file: whatever it holds, nothing
// panics, and each problem says something.
func askEverything(t *testing.T, name, source string, in config.Inputs) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	in.Secrets = &secret.Set{}
	p, diags := config.Load(path)
	scope, more := p.Scope(in)
	diags = append(diags, more...)
	for _, name := range p.Apps() {
		a, more := p.App(name, scope)
		diags = append(diags, more...)
		p.Requests(name, scope, "build", "push", "deploy", "release", config.Settings)
		for _, s := range []*config.Stage{a.Build, a.Push, a.Deploy, a.Release} {
			if s != nil {
				diags = append(diags, askStage(s, scope)...)
			}
		}
	}
	for _, d := range diags {
		if d.Summary == "" || d.Detail == "" {
			t.Errorf("a diagnostic says nothing: %+v", d)
		}
	}
}

// askStage asks all there is to ask of a stage.
func askStage(s *config.Stage, scope config.Scope) hcl.Diagnostics {
	_, diags := s.Check(scope, target(s.Plugin))
	if diags.HasErrors() {
		return diags
	}
	made := texts(map[string]string{"image": "shop/web", "url": "http://localhost"})
	scope = scope.WithArtifact(made).WithDeploy(made)
	if into := target(s.Plugin); into != nil {
		diags = append(diags, s.Decode(scope)(into)...)
	}
	_, more := s.Hooks(scope)
	diags = append(diags, more...)
	if record, err := s.Record(scope, target(s.Plugin)); err == nil {
		if into := target(s.Plugin); into != nil {
			diags = append(diags, config.Reopen(record)(into)...)
		}
	}
	return diags
}
