package config_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/config"
	"github.com/deploy-action/deploy-action/internal/secret"
)

func TestFind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "waypoint.hcl.json"), "{}")
	write(t, filepath.Join(dir, "both/waypoint.hcl"), "")
	write(t, filepath.Join(dir, "both/waypoint.hcl.json"), "{}")
	write(t, filepath.Join(dir, "folder/waypoint.hcl/file"), "")
	write(t, filepath.Join(dir, "both/below/far/file"), "")
	for name, c := range map[string]struct{ from, want string }{
		"the native file wins":      {"both", "both/waypoint.hcl"},
		"a folder above":            {"both/below/far", "both/waypoint.hcl"},
		"JSON":                      {".", "waypoint.hcl.json"},
		"a folder of the same name": {"folder", "waypoint.hcl.json"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := config.Find(filepath.Join(dir, c.from))
			if want := filepath.Join(dir, c.want); err != nil || got != want {
				t.Errorf("Find(%q) = %q, %v, want %q", c.from, got, err, want)
			}
		})
	}
}

func TestFindNothing(t *testing.T) {
	t.Parallel()
	// No folder above a temporary one is expected to hold the file.
	if path, err := config.Find(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Find = %q, %v, want fs.ErrNotExist", path, err)
	}
}

func TestLoadUnreadable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, c := range map[string]struct{ path, want string }{
		"missing":  {filepath.Join(dir, "waypoint.hcl"), "Missing file"},
		"a folder": {dir, "Unreadable file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, diags := config.Load(c.path)
			if len(diags) != 1 || diags[0].Summary != c.want {
				t.Errorf("Load = %v, want %q", diags, c.want)
			}
			if p.Files() == nil || len(p.Apps()) != 0 || p.Name() != "" {
				t.Errorf("Load of an unreadable file returned %+v", p)
			}
		})
	}
}

// A project with problems can be asked for everything without harm.
func TestBrokenProject(t *testing.T) {
	t.Parallel()
	for name, source := range map[string]string{
		"syntax error": `project = `,
		"no stages":    `app "web" {}`,
		"no use":       "app \"web\" {\n build {\n registry {\n}\n}\n deploy {\n}\n release {\n}\n}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "waypoint.hcl")
			write(t, path, source)
			p, diags := config.Load(path)
			if !diags.HasErrors() {
				t.Fatal("Load found no problem")
			}
			scope, _ := p.Scope(config.Inputs{})
			for _, name := range p.Apps() {
				a, _ := p.App(name, scope)
				for _, s := range []*config.Stage{a.Build, a.Push, a.Deploy, a.Release} {
					if s != nil {
						s.Check(scope, new(testConfig))
					}
				}
			}
		})
	}
}

func TestUnknownApp(t *testing.T) {
	t.Parallel()
	p, scope := load(t, twoApps, config.Inputs{})
	if got := p.Apps(); !slices.Equal(got, []string{"web", "api"}) {
		t.Errorf("Apps() = %q, want them in the order of the file", got)
	}
	a, diags := p.App("wbe", scope)
	if a != nil || len(diags) != 1 || !strings.Contains(diags[0].Detail, `Did you mean "web"? It has "web" and "api".`) {
		t.Errorf("App(wbe) = %v, %v, want a suggestion", a, diags)
	}
}

func TestSecretsAreMadeKnown(t *testing.T) {
	t.Parallel()
	var secrets secret.Set
	p, scope := load(t, `
project = "shop"
variable "password" {
  sensitive = true
}
variable "map" {
  type      = map(list(string))
  sensitive = true
}
app "web" {
  config {
    env = { URL = "postgres://me:${var.password}@host" }
  }
  build {
    use "test" {
      text = sensitive(upper("made up secret"))
    }
  }
  deploy {
    use "test" {}
  }
}
`, config.Inputs{
		Variables: []string{"password=p4ss word", `map={ a = ["deep secret"] }`},
		Secrets:   &secrets,
	})
	a := appOf(t, p, "web", scope)
	decodeInto(t, a.Build.Decode(scope), new(testConfig))
	for _, text := range []string{"p4ss word", "deep secret", "postgres://me:p4ss word@host", "MADE UP SECRET"} {
		if redacted := secrets.RedactString(text); redacted == text {
			t.Errorf("%q is not known to be a secret", text)
		}
	}
}

