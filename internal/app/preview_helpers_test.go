package app_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
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
	"github.com/deploy-action/deploy-action/internal/plugin/null"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// shared is a repository whose pull requests get previews on a cloud.
type shared struct {
	github *githubfake.Fake
	client *github.Client
	cloud  *cloud
	folder string // with waypoint.hcl, unless it is removed
	now    time.Time
	runs   int64
	after  []string           // the name of the post step, where runs have one
	cancel context.CancelFunc // of the present run
}

func newShared(t *testing.T, file string) *shared {
	t.Helper()
	s := &shared{folder: t.TempDir(), now: time.Now()}
	var err error
	s.github, err = githubfake.New(githubfake.Options{Repository: "acme/shop", Now: func() time.Time { return s.now }})
	if err != nil {
		t.Fatal(err)
	}
	s.client, err = github.New(github.Options{
		API: "https://api.example.test", Repository: "acme/shop", Token: "ghs_ofTheTestItself", HTTP: &http.Client{Transport: s.github},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.cloud = &cloud{client: s.client, live: map[string]string{}}
	s.write(t, file)
	t.Cleanup(func() {
		if broken := s.github.Violations(); len(broken) > 0 {
			t.Errorf("the calls of GitHub break its API description:\n%s", strings.Join(broken, "\n"))
		}
	})
	return s
}

func (s *shared) write(t *testing.T, file string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.folder, "waypoint.hcl"), []byte(file), 0o644); err != nil {
		t.Fatal(err)
	}
}

// project is a waypoint.hcl with apps that have what is given in a preview
// block; no block for "-".
func previewFile(apps map[string]string) string {
	var file strings.Builder
	file.WriteString("project = \"shop\"\n")
	for _, name := range slices.Sorted(maps.Keys(apps)) {
		block := "preview {\n" + apps[name] + "\n}\n"
		if apps[name] == "-" {
			block = ""
		}
		file.WriteString("app \"" + name + "\" {\n" + block + "build {\n use \"null\" {}\n}\ndeploy {\n use \"cloud\" {}\n}\n}\n")
	}
	return file.String()
}

// webhook is what the event says of a pull request.
type webhook struct {
	name, action, label, actor string
	number                     int
	head                       string // commit; "" for one of its own
	branch                     string // that it is of; "" for main or that of the pull request
}

// told is what a run came to.
type told struct {
	status             int
	log, outcome, page string
}

