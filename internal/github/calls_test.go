package github_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// world is a repository with one of everything.
type world struct {
	fake    *githubfake.Fake
	client  *github.Client
	base    string // a commit, which refs/heads/main points to
	next    string // its child
	tree    string
	blob    string
	deploy  int64 // a Deployment that failed
	comment int64
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{fake: newFake(t)}
	w.client = newClient(t, w.fake)
	w.base = w.fake.AddCommit("first")
	w.next = w.fake.AddCommit("second", w.base)
	w.fake.SetRef("refs/heads/main", w.base)
	w.fake.AddPullRequest(githubfake.PullRequest{Number: 5})
	w.comment = w.fake.AddComment(5, "octocat", "hello")
	w.fake.AddRun(githubfake.Run{ID: 7, Jobs: []githubfake.Job{{Name: "deploy"}}})
	made, err := w.client.CreateDeployment(t.Context(), deployment("first"))
	if err != nil {
		t.Fatal(err)
	}
	w.deploy = made.ID
	err = w.client.SetDeploymentStatus(t.Context(), w.deploy, github.DeploymentStatus{State: "failure"})
	if err != nil {
		t.Fatal(err)
	}
	commit, err := w.client.Commit(t.Context(), w.base)
	if err != nil {
		t.Fatal(err)
	}
	w.tree = commit.Tree
	files, err := w.client.Tree(t.Context(), w.tree)
	if err != nil || len(files) != 1 {
		t.Fatalf("Tree() = %v, %v, want one file", files, err)
	}
	w.blob = files[0].Blob
	return w
}

func deployment(id string) github.Deployment {
	return github.Deployment{
		Ref: head, Task: "deploy-action:shop/web", Environment: "production", Description: "web " + id, Payload: json.RawMessage(`{"id":"` + id + `"}`),
	}
}

// made counts what there must be once, however often it was asked for.
func (w *world) made() string {
	return fmt.Sprintf("%d Deployments, %d comments, main at %.7s, lock at %.7s",
		len(w.fake.Deployments()), len(w.fake.Comments()), w.fake.Ref("refs/heads/main"), w.fake.Ref("refs/locks/web"))
}

// drain reads all that a list has.
func drain[T any](list iter.Seq2[T, error]) error {
	for _, err := range list {
		if err != nil {
			return err
		}
	}
	return nil
}

// call is one method of a Client.
type call struct {
	permission string
	reports    bool // it does not wait for limits
	do         func(context.Context, *world) error
}

// calls has every method that sends a request.
func calls() map[string]call {
	const lock = "refs/locks/web"
	return map[string]call{
		"Artifacts":    {"actions: read", false, func(ctx context.Context, w *world) error { return drain(w.client.Artifacts(ctx, "state")) }},
		"RunArtifacts": {"actions: read", false, func(ctx context.Context, w *world) error { return drain(w.client.RunArtifacts(ctx, 7)) }},
		"Run":          {"actions: read", false, func(ctx context.Context, w *world) error { return second(w.client.Run(ctx, 7)) }},
		"RunAttemptJobs": {"actions: read", false, func(ctx context.Context, w *world) error {
			return drain(w.client.RunAttemptJobs(ctx, 7, 1))
		}},
		"SetStatus": {"statuses: write", true, func(ctx context.Context, w *world) error {
			return w.client.SetStatus(ctx, head, github.Status{Context: "x", State: "error"})
		}},
		"Statuses": {"statuses: read", false, func(ctx context.Context, w *world) error {
			return drain(w.client.Statuses(ctx, head))
		}},
		"CreateDeployment": {"deployments: write", false, func(ctx context.Context, w *world) error {
			return second(w.client.CreateDeployment(ctx, deployment("new")))
		}},
		"Deployments": {"deployments: read", false, func(ctx context.Context, w *world) error {
			return drain(w.client.Deployments(ctx, github.DeploymentQuery{}))
		}},
		"DeleteDeployment": {"deployments: write", true, func(ctx context.Context, w *world) error {
			return w.client.DeleteDeployment(ctx, w.deploy)
		}},
		"SetDeploymentStatus": {"deployments: write", true, func(ctx context.Context, w *world) error {
			return w.client.SetDeploymentStatus(ctx, w.deploy, github.DeploymentStatus{State: "inactive"})
		}},
		"DeploymentStatuses": {"deployments: read", false, func(ctx context.Context, w *world) error {
			return drain(w.client.DeploymentStatuses(ctx, w.deploy))
		}},
		"Ref": {"contents: read", false, func(ctx context.Context, w *world) error {
			_, _, err := w.client.Ref(ctx, "refs/heads/main")
			return err
		}},
		"Refs":      {"contents: read", false, func(ctx context.Context, w *world) error { return second(w.client.Refs(ctx, "refs/heads/")) }},
		"CreateRef": {"contents: write", false, func(ctx context.Context, w *world) error { return w.client.CreateRef(ctx, lock, w.base) }},
		"UpdateRef": {"contents: write", false, func(ctx context.Context, w *world) error {
			return w.client.UpdateRef(ctx, "refs/heads/main", w.base, w.next)
		}},
		"Commit": {"contents: read", false, func(ctx context.Context, w *world) error { return second(w.client.Commit(ctx, w.base)) }},
		"CreateCommit": {"contents: write", false, func(ctx context.Context, w *world) error {
			return second(w.client.CreateCommit(ctx, github.Commit{Message: "x", Tree: w.tree}))
		}},
		"Tree": {"contents: read", false, func(ctx context.Context, w *world) error { return second(w.client.Tree(ctx, w.tree)) }},
		"CreateTree": {"contents: write", false, func(ctx context.Context, w *world) error {
			return second(w.client.CreateTree(ctx, []github.TreeEntry{{Path: "state", Blob: w.blob}}))
		}},
		"Blob":             {"contents: read", false, func(ctx context.Context, w *world) error { return second(w.client.Blob(ctx, w.blob)) }},
		"CreateBlob":       {"contents: write", false, func(ctx context.Context, w *world) error { return second(w.client.CreateBlob(ctx, []byte("x"))) }},
		"Compare":          {"contents: read", false, func(ctx context.Context, w *world) error { return second(w.client.Compare(ctx, w.base, "main")) }},
		"PullRequest":      {"pull-requests: read", false, func(ctx context.Context, w *world) error { return second(w.client.PullRequest(ctx, 5)) }},
		"OpenPullRequests": {"pull-requests: read", false, func(ctx context.Context, w *world) error { return drain(w.client.OpenPullRequests(ctx)) }},
		"Comments":         {"pull-requests: read", true, func(ctx context.Context, w *world) error { return drain(w.client.Comments(ctx, 5)) }},
		"CreateComment":    {"pull-requests: write", true, func(ctx context.Context, w *world) error { return second(w.client.CreateComment(ctx, 5, "new")) }},
		"UpdateComment":    {"pull-requests: write", true, func(ctx context.Context, w *world) error { return w.client.UpdateComment(ctx, w.comment, "new") }},
		"DeleteComment":    {"pull-requests: write", true, func(ctx context.Context, w *world) error { return w.client.DeleteComment(ctx, w.comment) }},
	}
}

