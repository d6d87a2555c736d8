package engine_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/config"
	"github.com/deploy-action/deploy-action/internal/engine"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/state"
)

// stepwise is file with a pipeline of one stage after the other.
const stepwise = file + `
pipeline "release" {
  step "build" {
    use "build" {}
  }
  step "deploy" {
    use "deploy" {}
  }
  step "release" {
    use "release" {}
  }
}
`

// pipelines returns an engine that can run pipelines: other workspaces are
// those of the same file, and commands are calls of the world.
func (w *world) pipelines(t *testing.T, source string, plugins ...component.Plugin) *engine.Engine {
	t.Helper()
	e := w.engine(t, source, plugins...)
	e.ScopeIn = func(workspace string, labels map[string]string) (config.Scope, hcl.Diagnostics) {
		return e.Project.Scope(config.Inputs{Workspace: workspace, Labels: labels, TempDir: t.TempDir(), Secrets: e.Secrets})
	}
	e.CheckCommand = func(_ context.Context, app *config.App, c config.ExecStep, later bool) error {
		return w.call(fmt.Sprintf("check %s for %s, made: %v", c.Image, app.Name, later))
	}
	e.Command = func(_ context.Context, app *config.App, c config.ExecStep, _ component.Step) error {
		return w.call(fmt.Sprintf("%s: %s for %s in %s", c.Image, strings.Join(c.Command, " "), app.Name, app.Workspace))
	}
	return e
}

// runs runs the pipeline "release" of a file and compares the world's calls.
func (w *world) runs(t *testing.T, source string, o engine.Options, want ...string) ([]engine.Result, error) {
	t.Helper()
	before := len(w.log)
	results, err := w.pipelines(t, source).RunPipeline(t.Context(), "release", o)
	if diff := cmp.Diff(want, append([]string(nil), w.log[before:]...)); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	return results, err
}

// places returns the records of all workspaces, oldest first, in short.
func (w *world) places(t *testing.T) []string {
	t.Helper()
	var short []string
	for r, err := range w.store.List(t.Context(), state.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		short = append(short, fmt.Sprintf("%s: %s %d %s", r.Workspace, r.Operation, r.Sequence, r.Status))
	}
	slices.Reverse(short)
	return short
}

func TestPipelineHandsTheArtifactOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	results, err := w.runs(t, stepwise, defaults, "build", "deploy sha256:one", "release 1")
	if err != nil || len(results) != 1 {
		t.Fatalf("RunPipeline = %v, %v, want one result", results, err)
	}
	r := results[0]
	if r.Outcome != engine.Changed || r.URL != "http://web" || r.Sequence != 1 || r.Digest != "sha256:one" || len(r.Records) != 4 {
		t.Errorf("result = %+v, want what all steps did", r)
	}
}

