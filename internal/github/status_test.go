package github_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

func TestSetStatus(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	err := newClient(t, fake).SetStatus(t.Context(), head, github.Status{
		Context: "deploy-action/web (production)", State: "success", Description: "released", TargetURL: "https://github.example.test/run/1",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []githubfake.Status{{
		SHA: head, Context: "deploy-action/web (production)", State: "success", Description: "released", TargetURL: "https://github.example.test/run/1",
	}}
	if diff := cmp.Diff(want, fake.Statuses(), cmpopts.IgnoreFields(githubfake.Status{}, "ID", "Created")); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
}

func TestDescriptionIsCut(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ given, want string }{
		"short":           {"released web-1", "released web-1"},
		"two lines":       {"build failed: exit status 1\nlast line", "build failed: exit status 1…"},
		"exactly 140":     {strings.Repeat("a", 140), strings.Repeat("a", 140)},
		"between words":   {strings.Repeat("word ", 40), strings.TrimSpace(strings.Repeat("word ", 27)) + "…"},
		"one long word":   {strings.Repeat("a", 141), strings.Repeat("a", 139) + "…"},
		"not in a letter": {strings.Repeat("ü", 200), strings.Repeat("ü", 139) + "…"},
		"no double stop":  {strings.Repeat("word, ", 40), strings.TrimSuffix(strings.Repeat("word, ", 23), ", ") + "…"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := newFake(t)
			err := newClient(t, fake).SetStatus(t.Context(), head, github.Status{Context: "x", State: "error", Description: c.given})
			if err != nil {
				t.Fatal(err)
			}
			got := fake.Statuses()[0].Description
			if got != c.want || utf8.RuneCountInString(got) > 140 {
				t.Errorf("description = %q, want %q", got, c.want)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			fake := newFake(t)
			fake.Refuse(refuseTimes(1, "/statuses/"+head, githubfake.Refusal{Status: status, Body: `{"message":"Resource not accessible by integration"}`}))
			err := newClient(t, fake).SetStatus(t.Context(), head, github.Status{Context: "x", State: "error"})
			refusal, ok := errors.AsType[*github.PermissionError](err)
			if !ok || refusal.Permission != "statuses: write" || refusal.Status != status {
				t.Errorf("SetStatus() = %v, want a PermissionError for statuses: write with status %d", err, status)
			}
			if len(fake.Calls()) != 1 {
				t.Errorf("a refusal was followed by %d more requests", len(fake.Calls())-1)
			}
		})
	}
}

// TestPatience shows how long a call waits by a clock that runs only while
// everybody waits.
func TestPatience(t *testing.T) {
	t.Parallel()
	header := func(pairs ...string) http.Header {
		h := http.Header{}
		for i := 0; i < len(pairs); i += 2 {
			h.Set(pairs[i], pairs[i+1])
		}
		return h
	}
	// A synctest bubble begins at this moment.
	const inTenMinutes = "946685400"
	cases := map[string]struct {
		refusal  githubfake.Refusal
		times    int
		status   bool          // SetStatus, else Repository
		wait     time.Duration // at least
		most     time.Duration
		limit    bool // ends in a LimitError
		requests int
	}{
		"too many requests, named time": {
			refusal: githubfake.Refusal{Status: 429, Header: header("Retry-After", "42")},
			times:   1, wait: 42 * time.Second, most: 43 * time.Second, requests: 2,
		},
		"forbidden with a time": {
			refusal: githubfake.Refusal{Status: 403, Header: header("Retry-After", "7")},
			times:   1, wait: 7 * time.Second, most: 8 * time.Second, requests: 2,
		},
		"primary limit": {
			refusal: githubfake.Refusal{Status: 403, Header: header("X-RateLimit-Remaining", "0", "X-RateLimit-Limit", "1000", "X-RateLimit-Reset", inTenMinutes)},
			times:   1, wait: 10 * time.Minute, most: 10*time.Minute + 2*time.Second, requests: 2,
		},
		"secondary limit without a time": {
			refusal: githubfake.Refusal{Status: 403, Body: `{"documentation_url":"https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"}`},
			times:   1, wait: time.Minute, most: time.Minute + 2*time.Second, requests: 2,
		},
		"too many requests for ever": {
			refusal: githubfake.Refusal{Status: 429, Header: header("Retry-After", "60")},
			times:   -1, wait: 14 * time.Minute, most: 16 * time.Minute, limit: true, requests: 16,
		},
		"an hour is too long": {
			refusal: githubfake.Refusal{Status: 429, Header: header("Retry-After", "3600")},
			times:   -1, limit: true, requests: 1,
		},
		"a status waits little": {
			refusal: githubfake.Refusal{Status: 429, Header: header("Retry-After", "60")},
			times:   -1, status: true, limit: true, requests: 1,
		},
		"server error": {
			refusal: githubfake.Refusal{Status: 502},
			times:   2, wait: 300 * time.Millisecond, most: 3 * time.Second, requests: 3,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := newFake(t)
				fake.Refuse(refuseTimes(c.times, "", c.refusal))
				client, start := newClient(t, fake), time.Now()
				var err error
				if c.status {
					err = client.SetStatus(t.Context(), head, github.Status{Context: "x", State: "error"})
				} else {
					_, err = client.Repository(t.Context())
				}
				if _, limit := errors.AsType[*github.LimitError](err); limit != c.limit || err != nil && !c.limit {
					t.Errorf("err = %v, want a LimitError: %v", err, c.limit)
				}
				if waited := time.Since(start); waited < c.wait || waited > c.most {
					t.Errorf("waited %v, want %v to %v", waited, c.wait, c.most)
				}
				if got := len(fake.Calls()); got != c.requests {
					t.Errorf("sent %d requests, want %d", got, c.requests)
				}
			})
		})
	}
}
