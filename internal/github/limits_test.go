package github_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// TestNoRequestsDuringAPause reports while GitHub wants peace: that must not
// cost a request, and must work again afterwards.
func TestNoRequestsDuringAPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t)
		client := newClient(t, fake)
		fake.Refuse(refuseTimes(1, "", githubfake.Refusal{Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"90"}}}))
		for range 3 {
			err := client.SetStatus(t.Context(), head, github.Status{Context: "x", State: "error"})
			if limit, ok := errors.AsType[*github.LimitError](err); !ok || limit.Wait != 90*time.Second {
				t.Errorf("SetStatus() = %v, want a LimitError of 90s", err)
			}
		}
		if got := len(fake.Calls()); got != 1 {
			t.Errorf("sent %d requests, want 1", got)
		}
		start := time.Now()
		if _, err := client.Repository(t.Context()); err != nil || time.Since(start) != 90*time.Second {
			t.Errorf("Repository() = %v after %v, want success after 90s", err, time.Since(start))
		}
		if err := client.SetStatus(t.Context(), head, github.Status{Context: "x", State: "error"}); err != nil {
			t.Errorf("SetStatus() after the pause: %v", err)
		}
	})
}

// TestSecondaryLimitIsNotThePrimaryOne refuses with a secondary limit and tells
// by the way when the hour ends, which has nothing to do with it.
func TestSecondaryLimitIsNotThePrimaryOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t)
		header := http.Header{}
		header.Set("X-RateLimit-Remaining", "900")
		header.Set("X-RateLimit-Reset", fmt.Sprint(time.Now().Add(50*time.Minute).Unix()))
		fake.Refuse(refuseTimes(1, "", githubfake.Refusal{
			Status: http.StatusForbidden, Header: header,
			Body: `{"documentation_url":"https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"}`,
		}))
		start := time.Now()
		if _, err := newClient(t, fake).Repository(t.Context()); err != nil || time.Since(start) != time.Minute {
			t.Errorf("Repository() = %v after %v, want success after a minute", err, time.Since(start))
		}
	})
}

// TestManyWrites writes more than GitHub takes in a minute.
func TestManyWrites(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		start := time.Now()
		for i := range 100 {
			if _, err := w.client.CreateBlob(t.Context(), fmt.Append(nil, i)); err != nil {
				t.Fatal(err)
			}
		}
		if waited := time.Since(start); waited < time.Minute || waited > 2*time.Minute {
			t.Errorf("100 writes took %v, want a bit more than a minute", waited)
		}
	})
}
