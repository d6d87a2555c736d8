package runstore_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/state/runstore"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// uploadTwice has a run deploy without a Deployment. The answer to its first
// upload is lost, so that its state is under a later name alone.
func uploadTwice(t *testing.T, fake *githubfake.Fake) {
	t.Helper()
	lost := false
	fake.Refuse(func(r *http.Request) *githubfake.Refusal {
		if lost || !strings.HasSuffix(r.URL.Path, "/CreateArtifact") {
			return nil
		}
		lost = true
		return &githubfake.Refusal{Reset: true, Served: true}
	})
	s := untoldJob(t, fake, 1).step(t)
	lockStore(t, s)
	put(t, s, untoldJob(t, fake, 1).record("A"))
	flush(t, s)
	fake.Refuse(nil)
	if err := s.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, a := range fake.Artifacts() {
		if a.Name == plainName {
			t.Errorf("there is an artifact %q", a.Name)
		}
	}
}

// untoldJob makes no Deployments.
func untoldJob(t *testing.T, fake *githubfake.Fake, run int64) job {
	t.Helper()
	j := newJob(t, fake, run)
	j.change = func(o *runstore.Options) { o.NoIntents = true }
	return j
}

func lockStore(t *testing.T, s *runstore.Store) {
	t.Helper()
	if _, err := s.Lock(t.Context(), "shop", "web", "production", nil); err != nil {
		t.Fatal(err)
	}
}

// TestLaterNameInPost has the run after that one be killed: its post step, which
// is told of no inputs but the token, must not lose what no list shows.
func TestLaterNameInPost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t)
		uploadTwice(t, fake)
		j := untoldJob(t, fake, 2)
		s := j.step(t)
		lockStore(t, s)
		wantList(t, s, "A")
		built := j.record("B")
		built.Operation = "build"
		put(t, s, built)
		s.Close() // killed

		j.change = nil
		post := j.step(t)
		flush(t, post)
		if err := post.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		// Who only looks has no lock that tells of earlier runs.
		wantList(t, untoldJob(t, fake, 3).step(t), "A", "B")
	})
}

// TestLaterNameAfterIdleRuns has runs between that record nothing: one that gives
// its lock back, one that is killed with its machine, and a second attempt.
func TestLaterNameAfterIdleRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t)
		uploadTwice(t, fake)
		idle := untoldJob(t, fake, 2).step(t)
		lockStore(t, idle)
		if err := idle.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		lost := untoldJob(t, fake, 3)
		lockStore(t, lost.step(t))
		lost.run.Attempt, lost.journal = 2, lost.journal+"-2"
		fake.AddRun(githubfake.Run{ID: 3, Attempt: 2})
		lockStore(t, lost.step(t))
		fake.AddRun(githubfake.Run{ID: 3, Attempt: 2, Status: "completed", Conclusion: "failure"})
		next := untoldJob(t, fake, 4).step(t)
		lockStore(t, next)
		wantList(t, next, "A")
	})
}

// TestFormerWasAtWork reads what a run has uploaded before that run is done, and
// waits for its lock.
func TestFormerWasAtWork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t)
		first := untoldJob(t, fake, 1)
		earlier := first.step(t)
		lockStore(t, earlier)
		put(t, earlier, first.running("A"))
		s := untoldJob(t, fake, 2).step(t)
		wantList(t, s, "A")
		locked := make(chan struct{})
		go func() {
			defer close(locked)
			lockStore(t, s)
		}()
		synctest.Wait()
		put(t, earlier, first.record("A"))
		flush(t, earlier)
		if err := earlier.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		<-locked
		if got := only(t, s, "A"); got.Status != state.Succeeded {
			t.Errorf("A is %s, want what its run has uploaded last", got.Status)
		}
	})
}

// TestLongOperation has a deploy take three hours, for its file allows it, while
// another run waits.
func TestLongOperation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t)
		fake.AddRun(githubfake.Run{ID: 1})
		j := newJob(t, fake, 1)
		s := j.step(t)
		unlock, err := s.Lock(t.Context(), "shop", "web", "production", nil)
		if err != nil {
			t.Fatal(err)
		}
		put(t, s, j.running("A"))
		entered := make(chan time.Duration)
		began := time.Now()
		go func() {
			lockStore(t, newJob(t, fake, 2).step(t))
			entered <- time.Since(began)
		}()
		time.Sleep(3 * time.Hour)
		put(t, s, j.record("A"))
		released := j.running("B")
		released.Operation, released.Status = "release", state.Running
		put(t, s, released) // it may begin, for the lock was never lost
		if err := unlock(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		if waited := <-entered; waited < 3*time.Hour {
			t.Errorf("another run had the lock after %v", waited)
		}
	})
}
