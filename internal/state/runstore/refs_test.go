package runstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/state/runstore"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
	"github.com/deploy-action/deploy-action/internal/testkit/statetest"
)

const stateRef = "refs/deploy-action/shop/web/production"

// onGit makes a job keep its records on git refs, without artifacts.
func (j job) onGit() job {
	change := j.change
	j.offline = true
	j.change = func(o *runstore.Options) {
		if change != nil {
			change(o)
		}
		o.Git = true
	}
	return j
}

func newGitJob(t *testing.T, fake *githubfake.Fake, run int64) job {
	t.Helper()
	j := newJob(t, fake, run).onGit()
	j.client = unforced{t, fake}
	return j
}

// unforced is a line on which no ref is ever forced or deleted.
type unforced struct {
	t    *testing.T
	next http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (u unforced) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.Contains(r.URL.Path, "/git/refs") && r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		if r.Method == http.MethodDelete || r.Method == http.MethodPatch && !strings.Contains(string(body), `"force":false`) {
			u.t.Errorf("%s %s %s: a ref must neither be forced nor deleted", r.Method, r.URL.Path, body)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	return u.next.RoundTrip(r)
}

func TestGitStore(t *testing.T) {
	t.Parallel()
	statetest.Run(t, func(t *testing.T) state.Store { return newGitJob(t, newFake(t), 1).step(t) })
}

// TestGitCosts counts requests. The second run finds what the first one left.
func TestGitCosts(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	newGitJob(t, fake, 1).deploy(t, "A")
	j := newGitJob(t, fake, 2)
	s := j.step(t)
	count := func(doing string, want int, do func()) {
		t.Helper()
		before := len(fake.Calls())
		do()
		if got := len(fake.Calls()) - before; got != want {
			t.Errorf("%s took %d requests, want %d", doing, got, want)
		}
	}
	count("reading the ref, the tree, the file and the Deployments", 4, func() { wantList(t, s, "A") })
	count("reading again", 0, func() { wantList(t, s, "A") })
	put(t, s, j.record("B"))
	count("writing a file, a tree, a commit and the ref", 4, func() { flush(t, s) })
	count("writing nothing", 0, func() { flush(t, s) })
	put(t, s, j.record("C"))
	count("writing again", 4, func() { flush(t, s) })
	wantList(t, newGitJob(t, fake, 3).step(t), "A", "B", "C")
	if len(fake.Artifacts()) != 0 {
		t.Error("an artifact was made")
	}
}

// TestGitRace lets runs write at once, of which none has seen the others.
func TestGitRace(t *testing.T) {
	t.Parallel()
	for _, before := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			fake := newFakeAt(t, time.Now)
			want := []string{"R2", "R3", "R4", "R5"}
			if before {
				newGitJob(t, fake, 1).deploy(t, "R1")
				want = append([]string{"R1"}, want...)
			}
			done := make(chan error)
			for run := int64(2); run <= 5; run++ {
				j := newGitJob(t, fake, run)
				s := j.step(t)
				list(t, s)
				put(t, s, j.record(fmt.Sprintf("R%d", run)))
				go func() { done <- s.Flush(t.Context()) }()
			}
			for range 4 {
				if err := <-done; err != nil {
					t.Errorf("Flush() = %v", err)
				}
			}
			wantList(t, newGitJob(t, fake, 9).step(t), want...)
		})
	}
}

// TestGitStaleRead shows a run, for a while, the ref as it was before.
func TestGitStaleRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stale int // reads of the ref that show the past
		want  string
	}{
		"for a moment": {stale: 2},
		"for ever":     {stale: 1 << 30, want: "Update is not a fast forward (after 5 tries)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := newFakeAt(t, time.Now)
				newGitJob(t, fake, 1).deploy(t, "A")
				past := &pastRefs{next: fake, left: c.stale, sha: fake.Ref(stateRef)}
				newGitJob(t, fake, 2).deploy(t, "B")
				j := newGitJob(t, fake, 3)
				j.client = past
				s := j.step(t)
				wantList(t, s, "A")
				put(t, s, j.record("C"))
				err := s.Flush(t.Context())
				if c.want == "" && err == nil {
					wantList(t, newGitJob(t, fake, 4).step(t), "A", "B", "C")
					return
				}
				if c.want == "" || err == nil || !strings.Contains(err.Error(), c.want) {
					t.Fatalf("Flush() = %v, want %q", err, c.want)
				}
				// Nothing of others is lost, and the journal still has what is ours.
				wantList(t, newGitJob(t, fake, 4).step(t), "A", "B")
				j.client = nil
				flush(t, j.step(t))
				wantList(t, newGitJob(t, fake, 5).step(t), "A", "B", "C")
			})
		})
	}
}

// pastRefs answers the first questions for refs with an older commit.
type pastRefs struct {
	next http.RoundTripper
	left int
	sha  string
}

// RoundTrip implements [http.RoundTripper].
func (p *pastRefs) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.Contains(r.URL.Path, "/git/matching-refs/deploy-action/shop/") || p.left == 0 {
		return p.next.RoundTrip(r)
	}
	p.left--
	body := fmt.Sprintf(`[{"ref":%q,"object":{"type":"commit","sha":%q}}]`, stateRef, p.sha)
	return &http.Response{
		StatusCode: http.StatusOK, Status: "200 OK", Header: http.Header{}, Request: r, Body: io.NopCloser(strings.NewReader(body)),
	}, nil
}

