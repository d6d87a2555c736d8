package app_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/deploy-action/deploy-action/internal/app"
	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/retry"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// harborFile has one app whose images go to a repository of its own.
const harborFile = `project = "shop"

app "web" {
  build {
    use "harbor" {}
    registry {
      use "harbor" {
        image = "registry.example/shop/web"
      }
    }
  }
  deploy {
    use "harbor" {}
  }
}
`

// berth is what the labels of one deployment on the harbor say, and what it
// runs.
type berth struct {
	project, app, workspace string
	sequence                int
	image                   string
}

// harbor is a platform that keeps labels, with a builder and a registry.
type harbor struct {
	mu       sync.Mutex
	berths   map[string]berth // by deployment
	traffic  map[string]string
	content  int
	mute     bool // it cannot be asked what it holds
	destroys []string
	outages  []string // deployments that were destroyed while users were sent there

	cutAt string                      // the call that is cut short: deploy or release
	cut   func(context.Context) error // what happens there, once it has had its effect
}

// after is the end of a call.
func (h *harbor) after(ctx context.Context, call string) error {
	if h.cutAt != call {
		return nil
	}
	return h.cut(ctx)
}

type harborImage struct {
	Image string `hcl:"image"`
}

type harborDeployment struct {
	Ship string `json:"ship"` // which berth it is; forged, it may be another's
}

func (harborDeployment) Vars() map[string]cty.Value { return map[string]cty.Value{} }
func (d harborDeployment) URL() string              { return "https://" + d.Ship + ".example.test" }
func (harborDeployment) Generation() string         { return "" }

type harborRelease struct {
	Front string `json:"front"`
}

func (r harborRelease) URL() string { return "https://" + r.Front }

func (h *harbor) plugin() component.Plugin {
	return component.Plugin{
		Name: "harbor", DefaultRelease: true,
		Builder: component.NewBuilder(func(component.Host, struct{}) (component.Builder[artifact.Image], error) { return h, nil }),
		Registry: component.NewRegistry(func(_ component.Host, c harborImage) (component.Registry[artifact.Image], error) {
			return harborRegistry(c), nil
		}),
		Platform: component.NewPlatform(func(component.Host, struct{}) (component.Platform[artifact.Image, harborDeployment], error) {
			return harborPlatform{harbor: h}, nil
		}),
		Releaser: component.NewReleaser(func(component.Host, struct{}) (component.Releaser[harborDeployment, harborRelease], error) {
			return harborReleaser{h}, nil
		}),
	}
}

func (h *harbor) Build(context.Context, component.BuildRequest) (artifact.Image, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.content++
	return artifact.Image{Repository: "built", Digest: fmt.Sprintf("sha256:%064x", h.content)}, nil
}

type harborRegistry harborImage

func (g harborRegistry) Plan(_ context.Context, req component.PushRequest[artifact.Image]) (artifact.Image, component.Plan, error) {
	req.Artifact.Repository = g.Image
	return req.Artifact, component.Plan{}, nil
}

func (g harborRegistry) Push(_ context.Context, req component.PushRequest[artifact.Image]) (artifact.Image, error) {
	req.Artifact.Repository = g.Image
	return req.Artifact, nil
}

func (g harborRegistry) Repository(context.Context, component.App) (*artifact.Repository, error) {
	return &artifact.Repository{Name: g.Image}, nil
}

type harborPlatform struct {
	component.Unsupported[harborDeployment]
	*harbor
}

func (p harborPlatform) Plan(context.Context, component.DeployRequest[artifact.Image]) (component.Plan, error) {
	return component.Plan{}, nil
}

func (p harborPlatform) Deploy(ctx context.Context, req component.DeployRequest[artifact.Image]) (harborDeployment, error) {
	p.mu.Lock()
	p.berths[req.ID] = berth{req.App.Project, req.App.Name, req.App.Workspace, req.Sequence, req.Artifact.Reference()}
	p.mu.Unlock()
	return harborDeployment{req.ID}, p.after(ctx, "deploy")
}

func (p harborPlatform) Find(_ context.Context, a component.App) ([]component.Target[harborDeployment], error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mute {
		return nil, errors.ErrUnsupported
	}
	var found []component.Target[harborDeployment]
	for id, b := range p.berths {
		if b.project == a.Project && b.app == a.Name && b.workspace == a.Workspace {
			found = append(found, component.Target[harborDeployment]{App: a, ID: id, Sequence: b.sequence, Deployment: harborDeployment{id}})
		}
	}
	slices.SortFunc(found, func(x, y component.Target[harborDeployment]) int { return cmp.Compare(y.Sequence, x.Sequence) })
	return found, nil
}