// A problem in a file of variables shows its source lines, unless a sensitive
// value may be among them.
func TestFilesOfVariables(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sensitive bool
		want      []string
	}{
		"shown":  {false, []string{"values.wpvars", "waypoint.hcl"}},
		"hidden": {true, []string{"waypoint.hcl"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			values := filepath.Join(t.TempDir(), "values.wpvars")
			write(t, values, `a = "x"`)
			p, _ := load(t, fmt.Sprintf("project = \"shop\"\nvariable \"a\" {\n  sensitive = %v\n}", c.sensitive),
				config.Inputs{VarFiles: []string{values}})
			var got []string
			for path := range p.Files() {
				got = append(got, filepath.Base(path))
			}
			slices.Sort(got)
			if !slices.Equal(got, c.want) {
				t.Errorf("Files() = %q, want %q", got, c.want)
			}
		})
	}
}

func TestDecodeSharedIgnoresWhatTheTargetLacks(t *testing.T) {
	t.Parallel()
	p, scope := load(t, `
project = "shop"
app "web" {
  build {
    use "test" {}
  }
  deploy {
    use "platform" {
      command  = "x"
      replicas = 3
      probe {
        path = "/"
      }
    }
  }
}
`, config.Inputs{})
	a := appOf(t, p, "web", scope)
	var shared strictConfig
	decodeInto(t, a.Deploy.DecodeShared(scope), &shared)
	if shared.Command != "x" {
		t.Errorf("decoded %+v, want the shared argument", shared)
	}
	var other struct {
		Path string `hcl:"path"`
	}
	if diags := a.Deploy.DecodeShared(scope)(&other); len(diags) != 1 || diags[0].Summary != "Missing required argument" {
		t.Errorf("decoding without a required argument = %v, want it to be missing", diags)
	}
}

func TestReopenNothing(t *testing.T) {
	t.Parallel()
	for name, raw := range map[string]string{"empty": "", "another version": `{"gone": {"a": [1]}, "timeout": "5m"}`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			decodeInto(t, config.Reopen(json.RawMessage(raw)), new(strictConfig))
		})
	}
	if diags := config.Reopen(json.RawMessage(`{"command":`))(new(strictConfig)); !diags.HasErrors() {
		t.Error("a truncated record is no problem")
	}
}

