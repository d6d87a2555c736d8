package runstore_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/state/runstore"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// refused answers every question for refs with a status.
func refused(status int) func(*testing.T, *githubfake.Fake) {
	return func(_ *testing.T, fake *githubfake.Fake) {
		fake.Refuse(func(r *http.Request) *githubfake.Refusal {
			if strings.Contains(r.URL.Path, "/git/matching-refs/") {
				return &githubfake.Refusal{Status: status, Body: `{"message":"no"}`}
			}
			return nil
		})
	}
}

// commitWith makes somebody else put a commit with one file on the ref.
func commitWith(path, content string) func(*testing.T, *githubfake.Fake) {
	return func(t *testing.T, fake *githubfake.Fake) {
		t.Helper()
		client := clientOf(t, fake)
		blob, err := client.CreateBlob(t.Context(), []byte(content))
		if err != nil {
			t.Fatal(err)
		}
		tree, err := client.CreateTree(t.Context(), []github.TreeEntry{{Path: path, Blob: blob}})
		if err != nil {
			t.Fatal(err)
		}
		from := fake.Ref(stateRef)
		sha, err := client.CreateCommit(t.Context(), github.Commit{Message: "by hand", Tree: tree, Parents: []string{from}})
		if err != nil {
			t.Fatal(err)
		}
		if err := client.UpdateRef(t.Context(), stateRef, from, sha); err != nil {
			t.Fatal(err)
		}
	}
}

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestGitManyRecords writes and reads 10,000 of them.
func TestGitManyRecords(t *testing.T) {
	t.Parallel()
	const n = 10_000
	fake := newFake(t)
	first := newGitJob(t, fake, 1)
	var file bytes.Buffer
	records := make([]state.Record, n)
	for i := range records {
		records[i] = first.record(fmt.Sprintf("R%05d", i))
		records[i].Sequence, records[i].Started = i+1, records[i].Started.Add(time.Duration(i)*time.Minute)
	}
	if err := state.Encode(&file, state.Header{}, records); err != nil {
		t.Fatal(err)
	}
	first.deploy(t, "first")
	commitWith("state.jsonl.gz", file.String())(t, fake)
	began := time.Now()
	s := newGitJob(t, fake, 2).step(t)
	got := list(t, s)
	t.Logf("reading %d records of %d KiB took %v", len(got), file.Len()>>10, time.Since(began))
	if len(got) != n {
		t.Fatalf("List() has %d records, want %d", len(got), n)
	}
	put(t, s, first.record("last"))
	flush(t, s)
	if got := list(t, newGitJob(t, fake, 3).step(t)); len(got) != n+1 {
		t.Errorf("the next run lists %d records, want %d", len(got), n+1)
	}
}

// TestGitProjectNamedLock has the names that locks have.
func TestGitProjectNamedLock(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	for _, project := range []string{"lock", "shop"} {
		j := newGitJob(t, fake, 1)
		change := j.change
		j.change = func(o *runstore.Options) { change(o); o.Project = project }
		s := j.step(t)
		if _, err := s.Lock(t.Context(), project, "web", "production", nil); err != nil {
			t.Fatal(err)
		}
		r := j.record("of " + project)
		r.Project = project
		put(t, s, r)
		flush(t, s)
		wantList(t, j.step(t), "of "+project)
	}
}

// TestAsksAgain lists while another run writes. Under the lock of a ref nobody
// else can; else each List asks.
func TestAsksAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		may      []string
		unlocked bool
		want     []string
	}{
		"lock on a ref":       {may: []string{"actions: read", "contents: write", "deployments: write"}, want: []string{"A"}},
		"lock by Deployments": {may: []string{"actions: read", "contents: read", "deployments: write"}, want: []string{"A", "B"}},
		"no lock":             {may: []string{"actions: read", "contents: write", "deployments: write"}, unlocked: true, want: []string{"A", "B"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := newFake(t)
			newJob(t, fake, 1).deploy(t, "A")
			var told []string
			j := newJob(t, fake, 2).may(c.may...).listening(&told)
			change := j.change
			j.change = func(o *runstore.Options) { change(o); o.NoLock = c.unlocked }
			s := j.step(t)
			wantList(t, s, "A")
			if _, err := s.Lock(t.Context(), "shop", "web", "production", nil); err != nil {
				t.Fatal(err)
			}
			wantList(t, s, "A")
			newJob(t, fake, 3).deploy(t, "B")
			before := len(fake.Calls())
			wantList(t, s, c.want...)
			if asked := len(fake.Calls()) - before; (asked > 0) != (len(c.want) > 1) {
				t.Errorf("%d requests for another List", asked)
			}
			refusing(fake, http.MethodGet, "/actions/artifacts", http.StatusTeapot)
			wantList(t, s, c.want...)
			if warned := len(told) == 1 && strings.Contains(told[0], "Whether another run has changed app \"web\""); warned != (len(c.want) > 1) {
				t.Errorf("told %q when GitHub did not answer", told)
			}
		})
	}
}