func TestPipelinePrunesAsStepsSay(t *testing.T) {
	t.Parallel()
	up := func(body string) string {
		return file + "pipeline \"release\" {\n step \"up\" {\n use \"up\" {\n" + body + "\n}\n}\n}\n"
	}
	cases := map[string]struct {
		source  string
		options engine.Options
		want    []string // what the fourth run destroys
	}{
		"release: by default":          {stepwise, defaults, []string{"destroy 2", "destroy 1"}},
		"release: not told on the way": {stepwise, engine.Options{Retain: -1, NoPrune: true}, nil},
		"up: not by default":           {up(""), defaults, nil},
		"up: asked to":                 {up("prune = true"), defaults, []string{"destroy 2", "destroy 1"}},
		"up: with a number":            {up("prune = true\nprune_retain = 2"), defaults, []string{"destroy 1"}},
		"up: with an override":         {up("prune = true\nprune_retain_override = true"), defaults, []string{"destroy 3", "destroy 2", "destroy 1"}},
		"up: the call has a number":    {up("prune = true\nprune_retain = 0"), engine.Options{Retain: 2}, []string{"destroy 1"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for range 3 {
				if _, err := w.engine(t, file).Up(t.Context(), engine.Options{NoPrune: true}); err != nil {
					t.Fatal(err)
				}
			}
			want := append([]string{"build", "deploy sha256:one", "release 4"}, c.want...)
			if _, err := w.runs(t, c.source, c.options, want...); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestPipelineReleasesADeploymentByNumber(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mustUp(t, w)
	mustUp(t, w)
	source := file + `
pipeline "release" {
  step "back" {
    use "release" {
      deployment_ref = 1
      prune          = false
    }
  }
}
`
	if _, err := w.runs(t, source, defaults, "release 1"); err != nil {
		t.Error(err)
	}
}

func TestDeployStepReleasesWhenTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	source := file + `
pipeline "release" {
  step "build" {
    use "build" {}
  }
  step "deploy" {
    use "deploy" {
      release = true
    }
  }
}
`
	if _, err := w.runs(t, source, defaults, "build", "deploy sha256:one", "release 1"); err != nil {
		t.Error(err)
	}
}

func TestFailedStepTakesThoseThatDependOnIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fail = failOn("lint: lint for web in default", errors.New("untidy"))
	source := file + `
pipeline "release" {
  step "lint" {
    image_url = "lint"
    use "exec" {
      command = "lint"
    }
  }
  step "after lint" {
    use "build" {}
  }
  step "after that" {
    use "deploy" {}
  }
  step "alone" {
    depends_on = []
    use "build" {}
  }
}
`
	results, err := w.runs(t, source, defaults, "check lint for web, made: false", "lint: lint for web in default", "build")
	f, ok := errors.AsType[*engine.Failure](err)
	if !ok || f.Stage != "step lint" || f.App != "web" || !strings.Contains(f.Error(), "untidy") {
		t.Errorf("RunPipeline = %v, want the failure of lint", err)
	}
	if len(results) != 1 || results[0].Failure == nil || len(results[0].Records) != 2 {
		t.Errorf("results = %+v, want one with the failure and the build", results)
	}
	want := []string{
		`pipeline release: step after lint does not run: it depends on step "lint", which did not succeed.`,
		`pipeline release: step after that does not run: it depends on step "after lint", which did not succeed.`,
	}
	if diff := cmp.Diff(want, w.printed); diff != "" {
		t.Errorf("printed (-want +got):\n%s", diff)
	}
}

// apart is a file whose stages tell the workspace and the labels that they see,
// in the commands of hooks.
const apart = `
project = "shop"
labels  = { tier = "all" }
app "web" {
  build {
    use "world" {}
  }
  deploy {
    use "world" {}
    hook {
      when    = "before"
      command = ["in", workspace.name]
    }
    label "tier == canary" {
      use "world" {}
      hook {
        when    = "before"
        command = ["canary in", workspace.name]
      }
    }
  }
}
`

func TestStepsRunInTheirWorkspaces(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	source := apart + `
pipeline "release" {
  step "try" {
    workspace = "staging"
    pipeline "try" {
      step "up" {
        use "up" {}
      }
      step "smoke" {
        workspace = "probes"
        image_url = "smoke"
        use "exec" {
          command = "smoke"
          args    = [workspace.name]
        }
      }
    }
  }
  step "here" {
    use "up" {}
  }
}
`
	results, err := w.runs(t, source, defaults,
		"check smoke for web, made: true",
		"build", "hook in staging", "deploy sha256:one", "release 1",
		"smoke: smoke default for web in probes",
		"build", "hook in default", "deploy sha256:one", "release 1",
	)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"staging: build 1 succeeded", "staging: push 1 succeeded", "staging: deploy 1 succeeded", "staging: release 1 succeeded",
		"default: build 1 succeeded", "default: push 1 succeeded", "default: deploy 1 succeeded", "default: release 1 succeeded",
	}
	if diff := cmp.Diff(want, w.places(t)); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	var workspaces []string
	for _, r := range results {
		workspaces = append(workspaces, r.Workspace)
	}
	if diff := cmp.Diff([]string{"staging", "probes", "default"}, workspaces); diff != "" {
		t.Errorf("workspaces of the results (-want +got):\n%s", diff)
	}
}

func TestLabelsOfStepsSelectVariants(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	source := apart + `
pipeline "release" {
  labels = { tier = "canary" }
  step "build" {
    use "build" {}
  }
  step "canary" {
    use "deploy" {}
  }
  step "rest" {
    labels = { tier = "rest" }
    use "deploy" {}
  }
}
`
	if _, err := w.runs(t, source, defaults, "build", "hook canary in default", "deploy sha256:one", "hook in default", "deploy sha256:one"); err != nil {
		t.Error(err)
	}
}

func TestNothingRunsBeforeAllIsChecked(t *testing.T) {
	t.Parallel()
	exec := `
  step "smoke" {
    image_url = "smoke"
    use "exec" {
      command = "smoke"
    }
  }
`
	elsewhere := strings.Replace(file, "  deploy {\n    use \"world\" {}", "  deploy {\n    workspace \"production\" {\n      use \"world\" { colour = \"red\" }\n    }\n    use \"world\" {}", 1)
	cases := map[string]struct {
		source, fail, want string
		calls              []string
	}{
		"another workspace": {
			source: elsewhere + "pipeline \"release\" {\n step \"a\" {\n use \"build\" {}\n}\n step \"b\" {\n workspace = \"production\"\n use \"deploy\" {}\n}\n}\n",
			want:   `There is no argument "colour"`,
		},
		"no engine for a command": {
			source: file + "pipeline \"release\" {\n" + exec + " step \"b\" {\n use \"build\" {}\n}\n}\n",
			fail:   "check smoke for web, made: false", want: "no engine",
			calls: []string{"check smoke for web, made: false"},
		},
		"a pipeline that is none": {source: file, want: `There is no pipeline "release"`},
		"a circle": {
			source: file + "pipeline \"release\" {\n step \"a\" {\n depends_on = [\"a\"]\n use \"build\" {}\n}\n}\n",
			want:   `"a" → "a"`,
		},
		"a workspace that cannot be": {
			source: file + "pipeline \"release\" {\n step \"a\" {\n workspace = \"a b\"\n use \"build\" {}\n}\n}\n",
			want:   `The name "a b" cannot be used`,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.fail = failOn(c.fail, errors.New("no engine"))
			results, err := w.runs(t, c.source, defaults, c.calls...)
			invalid, ok := errors.AsType[*engine.InvalidError](err)
			if !ok || len(results) != 0 || !strings.Contains(problems(invalid.Diags), c.want) {
				t.Errorf("RunPipeline = %v, %v, want the problem %q", results, err, c.want)
			}
			if got := w.records(t); len(got) > 0 {
				t.Errorf("records = %v, want none", got)
			}
		})
	}
}

