package claim_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/state/claim"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
	"github.com/deploy-action/deploy-action/internal/workflow"
)

var production = claim.Key{Project: "shop", App: "web", Workspace: "production"}

func newFake(t *testing.T) *githubfake.Fake {
	t.Helper()
	fake, err := githubfake.New(githubfake.Options{Repository: "octo/shop"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, v := range fake.Violations() {
			t.Errorf("violation of the API description: %s", v)
		}
	})
	return fake
}

// job is one job of a run, with the folder that its steps share.
type job struct {
	fake   *githubfake.Fake
	run    workflow.Context
	key    string
	runner string
	folder string
	token  secret.Text
}

func newJob(t *testing.T, fake *githubfake.Fake, run int64) job {
	t.Helper()
	fake.AddRun(githubfake.Run{ID: run})
	return job{
		fake: fake, key: "deploy", folder: t.TempDir(), token: "ghs_all",
		run: workflow.Context{RunID: run, Attempt: 1, Actor: "alice", HeadSHA: fmt.Sprintf("%040x", run)},
	}
}

func (j job) client(t *testing.T) *github.Client {
	t.Helper()
	client, err := github.New(github.Options{
		API: "http://github.example.test", Repository: "octo/shop", Token: j.token, HTTP: &http.Client{Transport: j.fake},
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// step is a process of the job.
func (j job) step(t *testing.T) *claim.Locker {
	t.Helper()
	return claim.NewLocker(claim.LockOptions{
		Client: j.client(t), Run: j.run, Job: j.key, Runner: j.runner, Notes: filepath.Join(j.folder, "locks"),
	})
}

// may restricts the job's token.
func (j job) may(permissions ...string) job {
	j.token = secret.Text(fmt.Sprintf("ghs_%d_%d", j.run.RunID, len(permissions)))
	j.fake.AddToken(githubfake.Token{Text: j.token.Reveal(), Permissions: permissions})
	return j
}

func lock(t *testing.T, l *claim.Locker) (fresh bool) {
	t.Helper()
	fresh, err := l.Lock(t.Context(), production, func(holder string) { t.Errorf("Lock waits for %s, want it free", holder) })
	if err != nil {
		t.Fatalf("Lock() = %v", err)
	}
	return fresh
}

func release(t *testing.T, l *claim.Locker) {
	t.Helper()
	if err := l.Release(t.Context()); err != nil {
		t.Fatalf("Release() = %v", err)
	}
}

// writes counts the requests of f since the given one that change something.
func writes(fake *githubfake.Fake, since int) (all, changing int) {
	for _, c := range fake.Calls()[since:] {
		all++
		if c.Method != http.MethodGet {
			changing++
		}
	}
	return all, changing
}

// TestIntent makes intents and reads them back.
func TestIntent(t *testing.T) {
	t.Parallel()
	for workspace, want := range map[string]struct{ task, environment string }{
		"production": {"deploy-action:shop/web", "production"},
		"pr-7":       {"deploy-action-preview:shop/web#7", "preview"},
	} {
		t.Run(workspace, func(t *testing.T) {
			t.Parallel()
			fake := newFake(t)
			j := newJob(t, fake, 1)
			intents := claim.Intents{Client: j.client(t), Run: j.run}
			r := state.Record{
				ID: "R1", Operation: "deploy", Project: "shop", App: "web", Workspace: workspace, Sequence: 3, Plugin: "docker",
				Deployment: "web-abc", Digest: "sha256:1", Origin: state.Origin{Run: 1, Attempt: 1},
			}
			id, err := intents.Create(t.Context(), r, "ghcr.io/octo/web", 0)
			if err != nil {
				t.Fatal(err)
			}
			made := fake.Deployments()[0]
			if made.Task != want.task || made.Environment != want.environment || made.SHA != j.run.HeadSHA ||
				made.Transient != (workspace == "pr-7") || made.Production != (workspace == "production") {
				t.Errorf("Deployment = %+v, want task and environment %v of commit %s", made, want, j.run.HeadSHA)
			}
			page, err := intents.Recent(t.Context(), claim.Key{Project: "shop", App: "web", Workspace: workspace})
			wantPage := claim.Page{Intents: []claim.Intent{{ID: id, Commit: made.SHA, Created: page.Intents[0].Created, Payload: claim.Payload{
				Schema: 1, Project: "shop", App: "web", Workspace: workspace, Deployment: "web-abc", Record: "R1", Sequence: 3,
				Run: 1, Attempt: 1, Plugin: "docker", Image: "ghcr.io/octo/web", Digest: "sha256:1",
			}}}}
			if diff := cmp.Diff(wantPage, page); err != nil || diff != "" {
				t.Errorf("Recent() = %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// TestUnreadablePayloads has Deployments with our task that others made.
func TestUnreadablePayloads(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	j := newJob(t, fake, 1)
	for n, payload := range []string{`{"schema":2,"deployment":"d","record":"r"}`, `{"schema":1}`, `{"hello":"world"}`} {
		_, err := j.client(t).CreateDeployment(t.Context(), github.Deployment{
			Ref: j.run.HeadSHA, Task: "deploy-action:shop/web", Environment: "production", Payload: json.RawMessage(payload),
		})
		if err != nil {
			t.Fatalf("payload %d: %v", n, err)
		}
	}
	page, err := claim.Intents{Client: j.client(t), Run: j.run}.Recent(t.Context(), production)
	if err != nil || page.Unreadable != 3 || len(page.Intents) != 0 {
		t.Errorf("Recent() = %+v, %v, want three that are unreadable", page, err)
	}
}

// TestRebuildDeploy reads what became of a deployment from its Deployment.
func TestRebuildDeploy(t *testing.T) {
	t.Parallel()
	for states, want := range map[string]state.Status{
		"":                             state.Running,
		"in_progress":                  state.Running,
		"in_progress success":          state.Succeeded,
		"success inactive":             state.Succeeded, // a later one took its place
		"in_progress inactive":         state.Running,   // cancelled
		"in_progress failure":          state.Failed,
		"in_progress error":            state.Failed,
		"in_progress failure inactive": state.Failed,
	} {
		t.Run(states, func(t *testing.T) {
			t.Parallel()
			j := newJob(t, newFake(t), 1)
			intents := claim.Intents{Client: j.client(t), Run: j.run}
			r := state.Record{ID: "R", Project: "shop", App: "web", Workspace: "production", Deployment: "d", Sequence: 4, Plugin: "docker"}
			id, err := intents.Create(t.Context(), r, "", 0)
			if err != nil {
				t.Fatal(err)
			}
			for status := range strings.FieldsSeq(states) {
				s := github.DeploymentStatus{State: status, EnvironmentURL: "https://web.example.test"}
				if err := intents.Client.SetDeploymentStatus(t.Context(), id, s); err != nil {
					t.Fatal(err)
				}
			}
			page, err := intents.Recent(t.Context(), production)
			if err != nil {
				t.Fatal(err)
			}
			rebuilt, err := intents.Rebuild(t.Context(), page.Intents, nil)
			if err != nil || len(rebuilt) != 1 {
				t.Fatalf("Rebuild() = %+v, %v, want one record", rebuilt, err)
			}
			got := rebuilt[0]
			if got.Status != want || got.ID != "R" || got.Deployment != "d" || got.Sequence != 4 || got.Check() != nil {
				t.Errorf("record = %+v, want R of deployment d, %s", got, want)
			}
			if (got.URL != "") != (want == state.Succeeded) {
				t.Errorf("URL = %q of a deployment that %s", got.URL, got.Status)
			}
		})
	}
}

// TestRefsAreApart takes locks whose names differ in ways that a ref cannot say.
func TestRefsAreApart(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	keys := []claim.Key{
		{Project: "p", App: "web", Workspace: "lock"},
		{Project: "p", App: "web.lock", Workspace: ""},
		{Project: "p", App: "", Workspace: "web"},
		{Project: "", App: "p", Workspace: "web"},
		{Project: "p/web", App: "x", Workspace: "y"},
		{Project: "p", App: "web/x", Workspace: "y"},
		{Project: "p", App: "=2f", Workspace: "y"},
		{Project: "p", App: "/", Workspace: "y"},
		{Project: "p", App: "a+b", Workspace: "c"},
		{Project: "p", App: "a", Workspace: "b+c"},
		{Project: strings.Repeat("ü", 90), App: "a", Workspace: "b"},
		{Project: strings.Repeat("ü", 91), App: "a", Workspace: "b"},
	}
	for n, k := range keys {
		if _, err := newJob(t, fake, int64(n+1)).step(t).Lock(t.Context(), k, func(holder string) { t.Errorf("the lock of %v is that of %s", k, holder) }); err != nil {
			t.Fatalf("Lock(%v) = %v", k, err)
		}
	}
	refs := 0
	for _, c := range fake.Calls() {
		if c.Method == http.MethodPost && strings.HasSuffix(c.Path, "/git/refs") {
			refs++
		}
	}
	if refs != len(keys) {
		t.Errorf("%d refs were made for %d locks", refs, len(keys))
	}
}

// TestNoPermission may lock in no way, or only by one that is turned off.
func TestNoPermission(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	j := newJob(t, fake, 1).may("contents: read", "actions: read", "deployments: read")
	_, err := j.step(t).Lock(t.Context(), production, nil)
	if _, ok := errors.AsType[*claim.UnlockableError](err); !ok || !strings.Contains(err.Error(), `"contents: write"`) || !strings.Contains(err.Error(), `"deployments: write"`) {
		t.Errorf("Lock() = %v, want an UnlockableError that names both permissions", err)
	}
	j = newJob(t, fake, 2).may("contents: read", "deployments: write")
	off := claim.NewLocker(claim.LockOptions{Client: j.client(t), Run: j.run, Notes: filepath.Join(j.folder, "locks"), NoDeployments: true})
	if _, err := off.Lock(t.Context(), production, nil); !strings.Contains(fmt.Sprint(err), "turned off") {
		t.Errorf("Lock() = %v, want it to say that Deployments are turned off", err)
	}
	if len(fake.Deployments()) != 0 {
		t.Error("a Deployment was made all the same")
	}
}

// tasks returns the tasks of all Deployments.
func tasks(fake *githubfake.Fake) (tasks []string) {
	for _, d := range fake.Deployments() {
		tasks = append(tasks, d.Task)
	}
	return slices.Clip(tasks)
}

// TestRebuild makes the history of two deployments, of which the first was
// released again, and of an earlier life that was destroyed.
func TestRebuild(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	fake, err := githubfake.New(githubfake.Options{Repository: "octo/shop", Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	j := newJob(t, fake, 1)
	intents := claim.Intents{Client: j.client(t), Run: j.run}
	ids := map[string]int64{}
	for n, name := range []string{"old", "one", "two"} {
		r := state.Record{
			ID: name, Project: "shop", App: "web", Workspace: "production", Deployment: "web-" + name, Sequence: n + 5, Plugin: "docker", Digest: "sha256:" + name,
		}
		if ids[name], err = intents.Create(t.Context(), r, "registry.example/web", 0); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Second)
	}
	for _, told := range []struct{ name, state, text string }{
		{"old", "success", "released · web-old"},
		{"old", "inactive", "destroyed"},
		{"one", "success", "released · web-one"},
		{"two", "success", "deployed · web-two"},
		{"two", "success", "released · web-two"},
		{"one", "success", "released · web-one"},
		{"two", "inactive", "superseded by web-one"},
	} {
		now = now.Add(time.Minute)
		if err := intents.Client.SetDeploymentStatus(t.Context(), ids[told.name], github.DeploymentStatus{State: told.state, Description: told.text}); err != nil {
			t.Fatal(err)
		}
	}
	page, err := intents.Recent(t.Context(), production)
	if err != nil {
		t.Fatal(err)
	}
	all, err := intents.Rebuild(t.Context(), page.Intents, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range slices.Backward(state.Merge(all)) {
		if r.Check() != nil || !state.Rebuilt(r) {
			t.Errorf("%+v is no rebuilt record", r)
		}
		got = append(got, fmt.Sprintf("%s %d %s %s", r.Operation, r.Sequence, r.Deployment, r.Status))
	}
	want := []string{
		"deploy 5 web-old succeeded", "push 5  succeeded", "deploy 6 web-one succeeded", "push 6  succeeded",
		"deploy 7 web-two succeeded", "push 7  succeeded",
		"release 4 web-old destroyed", "release 5 web-one succeeded", "release 6 web-two succeeded", "release 7 web-one succeeded",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("records, oldest first (-want +got):\n%s", diff)
	}
	parent := all[slices.IndexFunc(all, func(r state.Record) bool { return r.ID == "two" })].Parent
	push := all[slices.IndexFunc(all, func(r state.Record) bool { return r.ID == parent })]
	if string(push.Result) != `{"kind":"image","value":{"digest":"sha256:two","repository":"registry.example/web"}}` {
		t.Errorf("the image is %s", push.Result)
	}
}
