package claim_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/state/claim"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// kinds are the permissions that lead to each kind of lock.
var kinds = map[string][]string{
	"ref":        {"contents: write", "actions: read", "deployments: write"},
	"Deployment": {"contents: read", "actions: read", "deployments: write"},
}

// eachKind runs a test with each kind of lock, in a time of its own.
func eachKind(t *testing.T, test func(t *testing.T, fake *githubfake.Fake, permissions []string)) {
	for kind, permissions := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { test(t, newFake(t), permissions) })
		})
	}
}

// TestCost counts what a lock costs: the second run meets that of the first.
func TestCost(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	l := newJob(t, fake, 1).step(t)
	lock(t, l)
	if all, changing := writes(fake, 0); all != 3 || changing != 2 {
		t.Errorf("the first lock of all took %d requests, %d of them writes, want 3 and 2", all, changing)
	}
	release(t, l)
	before := len(fake.Calls())
	l = newJob(t, fake, 2).step(t)
	lock(t, l)
	if all, changing := writes(fake, before); all != 4 || changing != 2 {
		t.Errorf("a lock took %d requests, %d of them writes, want 4 and 2", all, changing)
	}
	before = len(fake.Calls())
	lock(t, l)
	if all, changing := writes(fake, before); all != 2 || changing != 0 {
		t.Errorf("to have a lock took %d requests, %d of them writes, want 2 and none", all, changing)
	}
	before = len(fake.Calls())
	release(t, l)
	if all, changing := writes(fake, before); all != 2 || changing != 2 {
		t.Errorf("Release took %d requests, %d of them writes, want 2 and 2", all, changing)
	}
	before = len(fake.Calls())
	release(t, l)
	if all, _ := writes(fake, before); all != 0 {
		t.Errorf("a second Release took %d requests", all)
	}
}

// TestStepsShare has three processes of one job, of which the last is the post
// step, and then another run.
func TestStepsShare(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, fake *githubfake.Fake, permissions []string) {
		j := newJob(t, fake, 1).may(permissions...)
		if !lock(t, j.step(t)) {
			t.Error("the first Lock is not fresh")
		}
		lock(t, j.step(t))
		release(t, j.step(t))
		if !lock(t, newJob(t, fake, 2).may(permissions...).step(t)) {
			t.Error("the Lock of another run is not fresh")
		}
		for _, c := range fake.Calls() {
			if c.Method == http.MethodDelete && strings.Contains(c.Path, "/git/refs") {
				t.Error("a ref was deleted")
			}
		}
	})
}

// TestWaiting has a second run wait until the first releases.
func TestWaiting(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, fake *githubfake.Fake, permissions []string) {
		first, second := newJob(t, fake, 1).may(permissions...).step(t), newJob(t, fake, 2).may(permissions...).step(t)
		lock(t, first)
		var told []string
		done := make(chan error)
		go func() {
			_, err := second.Lock(t.Context(), production, func(holder string) { told = append(told, holder) })
			done <- err
		}()
		time.Sleep(2 * time.Minute)
		before := len(fake.Calls())
		time.Sleep(time.Minute)
		if asked, changed := writes(fake, before); asked == 0 || asked > 9 || changed != 0 {
			t.Errorf("waiting takes %d requests a minute, %d of them writes, want at most 9 and none", asked, changed)
		}
		release(t, first)
		if err := <-done; err != nil {
			t.Fatalf("Lock() = %v", err)
		}
		want := []string{"run 1 of alice (attempt 1, since 2000-01-01 00:00 UTC)"}
		if diff := cmp.Diff(want, told); diff != "" {
			t.Errorf("waiting was told (-want +got):\n%s", diff)
		}
	})
}

