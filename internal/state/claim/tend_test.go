package claim_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// TestTend has one operation take five hours, beside a run that waits for all of
// them.
func TestTend(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, fake *githubfake.Fake, permissions []string) {
		l := newJob(t, fake, 1).may(permissions...).step(t)
		lock(t, l)
		stop := l.Tend(t.Context(), production)
		before := len(fake.Calls())
		time.Sleep(34 * time.Minute)
		if sent := len(fake.Calls()) - before; sent != 0 {
			t.Errorf("half an hour took %d requests, want none", sent)
		}
		other := newJob(t, fake, 2).may(permissions...).step(t)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Hour)
		defer cancel()
		if _, err := other.Lock(ctx, production, nil); err == nil {
			t.Fatal("another run has the lock of one that is at work")
		}
		if err := l.Renew(t.Context(), production); err != nil {
			t.Errorf("Renew() = %v", err)
		}
		stop()
		time.Sleep(71 * time.Minute) // as if it were dead
		lock(t, other)
	})
}

// TestTendOutage has GitHub be down when half of the lease is over.
func TestTendOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t)
		l := newJob(t, fake, 1).step(t)
		lock(t, l)
		defer l.Tend(t.Context(), production)()
		time.Sleep(34 * time.Minute)
		fake.Refuse(func(*http.Request) *githubfake.Refusal { return &githubfake.Refusal{Status: http.StatusBadGateway} })
		time.Sleep(25 * time.Minute)
		fake.Refuse(nil)
		time.Sleep(20 * time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := newJob(t, fake, 2).step(t).Lock(ctx, production, nil); err == nil {
			t.Error("another run has the lock, though GitHub was back before its lease was over")
		}
	})
}

// TestTendLost has somebody take the lock away in the middle of an operation:
// the next must not begin.
func TestTendLost(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, fake *githubfake.Fake, permissions []string) {
		l := newJob(t, fake, 1).may(permissions...).step(t)
		lock(t, l)
		defer l.Tend(t.Context(), production)()
		admin := newJob(t, fake, 9).may(permissions...).step(t)
		h, _, _ := holder(t, admin)
		if err := admin.Break(t.Context(), production, h); err != nil {
			t.Fatal(err)
		}
		other := newJob(t, fake, 2).may(permissions...).step(t)
		lock(t, other)
		time.Sleep(40 * time.Minute)
		before := len(fake.Calls())
		for range 2 {
			if err := l.Renew(t.Context(), production); err == nil || !strings.Contains(err.Error(), "another run has deployed meanwhile") {
				t.Errorf("Renew() = %v, want that the lock was lost", err)
			}
		}
		if sent := len(fake.Calls()) - before; sent != 0 {
			t.Errorf("what was known took %d requests", sent)
		}
	})
}