// closedStore is a store that cannot be read in one workspace.
type closedStore struct {
	state.Store
	workspace string
}

func (c closedStore) List(ctx context.Context, q state.Query) iter.Seq2[state.Record, error] {
	if q.Workspace != c.workspace {
		return c.Store.List(ctx, q)
	}
	return func(yield func(state.Record, error) bool) { yield(state.Record{}, errors.New("no permission to read")) }
}

func TestUnreadableStateStopsThePipelineAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.store = closedStore{w.store, "production"}
	source := file + "pipeline \"release\" {\n step \"a\" {\n use \"up\" {}\n}\n step \"b\" {\n workspace = \"production\"\n use \"up\" {}\n}\n}\n"
	_, err := w.runs(t, source, defaults)
	if invalid, ok := errors.AsType[*engine.InvalidError](err); !ok || !strings.Contains(problems(invalid.Diags), "no permission to read") {
		t.Errorf("RunPipeline = %v, want that the state of the second step cannot be read", err)
	}
}

// problems is what diagnostics say.
func problems(diags hcl.Diagnostics) string {
	var all []string
	for _, d := range diags {
		all = append(all, d.Summary+": "+d.Detail)
	}
	return strings.Join(all, "\n")
}

func TestPipelineOfChosenApps(t *testing.T) {
	t.Parallel()
	api := strings.Replace(strings.Replace(file, "project = \"shop\"\n", "", 1), `"web"`, `"api"`, 1)
	source := file + api + `
pipeline "release" {
  step "smoke" {
    image_url = "smoke"
    use "exec" {
      command = "smoke"
    }
  }
}
`
	w := newWorld(t)
	if _, err := w.runs(t, source, engine.Options{Apps: []string{"api"}}, "check smoke for api, made: false", "smoke: smoke for api in default"); err != nil {
		t.Error(err)
	}
	if _, err := w.runs(t, source, defaults,
		"check smoke for web, made: false", "check smoke for api, made: false",
		"smoke: smoke for web in default", "smoke: smoke for api in default"); err != nil {
		t.Error(err)
	}
	_, err := w.runs(t, source, engine.Options{Apps: []string{"aip"}})
	if _, ok := errors.AsType[*engine.InvalidError](err); !ok {
		t.Errorf("RunPipeline of an unknown app = %v, want an invalid call", err)
	}
}

