package app_test

import (
	"encoding/json"
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

// The most that one app's up may ask of GitHub. What the post step does comes on
// top: it gives the lock back, and tells that the former Deployment serves
// nobody.
const (
	upCalls    = 16
	upWrites   = 6
	postWrites = 3
)

// queueCalls is what an up may ask for that may lock by Deployments alone. Such
// a lock is best effort, so it looks again before traffic moves.
const queueCalls = 20

// TestBudgetOfOneUp counts what an up asks for after so many deployments. Each
// run is of a new commit, and has no history of git to look at.
func TestBudgetOfOneUp(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		lock     string
		contents string
		earlier  int
		calls    int
	}{
		{"ref", "contents: write", 0, upCalls},
		{"ref", "contents: write", 10, upCalls},
		{"ref", "contents: write", 1000, upCalls},
		{"queue", "contents: read", 0, upCalls},
		{"queue", "contents: read", 10, queueCalls},
	} {
		t.Run(fmt.Sprintf("%s %d", c.lock, c.earlier), func(t *testing.T) {
			t.Parallel()
			f := newBudgetFleet(t, c.contents)
			f.deployed(t, c.earlier)
			before := len(f.github.Calls())
			f.succeeds(t, "up")
			main, post := f.split(before)
			t.Logf("lock by %s, %d earlier deployments: up %+v, post step %+v", c.lock, c.earlier, main, post)
			refused := map[string]int{"queue": 1}[c.lock] // the lock on a ref
			if main.calls > c.calls || main.writes-refused > upWrites || post.writes > postWrites || main.refused != refused {
				t.Errorf("up took %+v and its post step %+v, want at most %d calls and %d writes, and then %d writes", main, post, c.calls, upWrites, postWrites)
			}
		})
	}
}

// newBudgetFleet is a fleet whose runs have a post step, and a token that may
// write what a deploy needs.
func newBudgetFleet(t *testing.T, contents string) *fleet {
	t.Helper()
	f := newFleet(t)
	f.onCommits, f.inputs = true, []string{"GITHUB_ACTION_REPOSITORY=acme/deploy-action"}
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
		if _, err := intents.Create(t.Context(), r, ""); err != nil {
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
