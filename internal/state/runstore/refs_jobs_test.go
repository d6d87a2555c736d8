package runstore_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deploy-action/deploy-action/internal/state/runstore"
)

// TestGitJobsOfOneAttempt are apart by their runners: nothing else tells two
// jobs of a matrix apart where there is no artifact service.
func TestGitJobsOfOneAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFakeAt(t, time.Now)
		on := func(runner string) *runstore.Store {
			j := newGitJob(t, fake, 1)
			change := j.change
			j.change = func(o *runstore.Options) { change(o); o.Runner = runner }
			return j.step(t)
		}
		lock := func(s *runstore.Store) (holder string, err error) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			_, err = s.Lock(ctx, "shop", "web", "production", func(text string) { holder = text })
			return holder, err
		}
		for _, runner := range []string{"one", "one"} {
			if holder, err := lock(on(runner)); err != nil || holder != "" {
				t.Errorf("a step of the job waits for %q: %v", holder, err)
			}
		}
		if holder, err := lock(on("two")); err == nil || !strings.HasPrefix(holder, "run 1 ") {
			t.Errorf("another job of the run waits for %q, %v: want that it waits for the first", holder, err)
		}
	})
}
