package config_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"golang.org/x/tools/txtar"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/config"
	"github.com/deploy-action/deploy-action/internal/secret"
)

var update = flag.Bool("update", false, "rewrite the expected results in testdata/hcl")

// TestFiles runs every archive in testdata/hcl: it writes the input files to a
// folder, evaluates all of waypoint.hcl there, and compares the result with
// want.json and the diagnostics with want.txt.
func TestFiles(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("../../testdata/hcl/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no archives found: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := run(t, archive)
			if *update {
				rewrite(t, path, archive, got)
				return
			}
			for name, want := range wanted(archive) {
				if diff := cmp.Diff(want, got[name]); diff != "" {
					t.Errorf("%s (-want +got):\n%s", name, diff)
				}
			}
		})
	}
}

// scenario is what an archive's inputs.json says.
type scenario struct {
	Workspace string
	Variables []string
	VarFiles  []string
	Environ   []string
	Labels    map[string]string
	GitHub    map[string]string
	Artifact  map[string]string // what the build made; absent: stages are only checked
	Deploy    map[string]string
	Links     map[string]string            // symbolic links to make, by path
	Answers   map[string]map[string]string // of sources: by source, and by the value of one of the parameters
	Public    []string                     // sources whose answers are no secrets
}

// run evaluates the files of an archive and returns what want.json and
// want.txt should hold.
func run(t *testing.T, archive *txtar.Archive) map[string]string {
	t.Helper()
	dir, inputs := unpack(t, archive)
	path, err := config.Find(dir)
	if err != nil {
		t.Fatal(err)
	}
	in := config.Inputs{
		Workspace: inputs.Workspace,
		Variables: inputs.Variables,
		Environ:   inputs.Environ,
		Labels:    inputs.Labels,
		GitHub:    texts(inputs.GitHub),
		Secrets:   &secret.Set{},
		TempDir:   t.TempDir(),
	}
	for _, file := range inputs.VarFiles {
		in.VarFiles = append(in.VarFiles, filepath.Join(dir, file))
	}
	result, diags := evaluate(path, in, inputs)
	text, err := json.MarshalIndent(result, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	short := strings.NewReplacer(dir, "$DIR")
	got := map[string]string{"want.txt": short.Replace(in.Secrets.RedactString(lines(diags, dir)))}
	if !diags.HasErrors() {
		got["want.json"] = short.Replace(string(text)) + "\n"
	}
	return got
}

// project is the evaluated result of a whole file.
type project struct {
	Project   string
	Apps      []app
	Pipelines []pipeline `json:",omitempty"`
}

type app struct {
	Name, Path string
	Labels     map[string]string `json:",omitempty"`
	Watch      []string          `json:",omitempty"`
	DependsOn  []string          `json:",omitempty"`
	Preview    *config.Preview   `json:",omitempty"`
	Asks       []string          `json:",omitempty"` // of sources, before they answer
	Env, Files map[string]string `json:",omitempty"`
	Runner     map[string]string `json:",omitempty"`
	Build      *stage            `json:",omitempty"`
	Push       *stage            `json:",omitempty"`
	Deploy     *stage            `json:",omitempty"`
	Release    *stage            `json:",omitempty"`
}

type stage struct {
	Plugin   string
	Labels   map[string]string `json:",omitempty"`
	Conduct  config.Conduct    `json:",omitzero"`
	Complete bool              // nothing was unknown before the first stage
	Checked  any               `json:",omitempty"` // as decoded before the first stage, if not complete
	Config   any               `json:",omitempty"`
	Record   json.RawMessage   `json:",omitempty"`
	Reopened any               `json:",omitempty"` // the record, if it decodes to something else
	Hooks    []hook            `json:",omitempty"`
}

type hook struct {
	When     string
	Command  []string
	Fatal    bool
	Image    string `json:",omitempty"`
	Identity bool   `json:",omitempty"`
	Line     int
}

// evaluate goes the way of a run.
func evaluate(path string, in config.Inputs, inputs scenario) (project, hcl.Diagnostics) {
	p, diags := config.Load(path)
	if diags.HasErrors() {
		return project{}, diags
	}
	scope, more := p.Scope(in)
	diags = append(diags, more...)
	asks := map[string][]string{}
	for _, name := range p.Apps() {
		asked, answered, more := answer(p, name, scope, inputs)
		asks[name], scope = asked, answered
		diags = append(diags, more...)
	}
	result := project{Project: p.Name()}
	for _, name := range p.Apps() {
		a, more := p.App(name, scope)
		diags = append(diags, more...)
		diags = append(diags, a.Unknown...)
		shown := app{
			Name: a.Name, Path: a.Path, Labels: unusual(a.Labels, nil), Watch: a.Watch, DependsOn: a.DependsOn, Preview: a.Preview,
			Asks: asks[name], Env: settings(a.Env), Files: settings(a.Files), Runner: settings(a.Runner),
		}
		for _, s := range []struct {
			from *config.Stage
			to   **stage
		}{{a.Build, &shown.Build}, {a.Push, &shown.Push}, {a.Deploy, &shown.Deploy}, {a.Release, &shown.Release}} {
			if s.from == nil {
				continue
			}
			evaluated, stageDiags := evaluateStage(s.from, scope, inputs, more.HasErrors())
			evaluated.Labels = unusual(s.from.Labels, a.Labels)
			diags = append(diags, stageDiags...)
			*s.to = evaluated
		}
		result.Apps = append(result.Apps, shown)
	}
	pipelines, more := evaluatePipelines(p, scope)
	result.Pipelines = pipelines
	return result, append(diags, more...)
}

// answer answers what an app asks of sources, as often as answers lead to
// further questions. What has no answer is an error of the source.
func answer(p *config.Project, name string, scope config.Scope, inputs scenario) (asked []string, _ config.Scope, diags hcl.Diagnostics) {
	for range 5 { // those that differ each time would have no end
		requests := p.Requests(name, scope, "build", "push", "deploy", "release", config.Settings)
		if len(requests) == 0 {
			break
		}
		answers := map[string]component.Reading{}
		for _, r := range requests {
			asked = append(asked, r.ID())
			reading := component.Reading{Err: errors.New("no answer")}
			for _, parameter := range r.Key.Params {
				if text, found := inputs.Answers[r.Source][parameter]; found {
					reading = component.Reading{Text: secret.Text(text), Public: slices.Contains(inputs.Public, r.Source)}
				}
			}
			answers[r.ID()] = reading
		}
		var more hcl.Diagnostics
		scope, more = scope.WithAnswers(answers)
		diags = append(diags, more...)
	}
	return asked, scope, diags
}

// unusual returns labels unless they are those around them, or none but the
// workspace.
func unusual(labels, around map[string]string) map[string]string {
	if cmp.Equal(labels, around) || cmp.Equal(labels, map[string]string{"waypoint/workspace": "default"}) {
		return nil
	}
	return labels
}

func evaluateStage(s *config.Stage, scope config.Scope, inputs scenario, broken bool) (*stage, hcl.Diagnostics) {
	shown := &stage{Plugin: s.Plugin, Conduct: s.Conduct}
	checked := target(s.Plugin)
	complete, diags := s.Check(scope, checked)
	shown.Complete = complete
	if !complete && checked != nil {
		shown.Checked = show(checked)
	}
	if diags.HasErrors() || (!complete && inputs.Artifact == nil) {
		return shown, diags
	}
	if inputs.Artifact != nil {
		scope = scope.WithArtifact(texts(inputs.Artifact)).WithDeploy(texts(inputs.Deploy))
	}
	if into := target(s.Plugin); into != nil {
		if more := s.Decode(scope)(into); more.HasErrors() {
			return shown, append(diags, more...)
		}
		shown.Config = show(into)
	}
	record, err := s.Record(scope, target(s.Plugin))
	if err != nil {
		return shown, append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: err.Error()})
	}
	if string(record) != "{}" {
		shown.Record = record
	}
	if into := target(s.Plugin); into != nil {
		diags = append(diags, config.Reopen(record)(into)...)
		if reopened := show(into); !cmp.Equal(reopened, shown.Config) {
			shown.Reopened = reopened
		}
	}
	if broken {
		return shown, diags // App has evaluated the hooks
	}
	hooks, more := s.Hooks(scope)
	for _, h := range hooks {
		shown.Hooks = append(shown.Hooks, hook{h.When, h.Command, h.Fatal, h.Image, h.Identity, h.Range.Start.Line})
	}
	return shown, append(diags, more...)
}