func (p harborPlatform) Status(context.Context, component.Target[harborDeployment]) (component.Health, error) {
	return component.Health{State: component.Ready}, nil
}

// Destroy goes by the labels, as it has to.
func (p harborPlatform) Destroy(_ context.Context, t component.Target[harborDeployment]) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	b, ok := p.berths[t.ID]
	if ok && b.project == t.App.Project && b.app == t.App.Name && b.workspace == t.App.Workspace {
		delete(p.berths, t.ID)
		p.destroys = append(p.destroys, t.ID)
		if p.traffic[b.app+"."+b.workspace] == t.ID {
			p.outages = append(p.outages, t.ID)
		}
	}
	return nil
}

func (p harborPlatform) DestroyShared(context.Context, component.App) error { return nil }

type harborReleaser struct{ *harbor }

func (r harborReleaser) Plan(context.Context, component.ReleaseRequest[harborDeployment]) (component.Plan, error) {
	return component.Plan{}, nil
}

func (r harborReleaser) Release(ctx context.Context, req component.ReleaseRequest[harborDeployment]) (harborRelease, error) {
	r.mu.Lock()
	// It trusts what it is told, as one of a load balancer does.
	r.traffic[req.Target.App.Name+"."+req.Target.App.Workspace] = req.Target.Deployment.Ship
	r.mu.Unlock()
	return harborRelease{req.Target.App.Name + ".example.test"}, r.after(ctx, "release")
}

func (r harborReleaser) Destroy(_ context.Context, a component.App, _ harborRelease) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.traffic, a.Name+"."+a.Workspace)
	return nil
}

// fleet is a repository whose app runs on a harbor, each verb in a run of its
// own.
type fleet struct {
	*harbor
	github *githubfake.Fake
	client *github.Client
	folder string
	now    time.Time // at GitHub; zero for the clock of the test
	runs   int64

	inputs    []string // INPUT_NAME=value, of every run
	onCommits bool     // each run is of a new commit that GitHub has
	pushes    bool     // the event of each run names the commit before
	commit    string   // the newest one
	before    string   // the newest one before the present run
	head      string   // of the present run
	output    string   // the file with the outputs of the last step

	slow time.Duration // that GitHub takes for each answer
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{
		harbor: &harbor{berths: map[string]berth{}, traffic: map[string]string{}},
		folder: t.TempDir(), now: time.Now().Add(-24 * time.Hour),
	}
	var err error
	if f.github, err = githubfake.New(githubfake.Options{Repository: "acme/shop", Now: func() time.Time {
		if f.now.IsZero() {
			return time.Now()
		}
		return f.now
	}}); err != nil {
		t.Fatal(err)
	}
	f.client, err = github.New(github.Options{
		API: "https://api.example.test", Repository: "acme/shop", Token: "ghs_ofTheTestItself", HTTP: &http.Client{Transport: f.github},
	})
	if err != nil {
		t.Fatal(err)
	}
	f.write(t, harborFile)
	t.Cleanup(func() {
		if broken := f.github.Violations(); len(broken) > 0 {
			t.Errorf("the calls of GitHub break its API description:\n%s", strings.Join(broken, "\n"))
		}
	})
	return f
}

func (f *fleet) write(t *testing.T, file string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(f.folder, "waypoint.hcl"), []byte(file), 0o644); err != nil {
		t.Fatal(err)
	}
}

// run runs a verb with flags, and its post step, in a run on main.
func (f *fleet) run(t *testing.T, verb string, flags ...string) (status int, log string) {
	t.Helper()
	f.begin()
	defer f.end()
	return f.job(t, "deploy", append(asks(verb, flags...), f.inputs...)...)
}

// begin makes a run on main, of a new commit that GitHub has if onCommits says
// so.
func (f *fleet) begin() {
	f.runs++
	if !f.now.IsZero() {
		f.now = f.now.Add(time.Minute)
	}
	f.before, f.head = f.commit, fmt.Sprintf("%040x", f.id())
	if f.onCommits {
		parents := slices.DeleteFunc([]string{f.commit}, func(sha string) bool { return sha == "" })
		f.head = f.github.AddCommit(fmt.Sprintf("change %d", f.runs), parents...)
		f.commit = f.head
	}
	f.github.AddRun(githubfake.Run{ID: f.id(), HeadSHA: f.head, HeadBranch: "main", Event: "push"})
}

// end ends the present run.
func (f *fleet) end() {
	f.github.AddRun(githubfake.Run{ID: f.id(), HeadSHA: f.head, HeadBranch: "main", Event: "push", Status: "completed", Conclusion: "success"})
}

// id is the present run's.
func (f *fleet) id() int64 { return 1000 + f.runs }