// TestGivingUp ends the context of who waits, who then stands in nobody's way.
func TestGivingUp(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, fake *githubfake.Fake, permissions []string) {
		first, third := newJob(t, fake, 1).may(permissions...).step(t), newJob(t, fake, 3).may(permissions...).step(t)
		lock(t, first)
		cause := errors.New("out of patience")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, cause)
		defer cancel()
		_, err := newJob(t, fake, 2).may(permissions...).step(t).Lock(ctx, production, nil)
		if !errors.Is(err, cause) || !strings.Contains(err.Error(), "run 1 of alice") {
			t.Errorf("Lock() = %v, want its cause and the holder", err)
		}
		release(t, first)
		lock(t, third)
	})
}

// TestTakeover has a holder that never releases.
func TestTakeover(t *testing.T) {
	t.Parallel()
	for name, dies := range map[string]func(*githubfake.Fake){
		"its run ended": func(fake *githubfake.Fake) {
			fake.AddRun(githubfake.Run{ID: 1, Status: "completed", Conclusion: "cancelled"})
		},
		"later attempt":   func(fake *githubfake.Fake) { fake.AddRun(githubfake.Run{ID: 1, Attempt: 2}) },
		"its lease ended": func(*githubfake.Fake) { time.Sleep(71 * time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachKind(t, func(t *testing.T, fake *githubfake.Fake, permissions []string) {
				dead := newJob(t, fake, 1).may(permissions...).step(t)
				lock(t, dead)
				next := newJob(t, fake, 2).may(permissions...).step(t)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if _, err := next.Lock(ctx, production, nil); err == nil {
					t.Fatal("the lock of a live holder was taken")
				}
				dies(fake)
				lock(t, next)
				// The dead one comes back: it must not free the lock of another.
				release(t, dead)
				ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if _, err := newJob(t, fake, 3).may(permissions...).step(t).Lock(ctx, production, nil); err == nil {
					t.Error("the lock was free after its former holder released it")
				}
			})
		})
	}
}

// TestRerun takes over from an earlier attempt of the same run without asking.
func TestRerun(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, fake *githubfake.Fake, permissions []string) {
		j := newJob(t, fake, 1).may(permissions...)
		lock(t, j.step(t))
		j.run.Attempt, j.folder = 2, t.TempDir()
		if !lock(t, j.step(t)) {
			t.Error("the Lock of a new attempt is not fresh")
		}
	})
}

// TestRenewal has a job whose later steps need more than is left of the lease.
func TestRenewal(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, fake *githubfake.Fake, permissions []string) {
		j := newJob(t, fake, 1).may(permissions...)
		for range 3 {
			lock(t, j.step(t))
			time.Sleep(50 * time.Minute)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := newJob(t, fake, 2).may(permissions...).step(t).Lock(ctx, production, nil); err == nil {
			t.Error("another run has the lock, though the job has just renewed it")
		}
	})
}

// TestRenew has one process work for longer than a lease, beside one that waits.
func TestRenew(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, fake *githubfake.Fake, permissions []string) {
		l := newJob(t, fake, 1).may(permissions...).step(t)
		if err := l.Renew(t.Context(), production); err != nil || len(fake.Calls()) != 0 {
			t.Errorf("Renew() of what is not locked = %v after %d requests", err, len(fake.Calls()))
		}
		lock(t, l)
		other := newJob(t, fake, 2).may(permissions...).step(t)
		ctx, stop := context.WithTimeout(t.Context(), 4*time.Hour)
		defer stop()
		waited := make(chan error)
		go func() {
			_, err := other.Lock(ctx, production, nil)
			waited <- err
		}()
		for range 5 {
			time.Sleep(45 * time.Minute)
			if err := l.Renew(t.Context(), production); err != nil {
				t.Errorf("Renew() = %v", err)
			}
			before := len(fake.Calls())
			if err := l.Renew(t.Context(), production); err != nil || len(fake.Calls()) != before {
				t.Errorf("a second Renew() = %v after %d requests", err, len(fake.Calls())-before)
			}
		}
		if err := <-waited; err == nil {
			t.Error("the lock was taken from a holder that renewed it")
		}
		release(t, l)
		lock(t, other)
	})
}