// target returns a pointer to a plugin's configuration struct, or nil for a
// plugin whose struct is not known.
func target(plugin string) any {
	switch plugin {
	case "test":
		return new(testConfig)
	case "strict":
		return new(strictConfig)
	}
	return nil
}

// testConfig has one field of every type that plugins may use.
type testConfig struct {
	Text      string                 `hcl:"text,optional"`
	Number    int                    `hcl:"number,optional"`
	Share     float64                `hcl:"share,optional"`
	On        bool                   `hcl:"on,optional"`
	Maybe     *int                   `hcl:"maybe"`
	List      []string               `hcl:"list,optional"`
	Map       map[string]string      `hcl:"map,optional"`
	Password  secret.Text            `hcl:"password,optional"`
	Tokens    []secret.Text          `hcl:"tokens,optional"`
	Passwords map[string]secret.Text `hcl:"passwords,optional"`
	Any       hcl.Expression         `hcl:"any,optional"`
	Probe     *testProbe             `hcl:"probe,block"`
	Mounts    []testMount            `hcl:"mount,block"`
}

type testProbe struct {
	Path string `hcl:"path"`
	Port int    `hcl:"port,optional"`
}

type testMount struct {
	Name  string      `hcl:"name,label"`
	Path  string      `hcl:"path"`
	Token secret.Text `hcl:"token,optional"`
}

