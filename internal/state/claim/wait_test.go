package claim_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/state/claim"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// TestLockThatWasKept has a job of a large matrix keep its lock until the run
// has ended, and another job that wants it.
func TestLockThatWasKept(t *testing.T) {
	t.Parallel()
	const runner = "runner-1"
	ended := githubfake.Job{Name: "web", Status: "completed", Conclusion: "success", Runner: runner}
	working := githubfake.Job{Name: "api", Runner: runner}
	ours := githubfake.Job{Name: "smoke", Runner: "runner-2"}
	for name, test := range map[string]struct {
		jobs   []githubfake.Job
		run    int64  // of who wants the lock
		on     string // runner
		former string // runner of the holder
		free   bool
	}{
		"its job ended":               {[]githubfake.Job{ended, ours}, 1, "runner-2", runner, true},
		"of another run":              {[]githubfake.Job{ended}, 2, "runner-2", runner, true},
		"its job is at work":          {[]githubfake.Job{working, ours}, 1, "runner-2", runner, false},
		"it is the second of two":     {[]githubfake.Job{ended, working, ours}, 1, "runner-2", runner, false},
		"on our runner":               {[]githubfake.Job{ended, {Name: "smoke", Runner: runner}}, 1, runner, runner, true},
		"on a runner as ours, beside": {[]githubfake.Job{ended, working, {Name: "smoke", Runner: runner}}, 1, runner, runner, false},
		"on the runner of another":    {[]githubfake.Job{ended, working}, 2, runner, runner, false},
		"not listed":                  {[]githubfake.Job{ours}, 1, "runner-2", runner, false},
		"its runner is not listed":    {[]githubfake.Job{ended, {Name: "api"}, ours}, 1, "runner-2", runner, false},
		"its runner is not known":     {[]githubfake.Job{{Name: "web", Status: "completed", Conclusion: "success"}, ours}, 1, "runner-2", "", false},
		"others wait for a runner":    {[]githubfake.Job{ended, {Name: "api", Status: "queued"}, ours}, 1, "runner-2", runner, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachKind(t, func(t *testing.T, fake *githubfake.Fake, permissions []string) {
				first := newJob(t, fake, 1).may(permissions...)
				first.key, first.runner = "web", test.former
				l := first.step(t)
				lock(t, l)
				if err := l.Keep(); err != nil {
					t.Fatal(err)
				}
				second := newJob(t, fake, test.run).may(permissions...)
				second.key, second.runner = "smoke", test.on
				fake.AddRun(githubfake.Run{ID: 1, Jobs: test.jobs})
				ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
				defer cancel()
				told := ""
				fresh, err := second.step(t).Lock(ctx, production, func(holder string) { told = holder })
				if (err == nil) != test.free || test.free && !fresh {
					t.Errorf("Lock() = %t, %v; want it: %t", fresh, err, test.free)
				}
				// Whoever was told of the Deployments before asks again then.
				if !strings.Contains(told, "run 1 of alice") {
					t.Errorf("waiting was told of %q, want the job that had the lock", told)
				}
			})
		})
	}
}

// TestJobsOfOtherRuns are asked about once, and those of our own each time.
func TestJobsOfOtherRuns(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		run         int64
		least, most int
	}{"our run": {1, 5, 100}, "another run": {2, 1, 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachKind(t, func(t *testing.T, fake *githubfake.Fake, permissions []string) {
				first := newJob(t, fake, 1).may(permissions...)
				first.key, first.runner = "web", "runner-1"
				lock(t, first.step(t))
				second := newJob(t, fake, test.run).may(permissions...)
				second.key = "smoke"
				fake.AddRun(githubfake.Run{ID: 1, Jobs: []githubfake.Job{{Name: "web", Runner: "runner-1"}}})
				ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
				defer cancel()
				if _, err := second.step(t).Lock(ctx, production, nil); err == nil {
					t.Error("the lock of a job at work was taken")
				}
				asked := 0
				for _, c := range fake.Calls() {
					if strings.HasSuffix(c.Path, "/jobs") {
						asked++
					}
				}
				if asked < test.least || asked > test.most {
					t.Errorf("asked %d times for jobs, want %d to %d", asked, test.least, test.most)
				}
			})
		})
	}
}

// rival moves the lock of production before each request that would.
type rival struct {
	fake    *githubfake.Fake
	message string // of its commits, with a place for a number
	moves   int
}

func (r *rival) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method == http.MethodPatch {
		r.moves++
		r.fake.SetRef("refs/deploy-action/lock/shop+web+production", r.fake.AddCommit(fmt.Sprintf(r.message, r.moves)))
	}
	return r.fake.RoundTrip(request)
}

// TestAlwaysTooLate loses each race: that must not use up the requests which the
// jobs of a repository share.
func TestAlwaysTooLate(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		message string
		try     func(context.Context, *claim.Locker) error
	}{
		"Lock": {`{"free":true,"actor":"rival %d"}`, func(ctx context.Context, l *claim.Locker) error {
			_, err := l.Lock(ctx, production, nil)
			return err
		}},
		"Renew": {`{"run":1,"attempt":1,"job":"deploy","actor":"rival %d"}`, func(ctx context.Context, l *claim.Locker) error {
			return l.Renew(ctx, production)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := newFake(t)
				j := newJob(t, fake, 1)
				line := &rival{fake: fake, message: test.message}
				client, err := github.New(github.Options{
					API: "http://github.example.test", Repository: "octo/shop", Token: j.token, HTTP: &http.Client{Transport: line},
				})
				if err != nil {
					t.Fatal(err)
				}
				l := claim.NewLocker(claim.LockOptions{Client: client, Run: j.run, Job: j.key, Notes: filepath.Join(j.folder, "locks")})
				lock(t, l)
				time.Sleep(40 * time.Minute) // until the lease is to be made longer
				before := len(fake.Calls())
				cause := errors.New("out of patience")
				ctx, cancel := context.WithTimeoutCause(t.Context(), 5*time.Minute, cause)
				defer cancel()
				if err := test.try(ctx, l); !errors.Is(err, cause) {
					t.Errorf("%v, want the end of the context", err)
				}
				if asked := len(fake.Calls()) - before; line.moves < 5 || asked > 100 {
					t.Errorf("%d requests and %d tries in five minutes, want at most 100 and at least 5", asked, line.moves)
				}
			})
		})
	}
}