// The target of a plugin may take the rest of its block as it is.
func TestRemainingArguments(t *testing.T) {
	t.Parallel()
	p, scope := load(t, `
project = "shop"
app "web" {
  build {
    use "test" {
      command = "x"
      values  = { a = app.name }
      other   = sensitive("hidden value")
    }
  }
  deploy {
    use "test" {}
  }
}
`, config.Inputs{})
	a := appOf(t, p, "web", scope)
	type target struct {
		Command string            `hcl:"command"`
		Values  map[string]string `hcl:"values"`
		Rest    map[string]string `hcl:",remain"`
	}
	var got target
	decodeInto(t, a.Build.Decode(scope), &got)
	want := target{Command: "x", Values: map[string]string{"a": "web"}, Rest: map[string]string{"other": "hidden value"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
	record, err := a.Build.Record(scope, &got)
	if want := `{"command":"x","values":{"a":"web"},"withheld":["other"]}`; err != nil || string(record) != want {
		t.Errorf("Record = %s, %v, want %s", record, err, want)
	}
}

// A record names what it lacks, and who reads it again is not given the names.
func TestWithheld(t *testing.T) {
	t.Parallel()
	p, scope := load(t, `
project = "shop"
app "web" {
  build {
    use "test" {
      command = "x"
      values  = { a = "1", b = sensitive("hidden value"), c = sensitive(null) }
      other   = sensitive("hidden value")
    }
  }
  deploy {
    use "test" {}
  }
}
`, config.Inputs{})
	build := appOf(t, p, "web", scope).Build
	type target struct {
		Command string            `hcl:"command"`
		Values  map[string]string `hcl:"values"`
		Rest    map[string]string `hcl:",remain"`
	}
	record, err := build.Record(scope, &target{})
	if err != nil {
		t.Fatal(err)
	}
	again := config.Recorded("test", record)
	if diff := cmp.Diff([]string{"other", "values.b"}, again.Withheld()); diff != "" {
		t.Errorf("Withheld (-want +got):\n%s", diff)
	}
	var got target
	decodeInto(t, again.Decode(scope), &got)
	if diff := cmp.Diff(target{Command: "x", Values: map[string]string{"a": "1"}, Rest: map[string]string{}}, got); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
	if names := build.Withheld(); names != nil {
		t.Errorf("Withheld of a block of the file = %q, want none", names)
	}
}

// Record fails, rather than leave something out, where a stage cannot be
// evaluated.
func TestRecordOfWhatIsUnknown(t *testing.T) {
	t.Parallel()
	p, scope := load(t, twoApps, config.Inputs{})
	a := appOf(t, p, "web", scope)
	if record, err := a.Deploy.Record(scope, new(testConfig)); err == nil {
		t.Errorf("Record without an artifact = %s, want an error", record)
	}
}

func TestGitHubObjectIsEmptyOnATerminal(t *testing.T) {
	t.Parallel()
	p, scope := load(t, `
project = "shop"
app "web" {
  config {
    env = { A = "pr-${github.pull_request.number}-${github.sha}" }
  }
  build {
    use "test" {}
  }
  deploy {
    use "test" {}
  }
}
`, config.Inputs{})
	if got := appOf(t, p, "web", scope).Env["A"].Text.Reveal(); got != "pr--" {
		t.Errorf("A = %q, want %q", got, "pr--")
	}
}

// What a Git function read for one app is the answer for all others, whatever
// became of the repository.
func TestGitIsReadOnce(t *testing.T) {
	t.Parallel()
	const commit = "0123456789abcdef0123456789abcdef01234567"
	dir := t.TempDir()
	write(t, filepath.Join(dir, ".git/HEAD"), commit+"\n")
	write(t, filepath.Join(dir, ".git/config"), "[core]\n")
	write(t, filepath.Join(dir, ".git/objects/info/packs"), "")
	path := filepath.Join(dir, "waypoint.hcl")
	write(t, path, "project = \"shop\"\n"+strings.ReplaceAll(twoApps[strings.Index(twoApps, "app"):], "build {", "labels = { commit = gitrefhash() }\n  build {"))
	p, diags := config.Load(path)
	check(t, diags)
	scope, diags := p.Scope(config.Inputs{})
	check(t, diags)
	for _, name := range p.Apps() {
		if got := appOf(t, p, name, scope).Labels["commit"]; got != commit {
			t.Errorf("the commit of %s is %q, want %q", name, got, commit)
		}
		if err := os.RemoveAll(filepath.Join(dir, ".git")); err != nil {
			t.Fatal(err)
		}
	}
}

// BenchmarkValidate loads and checks a file of 500 apps.
func BenchmarkValidate(b *testing.B) {
	var source strings.Builder
	source.WriteString("project = \"shop\"\nvariable \"size\" {\n  default = 1\n}\n")
	for i := range 500 {
		fmt.Fprintf(&source, `
app "app-%d" {
  path   = "."
  labels = { tier = "x" }
  build {
    use "test" {
      text = "${path.app}/${app.name}"
    }
    registry {
      use "test" {
        text = upper("registry/${app.name}")
      }
    }
    hook {
      when    = "before"
      command = ["make", app.name]
    }
  }
  deploy {
    use "test" {
      text   = artifact.image
      number = var.size
      probe {
        path = "/"
      }
    }
  }
}
`, i)
	}
	path := filepath.Join(b.TempDir(), "waypoint.hcl")
	if err := os.WriteFile(path, []byte(source.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		p, diags := config.Load(path)
		scope, more := p.Scope(config.Inputs{})
		diags = append(diags, more...)
		for _, name := range p.Apps() {
			a, more := p.App(name, scope)
			diags = append(diags, more...)
			for _, s := range []*config.Stage{a.Build, a.Push, a.Deploy} {
				_, more := s.Check(scope, new(testConfig))
				diags = append(diags, more...)
			}
		}
		if diags.HasErrors() {
			b.Fatal(diags)
		}
	}
}

// twoApps is a file without problems.
const twoApps = `
project = "shop"
app "web" {
  build {
    use "test" {}
  }
  deploy {
    use "test" {
      text = artifact.image
    }
  }
}
app "api" {
  build {
    use "test" {}
  }
  deploy {
    use "test" {}
  }
}
`

// load loads a file that has no problems.
func load(t *testing.T, source string, in config.Inputs) (*config.Project, config.Scope) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "waypoint.hcl")
	write(t, path, source)
	p, diags := config.Load(path)
	check(t, diags)
	scope, diags := p.Scope(in)
	check(t, diags)
	return p, scope
}

func appOf(t *testing.T, p *config.Project, name string, scope config.Scope) *config.App {
	t.Helper()
	a, diags := p.App(name, scope)
	check(t, diags)
	return a
}

func decodeInto(t *testing.T, decode func(any) hcl.Diagnostics, into any) {
	t.Helper()
	check(t, decode(into))
}

func check(t *testing.T, diags hcl.Diagnostics) {
	t.Helper()
	if diags.HasErrors() {
		t.Fatal(diags)
	}
}
