package runstore_test

import (
	"flag"
	"testing"
	"time"

	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
	"github.com/deploy-action/deploy-action/internal/testkit/histories"
)

var (
	worlds    = flag.Int("worlds", 150, "how many random histories TestRandomHistories tries")
	firstSeed = flag.Uint64("seed", 0, "the first seed of TestRandomHistories; 0 for one of the time")
)

// TestRandomHistories has several runs deploy one app at the same time, over a
// bad line, and kills some of them, some with their machines.
func TestRandomHistories(t *testing.T) {
	t.Parallel()
	seed := *firstSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	histories.Play(t, histories.Options{Worlds: *worlds, Seed: seed, New: newHub})
}

// hub is the fake as the GitHub of a history.
type hub struct{ *githubfake.Fake }

var _ histories.GitHub = hub{}

func newHub(t *testing.T, s histories.Setup) histories.GitHub {
	t.Helper()
	// What is asked for is the same in all histories, so some of it is held
	// against the API description.
	fake, err := githubfake.New(githubfake.Options{Repository: s.Repository, Now: s.Now, Lag: s.Lag, Sample: 50, Requests: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	return hub{fake}
}

func (h hub) URL() string { return "http://github.example.test" }

func (h hub) Allow(token string, permissions []string) {
	h.AddToken(githubfake.Token{Text: token, Permissions: permissions})
}

func (h hub) Run(id int64, attempt int, ended bool) {
	run := githubfake.Run{ID: id, Attempt: attempt}
	if ended {
		run.Status, run.Conclusion = "completed", "success"
	}
	h.AddRun(run)
}

func (h hub) Runtime(run int64) string { return h.Token(run, "job") }

func (h hub) Artifacts() []int64 {
	var there []int64
	for _, a := range h.Fake.Artifacts() {
		if a.Expires.After(time.Now()) {
			there = append(there, a.ID)
		}
	}
	return there
}
