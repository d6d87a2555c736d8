package runstore_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// TestEarly has another run deploy although this one has the lock, as can be
// where that is best effort. An early question is one request, and shows it.
func TestEarly(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	newJob(t, fake, 1).deploy(t, "A")
	j := newJob(t, fake, 2)
	j.token = secret.Text("ghs_queue")
	fake.AddToken(githubfake.Token{Text: "ghs_queue", Permissions: []string{"actions: read", "contents: read", "deployments: write"}})
	s := j.step(t)
	lockStore(t, s)
	wantList(t, s, "A")
	early := state.Query{Project: "shop", App: "web", Workspace: "production", Early: true}
	ask := func(want ...string) (requests int) {
		t.Helper()
		before := len(fake.Calls())
		var ids []string
		for r, err := range s.List(t.Context(), early) {
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, r.ID)
		}
		slices.Sort(ids)
		if diff := cmp.Diff(want, ids); diff != "" {
			t.Errorf("records (-want +got):\n%s", diff)
		}
		requests, _ = rest(fake, before)
		return requests
	}
	if sent := ask("A"); sent != 1 {
		t.Errorf("an early question took %d requests, want 1", sent)
	}
	other := newJob(t, fake, 3)
	rival := other.step(t)
	put(t, rival, other.running("B"))
	ask("A", "B")
	put(t, rival, other.record("B"))
	flush(t, rival)
	wantList(t, s, "A", "B")
}
