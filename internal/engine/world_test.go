package engine_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/config"
	"github.com/deploy-action/deploy-action/internal/engine"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/state/memstore"
)

// file is a waypoint.hcl with one app on the world's plugins.
const file = `
project = "shop"

app "web" {
  build {
    use "world" {}
  }
  deploy {
    use "world" {}
  }
}
`

// world is what the engine's tests run on: plugins that keep what they make in
// memory, and everything that the engine told.
type world struct {
	changing []bool // what each host was asked for
	mu       sync.Mutex
	store    state.Store
	log      []string // calls, in order
	live     map[string]bool
	traffic  string // the deployment that has it
	content  string // of the next build
	inPlace  bool   // deployments share one object
	closed   bool   // of what it has, the platform does not know where it listens
	weights  bool   // traffic can be shared
	health   func() (component.Health, error)
	fail     func(call string) error
	ended    bool // what Ended answers
	run      int64
	place    string // the workspace; "" is default
	clock    time.Time
	printed  []string
	steps    []string // titles
	opened   []string // platforms and releasers, with their configuration
	told     string   // the deployment's ID, by the configuration
	problems hcl.Diagnostics
	plans    []component.Plan
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return &world{
		store: memstore.New(), live: map[string]bool{}, content: "one", ended: true,
		clock: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
}

// engine returns an engine for the file, as one invocation makes it.
func (w *world) engine(t *testing.T, source string, plugins ...component.Plugin) *engine.Engine {
	t.Helper()
	path := filepath.Join(t.TempDir(), "waypoint.hcl")
	if err := os.WriteFile(path, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	project, diags := config.Load(path)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	scope, diags := project.Scope(config.Inputs{Workspace: w.place, TempDir: t.TempDir(), Secrets: &secret.Set{}})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	named := map[string]component.Plugin{"world": w.plugin()}
	for _, p := range plugins {
		named[p.Name] = p
	}
	return &engine.Engine{
		Project: project, Scope: scope, Workspace: cmp.Or(w.place, "default"), Plugins: named,
		Store: w.store, UI: w, Secrets: &secret.Set{}, Origin: state.Origin{Run: w.run},
		Host: func(_ *config.App, _ component.Plugin, changing bool) (component.Host, func(), error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.changing = append(w.changing, changing)
			return component.Host{Progress: w, TempDir: t.TempDir()}, func() {}, nil
		},
		CheckHost: func(*config.App, component.Plugin) component.Host { return component.Host{Progress: w} },
		CheckHook: func(config.Hook) error { return nil },
		Hook: func(_ context.Context, _ *config.App, h config.Hook, _ component.Step) error {
			return w.call("hook " + strings.Join(h.Command, " "))
		},
		Ended: func(context.Context, state.Origin) bool { return w.ended },
		Now: func() time.Time {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.clock = w.clock.Add(time.Second)
			return w.clock
		},
	}
}

// call notes a call and lets a test fail it.
func (w *world) call(name string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log = append(w.log, name)
	if w.fail != nil {
		return w.fail(name)
	}
	return nil
}

// records returns what is recorded, oldest first, in short.
func (w *world) records(t *testing.T) []string {
	t.Helper()
	var short []string
	for r, err := range w.store.List(t.Context(), state.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		short = append(short, fmt.Sprintf("%s %d %s", r.Operation, r.Sequence, r.Status))
	}
	slices.Reverse(short)
	return short
}

func (w *world) deployments() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var ids []string
	for id := range w.live {
		ids = append(ids, id)
	}
	return ids
}

func (w *world) plugin() component.Plugin {
	return component.Plugin{
		Name: "world",
		Builder: component.NewBuilder(func(component.Host, struct{}) (component.Builder[artifact.Image], error) {
			return builder{w}, nil
		}),
		Platform: component.NewPlatform(func(component.Host, struct{}) (component.Platform[artifact.Image, deployment], error) {
			return platform{w}, nil
		}),
		Releaser: component.NewReleaser(func(component.Host, struct{}) (component.Releaser[deployment, release], error) {
			return releaser{w}, nil
		}),
		DefaultRelease: true,
	}
}

type builder struct{ w *world }

func (b builder) Build(context.Context, component.BuildRequest) (artifact.Image, error) {
	return artifact.Image{Repository: "shop/web", Digest: "sha256:" + b.w.content}, b.w.call("build")
}

type deployment struct {
	ID      string `json:"id"`
	InPlace bool   `json:"in_place,omitempty"`
	Closed  bool   `json:"closed,omitempty"` // it is not known where it listens
}

func (d deployment) Vars() map[string]cty.Value {
	return map[string]cty.Value{"name": cty.StringVal(d.ID)}
}

func (d deployment) URL() string {
	if d.Closed {
		return ""
	}
	return "http://" + d.ID
}

func (d deployment) Generation() string {
	if d.InPlace {
		return "object"
	}
	return ""
}

type platform struct{ w *world }

func (p platform) Plan(context.Context, component.DeployRequest[artifact.Image]) (component.Plan, error) {
	return component.Plan{Changes: []component.Change{{Action: component.Create, Subject: "deployment"}}}, p.w.call("plan deploy")
}

func (p platform) Deploy(ctx context.Context, req component.DeployRequest[artifact.Image]) (deployment, error) {
	p.w.mu.Lock()
	p.w.live[req.ID] = true
	p.w.mu.Unlock()
	call := "deploy " + req.Artifact.Digest
	if password, ok := req.Env["PASSWORD"]; ok {
		call += " with " + password.Text.Reveal()
	}
	err := p.w.call(call)
	return deployment{ID: req.ID, InPlace: p.w.inPlace}, errors.Join(err, ctx.Err())
}

func (p platform) Find(_ context.Context, app component.App) ([]component.Target[deployment], error) {
	var found []component.Target[deployment]
	for _, id := range p.w.deployments() {
		found = append(found, component.Target[deployment]{App: app, ID: id, Deployment: deployment{ID: id, Closed: p.w.closed}})
	}
	// Looking is in no log of calls, for it changes nothing.
	if p.w.fail != nil {
		return found, p.w.fail("find")
	}
	return found, nil
}

func (p platform) Restore(_ context.Context, req component.RestoreRequest[deployment]) (deployment, error) {
	return deployment{ID: req.ID, InPlace: true}, p.w.call(fmt.Sprintf("restore %d", req.From.Sequence))
}

func (p platform) Status(_ context.Context, t component.Target[deployment]) (component.Health, error) {
	if p.w.health != nil {
		return p.w.health()
	}
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if p.w.live[t.ID] {
		return component.Health{State: component.Ready}, nil
	}
	return component.Health{State: component.Missing}, nil
}

func (p platform) Logs(context.Context, component.Target[deployment], component.LogRequest) iter.Seq2[component.LogLine, error] {
	return func(yield func(component.LogLine, error) bool) { yield(component.LogLine{Text: "out of memory"}, nil) }
}

func (p platform) Exec(_ context.Context, t component.Target[deployment], req component.ExecRequest) (int, error) {
	_, err := io.WriteString(req.Stdout, strings.Join(req.Command, " "))
	return 7, errors.Join(err, p.w.call("exec"))
}

func (p platform) Destroy(_ context.Context, t component.Target[deployment]) error {
	if err := p.w.call(fmt.Sprintf("destroy %d", t.Sequence)); err != nil {
		return err
	}
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	delete(p.w.live, t.ID)
	return nil
}

func (p platform) DestroyShared(context.Context, component.App) error {
	return p.w.call("destroy shared")
}

type release struct {
	Deployment string `json:"deployment"`
}

func (r release) URL() string { return "http://web" }

type releaser struct{ w *world }

func (r releaser) Plan(_ context.Context, req component.ReleaseRequest[deployment]) (component.Plan, error) {
	if req.Percent < 100 {
		return component.Plan{}, r.partly()
	}
	return component.Plan{Changes: []component.Change{{Action: component.Update, Subject: "traffic"}}}, r.w.call("plan release")
}

// partly says whether traffic can be shared.
func (r releaser) partly() error {
	if r.w.weights {
		return nil
	}
	return errors.ErrUnsupported
}

func (r releaser) Release(ctx context.Context, req component.ReleaseRequest[deployment]) (release, error) {
	call := fmt.Sprintf("release %d", req.Target.Sequence)
	if req.Percent < 100 {
		if err := r.partly(); err != nil {
			return release{}, err
		}
		call += fmt.Sprintf(" at %d", req.Percent)
	}
	if err := errors.Join(r.w.call(call), ctx.Err()); err != nil {
		return release{}, err
	}
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	r.w.traffic = req.Target.ID
	return release{req.Target.ID}, nil
}

func (r releaser) Destroy(context.Context, component.App, release) error {
	return r.w.call("destroy release")
}

// The world is the engine's UI, too.

func (w *world) Group(string) (end func()) { return func() {} }

func (w *world) Diagnostics(diags hcl.Diagnostics) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.problems = append(w.problems, diags...)
}

func (w *world) Print(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.printed = append(w.printed, fmt.Sprintf(format, args...))
}

func (w *world) Plan(_ string, p component.Plan) { w.plans = append(w.plans, p) }
func (w *world) Summary(string)                  {}

func (w *world) Step(ctx context.Context, title string, fn func(context.Context, component.Step) error) error {
	w.mu.Lock()
	w.steps = append(w.steps, title)
	w.mu.Unlock()
	return fn(ctx, silent{})
}

type silent struct{}

func (silent) Update(string, ...any) {}
func (silent) Output() io.Writer     { return io.Discard }