// TestRenewTooLate has another run take over meanwhile.
func TestRenewTooLate(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, fake *githubfake.Fake, permissions []string) {
		l := newJob(t, fake, 1).may(permissions...).step(t)
		lock(t, l)
		time.Sleep(71 * time.Minute)
		other := newJob(t, fake, 2).may(permissions...).step(t)
		lock(t, other)
		if err := l.Renew(t.Context(), production); err == nil || !strings.Contains(err.Error(), "another run has deployed meanwhile") {
			t.Errorf("Renew() = %v, want that the lock was lost", err)
		}
		release(t, other)
	})
}

// TestUnknownRun may not ask about runs, so that the lease decides.
func TestUnknownRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t)
		lock(t, newJob(t, fake, 1).step(t))
		fake.AddRun(githubfake.Run{ID: 1, Status: "completed", Conclusion: "success"})
		next := newJob(t, fake, 2).may("contents: write").step(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, err := next.Lock(ctx, production, nil); err == nil {
			t.Error("the lock was taken from a holder that may be there")
		}
		time.Sleep(11 * time.Minute)
		lock(t, next)
	})
}

// TestOneAtATime has many runs work at once, each of which must be alone.
func TestOneAtATime(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, fake *githubfake.Fake, permissions []string) {
		var group sync.WaitGroup
		var mu sync.Mutex
		inside := 0
		for run := range int64(8) {
			l := newJob(t, fake, run+1).may(permissions...).step(t)
			group.Go(func() {
				if _, err := l.Lock(t.Context(), production, nil); err != nil {
					t.Errorf("Lock() = %v", err)
					return
				}
				mu.Lock()
				if inside++; inside > 1 {
					t.Error("two have the lock")
				}
				mu.Unlock()
				time.Sleep(90 * time.Second)
				mu.Lock()
				inside--
				mu.Unlock()
				if err := l.Release(t.Context()); err != nil {
					t.Errorf("Release() = %v", err)
				}
			})
		}
		group.Wait()
	})
}

// TestLostAnswers loses the answer to each request in turn, and then kills the
// step there: the post step must leave the lock free.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	for kill := range 8 {
		eachKind(t, func(t *testing.T, fake *githubfake.Fake, permissions []string) {
			j := newJob(t, fake, 1).may(permissions...)
			ctx, cancel := context.WithCancel(t.Context())
			requests := 0
			fake.Refuse(func(*http.Request) *githubfake.Refusal {
				if requests++; requests > kill {
					cancel()
					return &githubfake.Refusal{Reset: true, Served: true}
				}
				return nil
			})
			_, err := j.step(t).Lock(ctx, production, nil)
			fake.Refuse(nil)
			if requests > kill && err == nil {
				t.Errorf("Lock() without an answer = nil")
			}
			release(t, j.step(t))
			lock(t, newJob(t, fake, 2).may(permissions...).step(t))
		})
	}
}

// TestServerWithoutEmptyTree refuses a commit without files.
func TestServerWithoutEmptyTree(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	refused := false
	fake.Refuse(func(r *http.Request) *githubfake.Refusal {
		if !refused && strings.HasSuffix(r.URL.Path, "/git/commits") {
			refused = true
			return &githubfake.Refusal{Status: http.StatusUnprocessableEntity, Body: `{"message":"Tree SHA does not exist"}`}
		}
		return nil
	})
	l := newJob(t, fake, 1).step(t)
	lock(t, l)
	release(t, l)
	lock(t, newJob(t, fake, 2).step(t))
	if !refused {
		t.Error("nothing was refused")
	}
}

// TestForeignLock has somebody else's commit where the lock is.
func TestForeignLock(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	const ref = "refs/deploy-action/lock/shop+web+production"
	fake.SetRef(ref, fake.AddCommit("my notes"))
	_, err := newJob(t, fake, 1).step(t).Lock(t.Context(), production, nil)
	if err == nil || !strings.Contains(err.Error(), ref) {
		t.Errorf("Lock() = %v, want an error that names the ref", err)
	}
}