// job runs a step of ours, and its post step, as a job of the present run.
func (f *fleet) job(t *testing.T, name string, inputs ...string) (status int, log string) {
	t.Helper()
	temp := t.TempDir()
	f.output = filepath.Join(temp, "output")
	environ := f.environ(t, temp, errand{run: f.id(), attempt: 1, head: f.head, job: name, inputs: inputs})
	var out strings.Builder
	for _, name := range []string{"deploy-action", "deploy-action-post"} {
		ended, printed := f.step(t.Context(), name, environ, f.line())
		status = max(status, ended)
		out.WriteString(printed)
	}
	return status, out.String()
}

// errand is what a job of one attempt of a run is to do.
type errand struct {
	run     int64
	attempt int
	head    string // commit
	job     string
	inputs  []string // INPUT_NAME=value
}

// asks are the inputs that ask for a verb with flags.
func asks(verb string, flags ...string) []string {
	return []string{"INPUT_COMMAND=" + verb, "INPUT_FLAGS=" + strings.Join(flags, "\n")}
}

// environ is the environment of an errand on a machine that keeps its files in a
// folder.
func (f *fleet) environ(t *testing.T, temp string, e errand) []string {
	t.Helper()
	for _, file := range []string{"output", "summary"} {
		if err := os.WriteFile(filepath.Join(temp, file), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return append([]string{
		"GITHUB_ACTIONS=true", "GITHUB_REPOSITORY=acme/shop", "GITHUB_SHA=" + e.head, "GITHUB_REF_NAME=main", "GITHUB_EVENT_NAME=push", "GITHUB_EVENT_PATH=" + f.event(t, temp),
		"GITHUB_ACTOR=alice", "GITHUB_JOB=" + e.job, "GITHUB_RUN_ID=" + strconv.FormatInt(e.run, 10), "GITHUB_RUN_ATTEMPT=" + strconv.Itoa(e.attempt),
		"GITHUB_WORKSPACE=" + f.folder, "GITHUB_API_URL=https://api.example.test", "GITHUB_SERVER_URL=https://example.test",
		"GITHUB_OUTPUT=" + filepath.Join(temp, "output"), "GITHUB_STEP_SUMMARY=" + filepath.Join(temp, "summary"),
		"GITHUB_STATE=" + filepath.Join(temp, "state"),
		"ACTIONS_RESULTS_URL=https://results.example.test", "ACTIONS_RUNTIME_TOKEN=" + f.github.Token(e.run, e.job),
		"INPUT_GITHUB-TOKEN=ghs_0123456789abcdef", "INPUT_STATE=auto", "PATH=/usr/bin:/bin",
	}, e.inputs...)
}

// event writes the event of the present run to a folder and returns its path,
// where there is none unless pushes asks for it.
func (f *fleet) event(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "event.json")
	if f.pushes {
		content := fmt.Sprintf(`{"before": %q, "after": %q, "forced": false, "repository": {"default_branch": "main"}}`, f.before, f.head)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// step runs the program under a name.
func (f *fleet) step(ctx context.Context, name string, environ []string, line http.RoundTripper) (status int, log string) {
	var out bytes.Buffer
	status = app.Main(ctx, app.Sys{
		Args: []string{name}, Dir: f.folder, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out,
		HTTP: &http.Client{Transport: line}, Environ: environ, Plugins: []component.Plugin{f.plugin()},
	})
	return status, out.String()
}

// line is the way to GitHub.
func (f *fleet) line() http.RoundTripper {
	if f.slow == 0 {
		return f.github
	}
	return slowLine{f.github, f.slow}
}

// slowLine lets each answer wait.
type slowLine struct {
	http.RoundTripper
	wait time.Duration
}

func (l slowLine) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := retry.Sleep(r.Context(), l.wait); err != nil {
		return nil, err
	}
	return l.RoundTripper.RoundTrip(r)
}

// succeeds runs a verb that must go well.
func (f *fleet) succeeds(t *testing.T, verb string, flags ...string) (log string) {
	t.Helper()
	status, log := f.run(t, verb, flags...)
	if status != 0 {
		t.Fatalf("%s: exit status %d\n%s", verb, status, log)
	}
	return log
}

// lose makes every state artifact unavailable.
func (f *fleet) lose() {
	for _, a := range f.github.Artifacts() {
		f.github.Expire(a.ID)
	}
}

// serving is the image that users get.
func (f *fleet) serving() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.berths[f.traffic["web.default"]].image
}

// image is the one that the nth build made.
func image(n int) string { return fmt.Sprintf("registry.example/shop/web@sha256:%064x", n) }

// deployments returns the IDs of what exists, the oldest first.
func (f *fleet) deployments() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var ids []string
	for id := range f.berths {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b string) int { return cmp.Compare(f.berths[a].sequence, f.berths[b].sequence) })
	return ids
}
