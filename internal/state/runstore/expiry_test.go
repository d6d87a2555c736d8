package runstore_test

import (
	"cmp"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deploy-action/deploy-action/internal/state/runstore"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// TestRenewal uploads a state again before it expires, and only then.
func TestRenewal(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		days, age, uploads int
		event, ref         string
	}{
		"young":                         {age: 44},
		"older than half of 90 days":    {age: 46, uploads: 1},
		"older than half of its own":    {days: 40, age: 21, uploads: 1},
		"younger than half of its own":  {days: 40, age: 19},
		"a run that later ones doubt":   {age: 46, event: "pull_request"},
		"a run of a branch":             {age: 46, ref: "topic"},
		"a run of a branch in the list": {age: 46, ref: "release/1", uploads: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := newFakeAt(t, time.Now)
				first := newJob(t, fake, 1)
				first.days = c.days
				first.deploy(t, "A")
				time.Sleep(time.Duration(c.age) * 24 * time.Hour)
				j := newJob(t, fake, 2)
				j.run.Event, j.run.RefName = c.event, cmp.Or(c.ref, "main")
				j.change = func(o *runstore.Options) { o.Refs = []string{"release/*"} }
				fake.AddRun(githubfake.Run{ID: 2, HeadBranch: j.run.RefName, Event: cmp.Or(c.event, "push")})
				s := j.step(t)
				flush(t, s) // nothing was read
				wantList(t, s, "A")
				s.Renew(t.Context())
				flush(t, s)
				if got := len(fake.Artifacts()) - 1; got != c.uploads {
					t.Errorf("%d uploads after %d days, want %d", got, c.age, c.uploads)
				}
				if c.uploads > 0 {
					time.Sleep(80 * 24 * time.Hour) // the first one has expired
					wantList(t, newJobOf(t, j, 3).step(t), "A")
				}
			})
		})
	}
}

// TestRenewalOfLaterName renews a state that lies under a later name alone: the
// run's first upload broke off when the plain name was taken already.
func TestRenewalOfLaterName(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFakeAt(t, time.Now)
		j := newJob(t, fake, 1)
		refusing(fake, http.MethodPost, "/FinalizeArtifact", http.StatusBadRequest)
		s := j.step(t)
		put(t, s, j.running("A"))
		if err := s.Flush(t.Context()); err == nil {
			t.Fatal("the upload went well, and is to break off")
		}
		fake.Refuse(nil)
		flush(t, j.step(t))
		if got := names(fake); len(got) != 1 || got[0] == plainName {
			t.Fatalf("artifacts %q, want one with a later name", got)
		}
		time.Sleep(46 * 24 * time.Hour)
		next := newJob(t, fake, 2).step(t)
		wantList(t, next, "A")
		next.Renew(t.Context())
		if got := names(fake); len(got) != 2 || got[1] != plainName {
			t.Errorf("artifacts %q, want the state to be uploaded again under its plain name", got)
		}
	})
}

// TestRenewalOfSecondAttempt renews what no list shows, and no Deployment tells of:
// only a lock leads to it, which nobody takes for months.
func TestRenewalOfSecondAttempt(t *testing.T) {
	t.Parallel()
	for kind, permissions := range locks {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := newFakeAt(t, time.Now)
				first := newJob(t, fake, 1).may(permissions...)
				first.goesBack(t, "A", "web-1")
				newJob(t, fake, 2).may(permissions...).goesBack(t, "B", "web-2")
				first.run.Attempt, first.journal = 2, first.journal+"-2"
				first.goesBack(t, "again", "web-1")
				time.Sleep(46 * 24 * time.Hour)
				reader := newJob(t, fake, 3).may(permissions...).step(t)
				list(t, reader)
				reader.Renew(t.Context())
				time.Sleep(80 * 24 * time.Hour) // the others have expired
				wantList(t, newJob(t, fake, 4).may(permissions...).step(t), "A", "B", "again")
			})
		})
	}
}

// newJobOf is a job of a later run that believes the same refs.
func newJobOf(t *testing.T, j job, run int64) job {
	t.Helper()
	later := newJob(t, j.fake, run)
	later.change = j.change
	return later
}

// TestRenewalFails warns, and fails nothing.
func TestRenewalFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFakeAt(t, time.Now)
		newJob(t, fake, 1).deploy(t, "A")
		time.Sleep(50 * 24 * time.Hour)
		var told []string
		s := newJob(t, fake, 2).listening(&told).step(t)
		wantList(t, s, "A")
		fake.Refuse(func(r *http.Request) *githubfake.Refusal {
			if strings.HasSuffix(r.URL.Path, "/CreateArtifact") {
				return &githubfake.Refusal{Status: http.StatusBadRequest, Body: `{}`}
			}
			return nil
		})
		flush(t, s)
		if len(told) != 1 || !strings.Contains(told[0], "could not be uploaded again") {
			t.Errorf("told %q, want that the state could not be uploaded again", told)
		}
	})
}

// TestShortRetention is warned of once.
func TestShortRetention(t *testing.T) {
	t.Parallel()
	for days, want := range map[int]int{0: 0, 30: 0, 29: 1, 1: 1} {
		var told []string
		j := newJob(t, newFake(t), 1).listening(&told)
		j.run.RetentionDays = days
		s := j.step(t)
		wantList(t, s)
		s.Incomplete("web")
		if _, err := s.Lock(t.Context(), "shop", "web", "production", nil); err != nil {
			t.Fatal(err)
		}
		wantList(t, s)
		if len(told) != want {
			t.Errorf("retention of %d days: told %q, want %d warnings", days, told, want)
		}
	}
}