// TestLockDeploymentsGoAway leaves no Deployment of a lock behind, also none of
// a dead run.
func TestLockDeploymentsGoAway(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	lock(t, newJob(t, fake, 1).may(kinds["Deployment"]...).step(t))
	if diff := cmp.Diff([]string{"deploy-action:shop/web"}, tasks(fake)); diff != "" {
		t.Errorf("tasks of Deployments (-want +got):\n%s", diff)
	}
	fake.AddRun(githubfake.Run{ID: 1, Status: "completed"})
	l := newJob(t, fake, 2).may(kinds["Deployment"]...).step(t)
	lock(t, l)
	l.Settle(t.Context(), production)
	release(t, l)
	if left := tasks(fake); len(left) != 0 {
		t.Errorf("Deployments left: %v", left)
	}
}

// TestTerminals are two people without a run, who are not one job.
func TestTerminals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t)
		terminal := func() *claim.Locker {
			j := newJob(t, fake, 0)
			j.run.RunID, j.run.Attempt = 0, 0
			return j.step(t)
		}
		lock(t, terminal())
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := terminal().Lock(ctx, production, nil)
		if err == nil || !strings.Contains(err.Error(), "a terminal of alice") || errors.Is(err, github.ErrConflict) {
			t.Errorf("Lock() = %v, want it to wait for the other terminal", err)
		}
	})
}

// holder returns who has the lock.
func holder(t *testing.T, l *claim.Locker) (h claim.Holder, alive, found bool) {
	t.Helper()
	h, alive, found, err := l.Holder(t.Context(), production)
	if err != nil {
		t.Fatalf("Holder() = %v", err)
	}
	return h, alive, found
}

// TestBreak takes a lock away, first from a run that is at work, then from one
// that ended.
func TestBreak(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, fake *githubfake.Fake, permissions []string) {
		step := func(run int64) *claim.Locker { return newJob(t, fake, run).may(permissions...).step(t) }
		admin := step(9)
		before := len(fake.Calls())
		if _, _, found := holder(t, admin); found {
			t.Error("a lock that nobody took has a holder")
		}
		if err := admin.Break(t.Context(), production, claim.Holder{}); err != nil {
			t.Errorf("Break() of a free lock = %v", err)
		}
		if _, changed := writes(fake, before); changed != 0 {
			t.Errorf("%d writes for a lock that is free", changed)
		}

		first := step(1)
		lock(t, first)
		h, alive, found := holder(t, admin)
		if !found || !alive || h.Run != 1 || h.Actor != "alice" {
			t.Errorf("Holder() = %+v, alive %t, found %t, want run 1 of alice", h, alive, found)
		}
		if err := admin.Break(t.Context(), production, h); err != nil {
			t.Fatalf("Break() = %v", err)
		}
		second := step(2)
		lock(t, second) // at once

		// The first knows nothing of it, and neither frees nor renews it.
		if err := admin.Break(t.Context(), production, h); !errors.Is(err, github.ErrConflict) || !strings.Contains(err.Error(), "run 2 of alice") {
			t.Errorf("Break() of the former holder = %v, want a conflict that names the present one", err)
		}
		time.Sleep(40 * time.Minute) // more than half of its lease
		if err := first.Renew(t.Context(), production); err == nil {
			t.Error("the former holder renewed what was taken away")
		}
		release(t, first)
		if h, _, found := holder(t, admin); !found || h.Run != 2 {
			t.Errorf("Holder() = %+v, %t, want run 2", h, found)
		}
		fake.AddRun(githubfake.Run{ID: 2, Status: "completed", Conclusion: "cancelled"})
		if _, alive, found := holder(t, admin); alive || !found {
			t.Errorf("alive %t, found %t, want a holder whose run has ended", alive, found)
		}
	})
}

// TestHolderWithoutPermission may read neither kind.
func TestHolderWithoutPermission(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	_, _, _, err := newJob(t, fake, 1).may("actions: read").step(t).Holder(t.Context(), production)
	if _, refused := errors.AsType[*github.PermissionError](err); !refused {
		t.Errorf("Holder() = %v, want a PermissionError", err)
	}
}
