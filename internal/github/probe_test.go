package github_test

import (
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// probed are the permissions that can be asked for.
var probed = []string{"actions: read", "contents: write", "deployments: write", "statuses: write", "pull-requests: read"}

// What a probe asks to write is never made, and who lacks the permission is
// told so.
func TestProbe(t *testing.T) {
	t.Parallel()
	for _, permission := range probed {
		t.Run(permission, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			before := w.things()
			if err := w.client.Probe(t.Context(), permission); err != nil {
				t.Errorf("with the permission: %v", err)
			}
			others := slices.DeleteFunc(slices.Clone(probed), func(p string) bool { return p == permission })
			w.fake.AddToken(githubfake.Token{Text: token.Reveal(), Permissions: others})
			err := w.client.Probe(t.Context(), permission)
			if refusal, ok := errors.AsType[*github.PermissionError](err); !ok || refusal.Permission != permission || refusal.Status != http.StatusForbidden {
				t.Errorf("without the permission: %v, want a refusal that names it", err)
			}
			if made := w.things() - before; made != 0 || w.fake.Ref("refs/deploy-action/nowhere") != "" {
				t.Errorf("%d things were made", made)
			}
		})
	}
	if err := newWorld(t).client.Probe(t.Context(), "packages: write"); err == nil {
		t.Error("a permission that nothing harmless shows is said to be there")
	}
}

// things counts what can be made.
func (w *world) things() int {
	return len(w.fake.Statuses()) + len(w.fake.Deployments()) + len(w.fake.Comments())
}

func TestProbeComments(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.things()
	if err := w.client.ProbeComments(t.Context(), 5); err != nil {
		t.Errorf("with the permission: %v", err)
	}
	w.fake.AddToken(githubfake.Token{Text: token.Reveal(), Permissions: []string{"pull-requests: read"}})
	if refusal, ok := errors.AsType[*github.PermissionError](w.client.ProbeComments(t.Context(), 5)); !ok || refusal.Permission != "pull-requests: write" {
		t.Errorf("without the permission: %v", refusal)
	}
	if w.things() != before {
		t.Error("a comment was made")
	}
}

func TestClock(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{0, 90 * time.Second, -2 * time.Minute} {
		fake, err := githubfake.New(githubfake.Options{Now: func() time.Time { return time.Now().Add(-ahead) }})
		if err != nil {
			t.Fatal(err)
		}
		client, err := github.New(github.Options{API: "https://api.example.test", Repository: "acme/shop", Token: token, HTTP: &http.Client{Transport: fake}})
		if err != nil {
			t.Fatal(err)
		}
		clock, err := client.Clock(t.Context())
		if err != nil || (clock.Ahead-ahead).Abs() > 5*time.Second || clock.Limit != 1000 || clock.Left != 1000 {
			t.Errorf("a clock that is %v ahead: %+v, %v", ahead, clock, err)
		}
	}
}

// A server without limits has nothing to tell of them, but the time.
func TestClockWithoutLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fake.Refuse(func(*http.Request) *githubfake.Refusal {
		return &githubfake.Refusal{
			Status: http.StatusNotFound, Body: `{"message":"Rate limiting is not enabled."}`,
			Header: http.Header{"Date": {time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat)}},
		}
	})
	clock, err := w.client.Clock(t.Context())
	if err != nil || clock.Limit != 0 || (clock.Ahead-time.Hour).Abs() > 5*time.Second {
		t.Errorf("%+v, %v, want a clock that is an hour ahead", clock, err)
	}
}