// strictConfig is a plugin's configuration with required arguments.
type strictConfig struct {
	Command string `hcl:"command"`
	Timeout string `hcl:"timeout,optional"`
}

// show makes a decoded configuration comparable, with its secrets revealed.
func show(decoded any) any {
	c, ok := decoded.(*testConfig)
	if !ok {
		return decoded
	}
	shown := map[string]any{}
	set := func(name string, value any, zero bool) {
		if !zero {
			shown[name] = value
		}
	}
	set("text", c.Text, c.Text == "")
	set("number", c.Number, c.Number == 0)
	set("share", c.Share, c.Share == 0)
	set("on", c.On, !c.On)
	set("maybe", c.Maybe, c.Maybe == nil)
	set("list", c.List, c.List == nil)
	set("map", c.Map, c.Map == nil)
	set("password", "revealed "+c.Password.Reveal(), c.Password == "")
	set("probe", c.Probe, c.Probe == nil)
	var tokens []string
	for _, token := range c.Tokens {
		tokens = append(tokens, "revealed "+token.Reveal())
	}
	set("tokens", tokens, tokens == nil)
	passwords := map[string]string{}
	for name, password := range c.Passwords {
		passwords[name] = "revealed " + password.Reveal()
	}
	set("passwords", passwords, len(passwords) == 0)
	if value, diags := c.Any.Value(nil); !diags.HasErrors() && !value.IsNull() {
		set("any", fmt.Sprintf("%#v", value), false)
	}
	var mounts []string
	for _, m := range c.Mounts {
		mounts = append(mounts, m.Name+" "+m.Path+" "+m.Token.Reveal())
	}
	set("mounts", mounts, mounts == nil)
	if len(shown) == 0 {
		return nil
	}
	return shown
}
