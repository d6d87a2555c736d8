package claim_test

import (
	"testing"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/state/claim"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

func TestLockOfARunThatIsKnown(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		known github.Run
		asks  bool // about the run
		fresh bool
	}{
		"over":               {github.Run{ID: 6, Attempt: 1, Status: "completed"}, false, false},
		"not over then":      {github.Run{ID: 6, Attempt: 1, Status: "in_progress"}, true, true},
		"of another run":     {github.Run{ID: 5, Attempt: 1, Status: "completed"}, true, true},
		"an earlier attempt": {github.Run{ID: 6, Attempt: 0, Status: "completed"}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := newFake(t)
			other := newJob(t, fake, 6)
			if _, err := other.step(t).Lock(t.Context(), production, nil); err != nil {
				t.Fatal(err)
			}
			fake.AddRun(githubfake.Run{ID: 6, Status: "completed", Conclusion: "success"})
			ours := newJob(t, fake, 7)
			before := len(fake.Calls())
			fresh, err := claim.NewLocker(claim.LockOptions{
				Client: ours.client(t), Run: ours.run, Job: ours.key, Notes: ours.folder + "/notes",
				Known: func(id int64) (github.Run, bool) { return test.known, id == test.known.ID },
			}).Lock(t.Context(), production, nil)
			if err != nil {
				t.Fatal(err)
			}
			asked := false
			for _, call := range fake.Calls()[before:] {
				asked = asked || call.Path == "/repos/octo/shop/actions/runs/6"
			}
			if asked != test.asks || fresh != test.fresh {
				t.Errorf("asked: %v, fresh: %v; want %v, %v", asked, fresh, test.asks, test.fresh)
			}
		})
	}
}
