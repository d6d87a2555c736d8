package claim_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/state/claim"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// TestLegacy has run 1 give a lock on a ref back, and asks which runs whoever has
// it next has to look at, and what the newest artifact is.
func TestLegacy(t *testing.T) {
	t.Parallel()
	type left struct {
		Former []int64
		Kept   int64
	}
	uploads := func(t *testing.T, l *claim.Locker, artifact int64) {
		l.Uploading(t.Context(), production, false)
		l.Uploaded(t.Context(), production, artifact)
	}
	for name, c := range map[string]struct {
		live func(t *testing.T, fake *githubfake.Fake, j job)
		want left
	}{
		"it uploaded nothing": {func(t *testing.T, _ *githubfake.Fake, j job) {
			lock(t, j.step(t))
			release(t, j.step(t))
		}, left{}},
		"it uploaded": {func(t *testing.T, _ *githubfake.Fake, j job) {
			l := j.step(t)
			lock(t, l)
			uploads(t, l, 7)
			release(t, j.step(t))
		}, left{[]int64{1}, 7}},
		"it uploaded, and a later step did not": {func(t *testing.T, _ *githubfake.Fake, j job) {
			l := j.step(t)
			lock(t, l)
			uploads(t, l, 7)
			lock(t, j.step(t))
			release(t, j.step(t))
		}, left{[]int64{1}, 7}},
		"its post step uploaded": {func(t *testing.T, _ *githubfake.Fake, j job) {
			lock(t, j.step(t))
			post := j.step(t)
			uploads(t, post, 7)
			release(t, post)
		}, left{[]int64{1}, 7}},
		"it was killed while it uploaded": {func(t *testing.T, _ *githubfake.Fake, j job) {
			l := j.step(t)
			lock(t, l)
			l.Uploading(t.Context(), production, false)
			release(t, j.step(t))
		}, left{[]int64{1}, 0}},
		"it was lost with its machine": {func(t *testing.T, fake *githubfake.Fake, j job) {
			lock(t, j.step(t))
			fake.AddRun(githubfake.Run{ID: 1, Status: "completed"})
		}, left{[]int64{1}, 0}},
		"another job of it uploaded": {func(t *testing.T, _ *githubfake.Fake, j job) {
			first := j
			first.key, first.folder = "first", t.TempDir()
			l := first.step(t)
			lock(t, l)
			uploads(t, l, 7)
			release(t, l)
			lock(t, j.step(t))
			release(t, j.step(t))
		}, left{[]int64{1}, 7}},
		"an idle one came after one that uploaded": {func(t *testing.T, fake *githubfake.Fake, j job) {
			other := newJob(t, fake, 3)
			l := other.step(t)
			lock(t, l)
			uploads(t, l, 7)
			release(t, l)
			lock(t, j.step(t))
			release(t, j.step(t))
		}, left{[]int64{3}, 7}},
		"it put together what was uploaded before": {func(t *testing.T, fake *githubfake.Fake, j job) {
			other := newJob(t, fake, 3)
			l := other.step(t)
			lock(t, l)
			uploads(t, l, 7)
			release(t, l)
			l = j.step(t)
			lock(t, l)
			uploads(t, l, 8)
			l.Settle(t.Context(), production)
			release(t, j.step(t))
		}, left{[]int64{1}, 8}},
		"another program says that it was idle": {func(t *testing.T, _ *githubfake.Fake, j job) {
			l := j.step(t)
			lock(t, l)
			uploads(t, l, 7)
			notes := filepath.Join(j.folder, "locks")
			content, err := os.ReadFile(notes)
			if err != nil {
				t.Fatal(err)
			}
			forged := strings.Replace(string(content), `"kept":7`, `"idle":true`, 1)
			if forged == string(content) {
				t.Fatalf("there is no artifact in %q", content)
			}
			if err := os.WriteFile(notes, []byte(forged), 0o600); err != nil {
				t.Fatal(err)
			}
			release(t, j.step(t))
		}, left{[]int64{1}, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := newFake(t)
				c.live(t, fake, newJob(t, fake, 1))
				next := newJob(t, fake, 2).step(t)
				lock(t, next)
				if diff := cmp.Diff(c.want, left{next.Former(production), next.Kept(production)}); diff != "" {
					t.Errorf("what is left (-want +got):\n%s", diff)
				}
			})
		})
	}
}
