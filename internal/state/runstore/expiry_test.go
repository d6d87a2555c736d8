package runstore_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// TestRenewal uploads a state again before it expires, and only then.
func TestRenewal(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		retention, age, uploads int
	}{
		"young":                        {0, 44, 0},
		"older than half of 90 days":   {0, 46, 1},
		"older than half of what is":   {40, 21, 1},
		"young in a longer retention":  {400, 80, 0},
		"younger than half of what is": {40, 19, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := newFakeAt(t, time.Now)
				newJob(t, fake, 1).deploy(t, "A")
				time.Sleep(time.Duration(c.age) * 24 * time.Hour)
				j := newJob(t, fake, 2)
				j.run.RetentionDays = c.retention
				s := j.step(t)
				flush(t, s) // nothing was read
				wantList(t, s, "A")
				flush(t, s)
				flush(t, s)
				if got := len(fake.Artifacts()) - 1; got != c.uploads {
					t.Errorf("%d uploads after %d days, want %d", got, c.age, c.uploads)
				}
				if c.uploads > 0 {
					time.Sleep(80 * 24 * time.Hour) // the first one has expired
					wantList(t, newJob(t, fake, 3).step(t), "A")
				}
			})
		})
	}
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
