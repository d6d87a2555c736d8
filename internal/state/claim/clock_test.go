package claim_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// TestWrongClock has the clock of a runner be wrong, by which the lease of another
// one is over, or is not, where by GitHub's it is the other way round.
func TestWrongClock(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ahead time.Duration // of our clock before GitHub's
		after time.Duration // that the other has had the lock, by GitHub's clock
		free  bool
	}{
		"it is right, and the lease is not over": {0, 65 * time.Minute, false},
		"it is right, and the lease is over":     {0, 75 * time.Minute, true},
		"it is fast":                             {30 * time.Minute, 50 * time.Minute, false},
		"it is fast, and the lease is over":      {30 * time.Minute, 75 * time.Minute, true},
		"it is slow":                             {-30 * time.Minute, 65 * time.Minute, false},
		"it is slow, and the lease is over":      {-30 * time.Minute, 75 * time.Minute, true},
	} {
		for kind, permissions := range kinds {
			t.Run(name+", "+kind, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					ahead := time.Duration(0)
					fake, err := githubfake.New(githubfake.Options{
						Repository: "octo/shop", Now: func() time.Time { return time.Now().Add(-ahead) },
					})
					if err != nil {
						t.Fatal(err)
					}
					lock(t, newJob(t, fake, 1).may(permissions...).step(t))
					time.Sleep(c.after + c.ahead)
					ahead = c.ahead

					ours := newJob(t, fake, 2).may(permissions...)
					ours.runner = "runner-2"
					waiting, cancel := context.WithTimeout(t.Context(), time.Minute)
					defer cancel()
					l := ours.step(t)
					_, err = l.Lock(waiting, production, nil)
					if (err == nil) != c.free {
						t.Fatalf("Lock() = %v; want it to have the lock: %t", err, c.free)
					}
					if err != nil {
						return
					}
					h, alive, found := holder(t, l)
					if !found || !alive || h.Run != 2 {
						t.Errorf("Holder() = %+v, alive %t, found %t, want run 2", h, alive, found)
					}
					if apart := time.Now().Add(-c.ahead).Sub(h.Since).Abs(); apart > time.Minute {
						t.Errorf("the lock says that it was taken at %v, %v from GitHub's time", h.Since, apart)
					}
				})
			})
		}
	}
}

// TestLeaseByGitHubsClock has a clock that is wrong all the time. A lease is as
// long as ever, and made longer in time.
func TestLeaseByGitHubsClock(t *testing.T) {
	t.Parallel()
	for name, ahead := range map[string]time.Duration{"fast": 3 * time.Hour, "slow": -3 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake, err := githubfake.New(githubfake.Options{Repository: "octo/shop", Now: func() time.Time { return time.Now().Add(-ahead) }})
				if err != nil {
					t.Fatal(err)
				}
				l := newJob(t, fake, 1).step(t)
				lock(t, l)
				defer l.Tend(t.Context(), production)()
				time.Sleep(5 * time.Hour)
				if err := l.Renew(t.Context(), production); err != nil {
					t.Errorf("Renew() = %v", err)
				}
				h, alive, _ := holder(t, newJob(t, fake, 2).step(t))
				if left := h.Until.Sub(time.Now().Add(-ahead)); !alive || left < 30*time.Minute || left > 75*time.Minute {
					t.Errorf("Holder() = %+v, alive %t, with %v left of its lease", h, alive, left)
				}
			})
		})
	}
}
