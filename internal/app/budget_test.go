package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/state/claim"
	"github.com/deploy-action/deploy-action/internal/state/runstore"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
	"github.com/deploy-action/deploy-action/internal/workflow"
)

// TestBudgetOfOneUp counts what an up and its post step ask for after so many
// deployments. Each run is of a new commit, and has no history of git to look at.
//
// Nine writes are the lock taken and given back, which are two each, a status of
// the commit that says pending and one that says how it ended, the Deployment and
// its status, and that its predecessor serves nobody. The post step does the last
// three. A lock by Deployments is best effort: it takes a look more before the
// platform is touched, two before traffic moves, and two to find out that the
// token may not lock on a ref, of which the second is a write that is refused. The
// list that shows whose turn it is shows the newest Deployments as well.
func TestBudgetOfOneUp(t *testing.T) {
	t.Parallel()
	type budget struct{ main, post tally }
	first, later := budget{tally{9, 6, 0}, tally{2, 2, 0}}, budget{tally{13, 6, 0}, tally{4, 3, 0}}
	for name, c := range map[string]struct {
		contents string
		earlier  int
		apart    bool // something was pushed since that was not released
		want     budget
	}{
		"ref, 0 earlier deployments":              {"write", 0, false, first},
		"ref, 10 earlier deployments":             {"write", 10, false, later},
		"ref, 1000 earlier deployments":           {"write", 1000, false, later},
		"ref, 10 earlier deployments, a gap":      {"write", 10, true, budget{tally{14, 6, 0}, later.post}},
		"Deployments, 0 earlier deployments":      {"read", 0, false, budget{tally{12, 6, 1}, first.post}},
		"Deployments, 10 earlier deployments":     {"read", 10, false, budget{tally{15, 6, 1}, later.post}},
		"Deployments, 1000 earlier deployments":   {"read", 1000, false, budget{tally{15, 6, 1}, later.post}},
		"Deployments, 10 earlier ones, and a gap": {"read", 10, true, budget{tally{16, 6, 1}, later.post}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newBudgetFleet(t, "contents: "+c.contents)
			if c.earlier > 0 {
				f.deployed(t, c.earlier-1)
				f.succeeds(t, "up") // it leaves a lock as well
			}
			if c.apart {
				f.commit = f.github.AddCommit("not released", f.commit)
			}
			before := len(f.github.Calls())
			f.succeeds(t, "up")
			main, post := f.split(before)
			t.Logf("lock by %s: %d calls, %d of them writes; the post step %d and %d; together %d and %d", name,
				main.calls, main.writes, post.calls, post.writes, main.calls+post.calls, main.writes+post.writes)
			if got := (budget{main, post}); got != c.want {
				t.Errorf("up took %+v, want %+v", got, c.want)
			}
		})
	}
}

// TestBudgetInOrdinaryLife counts what an up asks for after runs of all kinds: it
// is never more than the budget, however many they were.
func TestBudgetInOrdinaryLife(t *testing.T) {
	t.Parallel()
	idle := func(times int) func(t *testing.T, f *fleet) {
		return func(t *testing.T, f *fleet) {
			for range times {
				f.succeeds(t, "prune") // there is nothing to prune
			}
		}
	}
	for name, before := range map[string]func(t *testing.T, f *fleet){
		"an idle run":      idle(1),
		"two idle runs":    idle(2),
		"four idle runs":   idle(4),
		"seven idle runs":  idle(7),
		"a rollback":       func(t *testing.T, f *fleet) { f.succeeds(t, "rollback") },
		"two rollbacks":    func(t *testing.T, f *fleet) { f.succeeds(t, "rollback"); f.succeeds(t, "rollback") },
		"a hold":           func(t *testing.T, f *fleet) { f.succeeds(t, "hold", "--reason=x"); f.succeeds(t, "unhold") },
		"a failed run":     func(t *testing.T, f *fleet) { f.fails(t) },
		"two failed runs":  func(t *testing.T, f *fleet) { f.fails(t); f.fails(t) },
		"a plan":           func(t *testing.T, f *fleet) { f.succeeds(t, "plan"); f.succeeds(t, "status") },
		"a build":          func(t *testing.T, f *fleet) { f.succeeds(t, "build"); f.succeeds(t, "prune") },
		"a second attempt": func(t *testing.T, f *fleet) { f.again(t); f.succeeds(t, "prune") },
	} {
		for _, lock := range []string{"write", "read"} {
			t.Run(name+", contents: "+lock, func(t *testing.T) {
				t.Parallel()
				f := newBudgetFleet(t, "contents: "+lock)
				f.deployed(t, 10)
				f.succeeds(t, "up")
				f.succeeds(t, "up")
				before(t, f)
				since := len(f.github.Calls())
				f.succeeds(t, "up")
				main, post := f.split(since)
				t.Logf("contents: %s, after %s: %d calls, %d of them writes; the post step %d and %d", lock, name, main.calls, main.writes, post.calls, post.writes)
				if main.calls > 16 || main.writes > 6 {
					t.Errorf("up took %+v, want at most 16 calls, 6 of them writes", main)
				}
				// It takes away what tells of uploads that no list leads to.
				if post.calls > 6 || post.writes > 5 {
					t.Errorf("its post step took %+v, want at most 6 calls, 5 of them writes", post)
				}
			})
		}
	}
}

