package github_test

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// for a while, a fake answers nothing but this to paths that end so.
func forAWhile(fake *githubfake.Fake, while time.Duration, path string, refusal githubfake.Refusal) {
	end := time.Now().Add(while)
	fake.Refuse(func(r *http.Request) *githubfake.Refusal {
		if time.Now().Before(end) && strings.HasSuffix(r.URL.Path, path) {
			return &refusal
		}
		return nil
	})
}

// outages are the ways in which GitHub is not there, and how long each lasts.
var outages = map[string]struct {
	while   time.Duration
	refusal githubfake.Refusal
}{
	"down":                {time.Minute, githubfake.Refusal{Reset: true}},
	"bad gateway":         {time.Minute, githubfake.Refusal{Status: 502, Body: "<html>bad gateway</html>"}},
	"a page":              {time.Minute, githubfake.Refusal{Status: 200, Body: "<html>we are back soon</html>"}},
	"half an answer":      {time.Minute, githubfake.Refusal{Status: 200, Body: `{"id":`}},
	"cut":                 {time.Minute, githubfake.Refusal{Cut: true}},
	"too many requests":   {10 * time.Minute, githubfake.Refusal{Status: 429, Header: http.Header{"Retry-After": {"600"}}, Body: `{}`}},
	"primary limit":       {10 * time.Minute, githubfake.Refusal{Status: 403, Body: `{"message":"API rate limit exceeded"}`}}, // its header is set below
	"secondary limit":     {10 * time.Minute, githubfake.Refusal{Status: 403, Body: `{"message":"You have exceeded a secondary rate limit"}`}},
	"secondary, in steps": {10 * time.Minute, githubfake.Refusal{Status: 403, Header: http.Header{"Retry-After": {"60"}}, Body: `{"message":"You have exceeded a secondary rate limit"}`}},
}

// What the state needs waits for GitHub; what people look at does not.
func TestOutages(t *testing.T) {
	t.Parallel()
	for name, c := range outages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := newFake(t)
				client := newClient(t, fake)
				if name == "primary limit" {
					reset := strconv.FormatInt(time.Now().Add(c.while).Unix(), 10)
					c.refusal.Header = http.Header{"X-Ratelimit-Limit": {"1000"}, "X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {reset}}
				}
				if c.refusal.Status == 403 && c.refusal.Header == nil {
					c.refusal.Body = `{"message":"You have exceeded a secondary rate limit.","documentation_url":"https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"}`
				}
				forAWhile(fake, c.while, "", c.refusal)

				start := time.Now()
				err := client.SetStatus(t.Context(), strings.Repeat("a", 40), github.Status{State: "pending", Context: "c"})
				if err == nil || time.Since(start) > 15*time.Second {
					t.Errorf("a status took %v and came to %v, want that it is given up", time.Since(start), err)
				}
				start = time.Now()
				if _, err := client.CreateDeployment(t.Context(), deployment("first")); err != nil {
					t.Errorf("an intent: %v", err)
				}
				if waited := time.Since(start); waited > c.while+2*time.Minute {
					t.Errorf("waited %v for an intent, where GitHub was away for %v", waited, c.while)
				}
				for _, err := range client.Artifacts(t.Context(), "state") {
					t.Errorf("reading: %v", err)
				}
				if calls := len(fake.Calls()); calls > 60 {
					t.Errorf("%d requests were sent meanwhile", calls)
				}
			})
		})
	}
}

// A GitHub that stays away is not waited for all day, nor is it asked again
// where it has answered.
func TestOutageEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t)
		client := newClient(t, fake)
		forAWhile(fake, time.Hour, "", githubfake.Refusal{Status: 503})
		start := time.Now()
		_, err := client.Repository(t.Context())
		answer, ok := errors.AsType[*github.AnswerError](err)
		if waited := time.Since(start); !ok || answer.Status != 503 || waited < 3*time.Minute || waited > 4*time.Minute {
			t.Errorf("waited %v and got %v, want the answer of GitHub after three minutes", waited, err)
		}
	})
}

// The artifact service and its storage are waited for as well.
func TestServiceOutages(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/CreateArtifact", "/blob/1", "/FinalizeArtifact", "/ListArtifacts"} {
		for _, refusal := range []githubfake.Refusal{{Reset: true}, {Status: 503}, {Status: 200, Body: "<html>"}} {
			if path == "/blob/1" && refusal.Status == 200 {
				continue // storage answers 201 and no text
			}
			synctest.Test(t, func(t *testing.T) {
				fake := newFake(t)
				service := newService(t, fake, 7, nil)
				forAWhile(fake, time.Minute, path, refusal)
				if _, err := service.Upload(t.Context(), "state", "file", []byte("x")); err != nil {
					t.Errorf("%s answers %+v: %v", path, refusal, err)
				}
				if list, err := service.List(t.Context()); err != nil || len(list) != 1 {
					t.Errorf("%s answers %+v: %d artifacts, %v", path, refusal, len(list), err)
				}
			})
		}
	}
}