// run runs a verb for an event as a step of a run of its own. The pull request is
// as GitHub has it.
func (s *shared) run(t *testing.T, verb string, on webhook, inputs ...string) told {
	t.Helper()
	s.runs++
	id := 1000 + s.runs
	head := cmp.Or(on.head, fmt.Sprintf("%040x", id))
	branch := "main"
	if on.number > 0 {
		branch = "patch-" + strconv.Itoa(on.number)
	}
	branch = cmp.Or(on.branch, branch)
	s.github.AddRun(githubfake.Run{ID: id, HeadSHA: head, HeadBranch: branch, Event: on.name})
	temp := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(temp, name)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	output, page := write("output", ""), write("summary", "")
	environ := []string{
		"GITHUB_ACTIONS=true", "GITHUB_ACTION_REPOSITORY=acme/deploy-action", "GITHUB_REPOSITORY=acme/shop", "GITHUB_SHA=" + head, "GITHUB_REF_NAME=" + branch, "GITHUB_EVENT_NAME=" + on.name,
		"GITHUB_EVENT_PATH=" + write("event.json", s.payload(t, on, head)), "GITHUB_ACTOR=" + on.actor, "GITHUB_JOB=preview",
		"GITHUB_RUN_ID=" + strconv.FormatInt(id, 10), "GITHUB_RUN_ATTEMPT=1", "GITHUB_WORKSPACE=" + s.folder,
		"GITHUB_API_URL=https://api.example.test", "GITHUB_SERVER_URL=https://example.test",
		"GITHUB_OUTPUT=" + output, "GITHUB_STEP_SUMMARY=" + page, "GITHUB_STATE=" + write("state", ""),
		"ACTIONS_RESULTS_URL=https://results.example.test", "ACTIONS_RUNTIME_TOKEN=" + s.github.Token(id, "preview"),
		"INPUT_GITHUB-TOKEN=ghs_0123456789abcdef", "INPUT_STATE=auto", "PATH=/usr/bin:/bin", "INPUT_COMMAND=" + verb,
	}
	if on.number > 0 {
		environ = append(environ, "GITHUB_HEAD_REF="+branch)
	}
	if on.branch != "" {
		environ = append(environ, "GITHUB_REF=refs/heads/"+on.branch)
	}
	s.cloud.run, s.cloud.head = id, head
	var out bytes.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s.cancel = cancel
	var got told
	for _, name := range append([]string{"deploy-action"}, s.after...) {
		got.status = max(got.status, app.Main(ctx, app.Sys{
			Args: []string{name}, Dir: s.folder, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out,
			HTTP: &http.Client{Transport: s.github}, Environ: append(environ, inputs...),
			Plugins: []component.Plugin{null.Plugin, s.cloud.plugin()},
		}))
	}
	s.github.AddRun(githubfake.Run{ID: id, HeadSHA: head, HeadBranch: branch, Event: on.name, Status: "completed", Conclusion: "success"})
	got.log = out.String()
	summary, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	got.page = string(summary)
	outputs, err := os.ReadFile(output)
	if err != nil {
		t.Fatal(err)
	}
	if _, rest, ok := strings.Cut(string(outputs), "outcome<<"); ok {
		got.outcome = strings.Split(rest, "\n")[1]
	}
	return got
}

// payload is the webhook's file.
func (s *shared) payload(t *testing.T, on webhook, head string) string {
	t.Helper()
	event := map[string]any{"action": on.action, "repository": map[string]any{"default_branch": "main"}}
	if on.number > 0 {
		now, err := s.client.PullRequest(t.Context(), on.number)
		if err != nil {
			t.Fatal(err)
		}
		state := map[bool]string{true: "open", false: "closed"}[now.Open]
		labels := []any{}
		for _, name := range now.Labels {
			labels = append(labels, map[string]any{"name": name})
		}
		from := any(nil)
		if now.HeadRepository != "" {
			from = map[string]any{"full_name": now.HeadRepository}
		}
		event["pull_request"] = map[string]any{
			"number": on.number, "state": state, "draft": now.Draft, "labels": labels,
			"head": map[string]any{"sha": head, "ref": now.HeadRef, "repo": from},
			"base": map[string]any{"ref": "main", "repo": map[string]any{"full_name": "acme/shop"}},
		}
	}
	if on.name == "workflow_run" {
		event["workflow_run"] = map[string]any{"head_sha": head}
	}
	if on.label != "" {
		event["label"] = map[string]any{"name": on.label}
	}
	raw, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// succeeds runs preview for an action of a pull request, which must go well.
func (s *shared) succeeds(t *testing.T, action string, number int) told {
	t.Helper()
	got := s.run(t, "preview", webhook{name: "pull_request", action: action, number: number})
	if got.status != 0 {
		t.Fatalf("%s of #%d: exit status %d\n%s", action, number, got.status, got.log)
	}
	return got
}

// sweeps runs sweep on the default branch, which must go well.
func (s *shared) sweeps(t *testing.T) told {
	t.Helper()
	got := s.run(t, "sweep", webhook{name: "schedule"})
	if got.status != 0 {
		t.Fatalf("sweep: exit status %d\n%s", got.status, got.log)
	}
	return got
}

// nothingLeft checks that no preview exists anywhere.
func (s *shared) nothingLeft(t *testing.T) {
	t.Helper()
	if left := s.cloud.running(); len(left) > 0 {
		t.Errorf("the platform still runs %v", left)
	}
	for _, d := range s.github.Deployments() {
		t.Errorf("a Deployment is left: %s in %s, %s", d.Task, d.Environment, d.State())
	}
}

// cloud is a platform that runs nothing, and knows what it would.
type cloud struct {
	component.Unsupported[cloudDeployment]
	client *github.Client
	run    int64  // the present one
	head   string // its commit

	mu       sync.Mutex
	live     map[string]string // app and workspace of each deployment
	failing  error             // what the next deploys end with
	stubborn int               // how many times destroying fails from now on
	asked    int               // for what there is
	during   func()            // called while it deploys; nil for nothing
}

type cloudConfig struct{}

type cloudDeployment struct {
	ID string `json:"id"`
}

func (cloudDeployment) Vars() map[string]cty.Value { return map[string]cty.Value{} }
func (d cloudDeployment) URL() string {
	return "https://" + d.ID + ".example.test"
}
func (cloudDeployment) Generation() string { return "" }

func (c *cloud) plugin() component.Plugin {
	return component.Plugin{Name: "cloud", Platform: component.NewPlatform(
		func(component.Host, cloudConfig) (component.Platform[artifact.Artifact, cloudDeployment], error) {
			return c, nil
		},
	)}
}

// running returns app and workspace of what runs.
func (c *cloud) running() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Compact(slices.Sorted(maps.Values(c.live)))
}