func second[T any](_ T, err error) error { return err }

// TestPermissions gives the token first nothing, then exactly the permission
// that the refusal names.
func TestPermissions(t *testing.T) {
	t.Parallel()
	for name, c := range calls() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.fake.AddToken(githubfake.Token{Text: token.Reveal()})
			before := len(w.fake.Calls())
			err := c.do(t.Context(), w)
			refusal, ok := errors.AsType[*github.PermissionError](err)
			if !ok || refusal.Permission != c.permission || refusal.Status != http.StatusForbidden {
				t.Errorf("without permissions: %v, want a PermissionError for %q", err, c.permission)
			}
			if got := len(w.fake.Calls()) - before; got != 1 {
				t.Errorf("sent %d requests, want 1: a refusal is final", got)
			}
			w.fake.AddToken(githubfake.Token{Text: token.Reveal(), Permissions: []string{c.permission}})
			if err := c.do(t.Context(), w); err != nil {
				t.Errorf("with %q: %v", c.permission, err)
			}
		})
	}
}

// TestFaults breaks the first answer to every method in every way. The method
// must succeed all the same, and must not have done twice what is done once.
func TestFaults(t *testing.T) {
	t.Parallel()
	faults := map[string]githubfake.Refusal{
		"bad gateway":            {Status: http.StatusBadGateway, Body: "<html>"},
		"bad gateway, but done":  {Status: http.StatusBadGateway, Body: "<html>", Served: true},
		"connection reset":       {Reset: true},
		"reset, but done":        {Reset: true, Served: true},
		"answer cut":             {Cut: true},
		"answer that is no JSON": {Status: http.StatusOK, Body: `{"id":`, Served: true},
		"slow answer":            {Pause: time.Minute},
	}
	for name, c := range calls() {
		want := ""
		for _, fault := range slices.Concat([]string{""}, slices.Sorted(maps.Keys(faults))) {
			t.Run(name+"/"+fault, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					if fault != "" {
						w.fake.Refuse(refuseTimes(1, "", faults[fault]))
					}
					if err := c.do(t.Context(), w); err != nil {
						t.Errorf("%s after %s: %v", name, fault, err)
					}
					if fault == "" {
						want = w.made()
					}
					if got := w.made(); got != want {
						t.Errorf("there are %s, want %s", got, want)
					}
				})
			})
		}
	}
}

// TestWhoWaits asks every method for a minute's patience.
func TestWhoWaits(t *testing.T) {
	t.Parallel()
	for name, c := range calls() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.fake.Refuse(refuseTimes(1, "", githubfake.Refusal{Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"60"}}}))
				start, before := time.Now(), len(w.fake.Calls())
				err := c.do(t.Context(), w)
				_, limit := errors.AsType[*github.LimitError](err)
				waited, sent := time.Since(start), len(w.fake.Calls())-before
				if c.reports && (!limit || waited != 0 || sent != 1) {
					t.Errorf("%s = %v after %v and %d requests, want a LimitError at once", name, err, waited, sent)
				}
				if !c.reports && (err != nil || waited != time.Minute || sent != 2) {
					t.Errorf("%s = %v after %v and %d requests, want success after a minute", name, err, waited, sent)
				}
			})
		})
	}
}