// fails has a deploy go wrong at the platform.
func (f *fleet) fails(t *testing.T) {
	t.Helper()
	f.cutAt, f.cut = "deploy", func(context.Context) error { return errors.New("the crane is broken") }
	if status, log := f.run(t, "up"); status != 1 {
		t.Fatalf("up: exit status %d\n%s", status, log)
	}
	f.cutAt = ""
}

// again has the last run make a second attempt.
func (f *fleet) again(t *testing.T) {
	t.Helper()
	f.github.AddRun(githubfake.Run{ID: f.id(), Attempt: 2, HeadSHA: f.head, HeadBranch: "main", Event: "push"})
	temp := t.TempDir()
	environ := f.environ(t, temp, errand{run: f.id(), attempt: 2, head: f.head, job: "deploy", inputs: append(asks("up"), f.inputs...)})
	for _, name := range []string{"deploy-action", "deploy-action-post"} {
		if status, log := f.step(t.Context(), name, environ, f.line()); status != 0 {
			t.Fatalf("%s: exit status %d\n%s", name, status, log)
		}
	}
	f.github.AddRun(githubfake.Run{ID: f.id(), Attempt: 2, HeadSHA: f.head, HeadBranch: "main", Event: "push", Status: "completed", Conclusion: "success"})
}

// newBudgetFleet is a fleet whose runs have a post step, and a token that may
// write what a deploy needs.
func newBudgetFleet(t *testing.T, contents string) *fleet {
	t.Helper()
	f := newFleet(t)
	f.onCommits, f.pushes, f.inputs = true, true, []string{"GITHUB_ACTION_REPOSITORY=acme/deploy-action"}
	f.github.AddToken(githubfake.Token{Text: "ghs_0123456789abcdef", Permissions: []string{"actions: read", contents, "deployments: write", "statuses: write"}})
	return f
}

// split tallies the calls since then, of the main step and of the post step,
// which begins with the lock.
func (f *fleet) split(since int) (main, post tally) {
	calls := f.github.Calls()[since:]
	end := len(calls)
	for i, c := range calls {
		if strings.HasSuffix(c.Path, "/FinalizeArtifact") {
			end = i + 1
		}
	}
	return tallied(calls[:end]), tallied(calls[end:])
}

// deployed makes the state what it is after so many deployments, of which the
// last one serves and all others are gone.
func (f *fleet) deployed(t *testing.T, times int) {
	t.Helper()
	if times == 0 {
		return
	}
	const run = 500
	head := f.github.AddCommit("before")
	f.github.AddRun(githubfake.Run{ID: run, HeadSHA: head, Status: "completed", Conclusion: "success"})
	line := &http.Client{Transport: f.github}
	service, err := github.NewService(github.ServiceOptions{ResultsURL: "https://results.example.test", Token: secret.Text(f.github.Token(run, "deploy")), HTTP: line})
	if err != nil {
		t.Fatal(err)
	}
	of := workflow.Context{Repository: "acme/shop", RunID: run, Attempt: 1, RefName: "main", DefaultBranch: "main", HeadSHA: head}
	s, err := runstore.Open(runstore.Options{
		Client: f.client, Service: service, Journal: filepath.Join(t.TempDir(), "journal"), Secrets: new(secret.Set), NoLock: true,
		Run: of, Project: "shop", Apps: []string{"web"}, Workspace: "default",
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	put := func(r state.Record) {
		if err := s.Put(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	intents := claim.Intents{Client: f.client, Run: of}
	for n := 1; n <= times; n++ {
		f.now = f.now.Add(time.Minute)
		r := state.Record{
			Schema: state.Schema, ID: state.NewID(f.now), Project: "shop", App: "web", Workspace: "default", Operation: "deploy", Status: state.Running,
			Plugin: "harbor", Sequence: n, Deployment: fmt.Sprintf("web-%d", n), Started: f.now, Origin: state.Origin{Commit: head, Run: run, Attempt: 1},
		}
		if _, err := intents.Create(t.Context(), r, "", 0); err != nil {
			t.Fatal(err)
		}
		r.Status, r.Ended = state.Destroyed, f.now
		if n == times {
			r.Status, r.Result = state.Succeeded, json.RawMessage(`{"kind":"harbor","value":{"ship":"web-`+fmt.Sprint(n)+`"}}`)
		}
		put(r)
		if n == times {
			r.ID, r.Operation = state.NewID(f.now), "release"
			put(r)
		}
	}
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.commit = head
}

// TestSlowGitHub has GitHub take its time with each answer: what does not wait
// for one another is asked for at the same time.
func TestSlowGitHub(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newBudgetFleet(t, "contents: write")
		f.succeeds(t, "up")
		f.slow = 200 * time.Millisecond
		began, before := time.Now(), len(f.github.Calls())
		f.succeeds(t, "up")
		took, calls := time.Since(began), len(f.github.Calls())-before
		t.Logf("each answer takes %v: up and its post step take %v for %d requests, those of artifacts included", f.slow, took, calls)
		if limit := time.Duration(calls-1) * f.slow; took > limit {
			t.Errorf("it took %v, want at most %v: nothing was asked for side by side", took, limit)
		}
	})
}