func (c *cloud) Plan(context.Context, component.DeployRequest[artifact.Artifact]) (component.Plan, error) {
	return component.Plan{Changes: []component.Change{{Action: component.Create, Subject: "a deployment"}}}, nil
}

func (c *cloud) Deploy(ctx context.Context, req component.DeployRequest[artifact.Artifact]) (cloudDeployment, error) {
	if err := c.intend(ctx, req); err != nil {
		return cloudDeployment{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.during != nil {
		c.during()
	}
	c.live[req.ID] = req.App.Name + " in " + req.App.Workspace
	return cloudDeployment{req.ID}, c.failing
}

// intend makes sure that there is a Deployment for what is deployed, as the
// store leaves it.
func (c *cloud) intend(ctx context.Context, req component.DeployRequest[artifact.Artifact]) error {
	for d, err := range c.client.Deployments(ctx, github.DeploymentQuery{Environment: "preview"}) {
		if err != nil {
			return err
		}
		if strings.Contains(string(d.Payload), req.ID) {
			return nil
		}
	}
	payload, err := json.Marshal(map[string]any{
		"schema": 1, "project": req.App.Project, "app": req.App.Name, "workspace": req.App.Workspace, "deployment": req.ID, "run": c.run,
	})
	if err != nil {
		return err
	}
	number := strings.TrimPrefix(req.App.Workspace, "pr-")
	_, err = c.client.CreateDeployment(ctx, github.Deployment{
		Ref: c.head, Environment: "preview", Payload: payload, Transient: true,
		Task: fmt.Sprintf("deploy-action-preview:%s/%s#%s", req.App.Project, req.App.Name, number),
	})
	return err
}

func (c *cloud) Find(_ context.Context, a component.App) ([]component.Target[cloudDeployment], error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	var found []component.Target[cloudDeployment]
	for id, where := range c.live {
		if where == a.Name+" in "+a.Workspace {
			found = append(found, component.Target[cloudDeployment]{App: a, ID: id, Deployment: cloudDeployment{id}})
		}
	}
	return found, nil
}

func (c *cloud) Status(context.Context, component.Target[cloudDeployment]) (component.Health, error) {
	return component.Health{State: component.Ready}, nil
}

func (c *cloud) Destroy(_ context.Context, target component.Target[cloudDeployment]) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stubborn > 0 {
		c.stubborn--
		return errors.New("the cloud is busy")
	}
	delete(c.live, target.ID)
	return nil
}

func (c *cloud) DestroyShared(context.Context, component.App) error { return nil }