func TestCancelledPipelineRunsNoFurtherStep(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	source := file + `
pipeline "release" {
  step "smoke" {
    image_url = "smoke"
    use "exec" {
      command = "smoke"
    }
  }
  step "alone" {
    depends_on = []
    use "build" {}
  }
}
`
	ctx, cancel := context.WithCancel(t.Context())
	w.fail = func(call string) error {
		if strings.HasPrefix(call, "smoke:") {
			cancel()
			return ctx.Err()
		}
		return nil
	}
	results, err := w.pipelines(t, source).RunPipeline(ctx, "release", defaults)
	if !errors.Is(err, context.Canceled) || slices.Contains(w.log, "build") {
		t.Errorf("RunPipeline = %v after %v, want that it was cancelled before the build", err, w.log)
	}
	if len(results) != 1 || results[0].Failure == nil || results[0].Failure.Diags[0].Summary != "Interrupted" {
		t.Errorf("results = %+v, want one that was interrupted", results)
	}
}

// vault is a source that answers its path, and tells when it is closed.
type vault struct{ w *world }

func (v vault) Read(_ context.Context, keys []component.Key) ([]component.Reading, error) {
	var readings []component.Reading
	for _, k := range keys {
		readings = append(readings, component.Reading{Text: secret.Text("secret of " + k.Params["path"])})
	}
	return readings, v.w.call("read")
}

func (v vault) Close(context.Context) error { return v.w.call("close") }

func TestPipelineAsksSources(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	source := `
variable "unused" {
  type    = string
  default = dynamic("vault", { path = "unused" })
}
variable "token" {
  type    = string
  default = dynamic("vault", { path = "token/${workspace.name}" })
}
` + file + `
config {
  runner {
    env = { TOKEN = var.token }
  }
}
pipeline "release" {
  step "smoke" {
    image_url = "smoke"
    workspace = "probes"
    use "exec" {
      command = "smoke"
      args    = [var.token]
    }
  }
}
`
	e := w.pipelines(t, source, component.Plugin{
		Name:    "vault",
		Sourcer: component.NewSourcer(func(component.Host, struct{}) (component.Sourcer, error) { return vault{w}, nil }),
	})
	command := e.Command
	e.Command = func(ctx context.Context, app *config.App, c config.ExecStep, out component.Step) error {
		if got := app.Runner["TOKEN"].Text.Reveal(); got != "secret of token/probes" {
			t.Errorf("TOKEN = %q, want that of the step's workspace", got)
		}
		return command(ctx, app, c, out)
	}
	if _, err := e.RunPipeline(t.Context(), "release", defaults); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"read", "read", "check smoke for web, made: false",
		"smoke: smoke secret of token/default for web in probes", "close", "close",
	}
	if diff := cmp.Diff(want, w.log); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestValidateChecksPipelines(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	source := strings.Replace(file, `use "world"`, `use "wrld"`, 1) + `
pipeline "p" {
  step "a" {
    depends_on = ["b"]
    use "build" {}
  }
}
`
	err := w.engine(t, source).Validate(t.Context(), defaults)
	invalid, ok := errors.AsType[*engine.InvalidError](err)
	if !ok || len(invalid.Diags) != 2 {
		t.Fatalf("Validate = %v, want the problems of the app and of the pipeline", err)
	}
	if got := problems(invalid.Diags); !strings.Contains(got, `Unknown plugin "wrld"`) || !strings.Contains(got, `There is no step "b"`) {
		t.Errorf("problems = %s", got)
	}
	if err := w.engine(t, stepwise).Validate(t.Context(), defaults); err != nil {
		t.Errorf("Validate of a good file = %v", err)
	}
}