// TestGitRefDeleted takes the ref away between reading and writing.
func TestGitRefDeleted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFakeAt(t, time.Now)
		newGitJob(t, fake, 1).deploy(t, "A")
		j := newGitJob(t, fake, 2)
		s := j.step(t)
		wantList(t, s, "A")
		deleteRef(t, fake)
		put(t, s, j.record("B"))
		flush(t, s)
		wantList(t, newGitJob(t, fake, 3).step(t), "A", "B")
	})
}

func deleteRef(t *testing.T, fake *githubfake.Fake) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, "http://github.example.test/repos/octo/shop/git/"+stateRef, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer ghs_token")
	answer, err := fake.RoundTrip(r)
	if err != nil || answer.StatusCode != http.StatusNoContent {
		t.Fatalf("deleting the ref: %v, %v", answer, err)
	}
	answer.Body.Close()
}

// TestGitRebuilt loses the ref and the machines.
func TestGitRebuilt(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	newGitJob(t, fake, 1).begin(t, "A")
	newGitJob(t, fake, 2).deploy(t, "B")
	deleteRef(t, fake)
	var told []string
	s := newGitJob(t, fake, 3).listening(&told).step(t)
	wantList(t, s, "A")
	if len(told) != 1 || !strings.Contains(told[0], "found again by 1 Deployments") {
		t.Errorf("told %q, want that the state was found again", told)
	}
}

// TestGitUnwritable stops before anything is changed.
func TestGitUnwritable(t *testing.T) {
	t.Parallel()
	for name, unlocked := range map[string]bool{"with the lock": false, "without it": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := newFake(t)
			j := newGitJob(t, fake, 1).may("contents: read", "deployments: write", "actions: read")
			change := j.change
			j.change = func(o *runstore.Options) { change(o); o.NoLock = unlocked }
			s := j.step(t)
			wantList(t, s)
			_, err := s.Lock(t.Context(), "shop", "web", "production", nil)
			refused, ok := errors.AsType[*runstore.UnwritableError](err)
			if !ok || refused.App != "web" || !strings.Contains(err.Error(), "contents: write") {
				t.Errorf("Lock() = %v, want an UnwritableError that names the permission", err)
			}
			if len(fake.Deployments()) != 0 || fake.Ref(stateRef) != "" {
				t.Error("something was changed")
			}
			// The one who may writes, and needs the answer once.
			j = newGitJob(t, fake, 2)
			change = j.change
			j.change = func(o *runstore.Options) { change(o); o.NoLock = unlocked }
			s = j.step(t)
			for _, app := range []string{"web", "api"} {
				if _, err := s.Lock(t.Context(), "shop", app, "production", nil); err != nil {
					t.Errorf("Lock(%s) = %v", app, err)
				}
			}
			blobs := slices.DeleteFunc(fake.Calls(), func(c githubfake.Call) bool { return !strings.HasSuffix(c.Path, "/git/blobs") || c.Status >= 400 })
			if want := map[bool]int{true: 1, false: 0}[unlocked]; len(blobs) != want {
				t.Errorf("%d files were made to see whether it is allowed, want %d", len(blobs), want)
			}
		})
	}
}

// TestGitUnreadable never takes what it cannot read for a first run, and never
// writes over it.
func TestGitUnreadable(t *testing.T) {
	t.Parallel()
	newer := gzipped(t, `{"deploy-action":"state","schema":99}`+"\n")
	for name, c := range map[string]struct {
		spoil  func(t *testing.T, fake *githubfake.Fake)
		cause  error
		remedy string
	}{
		"forbidden":         {refused(403), nil, "Add `contents: read` to the permissions block of the job."},
		"not to be seen":    {refused(404), nil, "Add `contents: read` to the permissions block of the job."},
		"nonsense":          {refused(418), nil, "GitHub did not answer as it should."},
		"no file":           {commitWith("README", "hello"), github.ErrContent, "Set that ref back to the commit before it, or delete it"},
		"damaged":           {commitWith("state.jsonl.gz", gzipped(t, "x")), state.ErrNotState, "The newest commit of " + stateRef + " is not what this action wrote."},
		"cut off":           {commitWith("state.jsonl.gz", newer[:20]), state.ErrTruncated, "Set that ref back"},
		"of a later schema": {commitWith("state.jsonl.gz", newer), nil, "written by a newer version of this action"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := newFakeAt(t, time.Now)
				newGitJob(t, fake, 1).deploy(t, "A")
				c.spoil(t, fake)
				at := fake.Ref(stateRef)
				j := newGitJob(t, fake, 2)
				s := j.step(t)
				_, err := tryList(t, s)
				unreadable, ok := errors.AsType[*runstore.UnreadableError](err)
				if !ok || !strings.Contains(unreadable.Remedy, c.remedy) || c.cause != nil && !errors.Is(err, c.cause) {
					t.Errorf("List() = %v, want %q", err, c.remedy)
				}
				put(t, s, j.record("B"))
				if err := s.Flush(t.Context()); err == nil || fake.Ref(stateRef) != at {
					t.Errorf("Flush() = %v, and the ref moved from %s to %s: want it as it was", err, at, fake.Ref(stateRef))
				}
				if got := s.Pending(); len(got) != 1 {
					t.Errorf("the journal has %d records, want the one that could not be written", len(got))
				}
			})
		})
	}
}
