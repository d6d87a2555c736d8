package runstore_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/state/claim"
	"github.com/deploy-action/deploy-action/internal/state/runstore"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// may restricts the token of a job.
func (j job) may(permissions ...string) job {
	j.token = secret.Text(fmt.Sprintf("ghs_run_%d", j.run.RunID))
	j.fake.AddToken(githubfake.Token{Text: j.token.Reveal(), Permissions: permissions})
	return j
}

// running is the record of a deploy that begins.
func (j job) running(id string) state.Record {
	r := j.record(id)
	r.Status, r.Deployment, r.Digest = state.Running, "web-"+id, "sha256:1"
	return r
}

// clientOf may do everything.
func clientOf(t *testing.T, fake *githubfake.Fake) *github.Client {
	t.Helper()
	client, err := github.New(github.Options{
		API: "http://github.example.test", Repository: "octo/shop", Token: "ghs_token", HTTP: &http.Client{Transport: fake},
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// refusing answers requests of that method and end of path with a status.
func refusing(fake *githubfake.Fake, method, suffix string, status int) {
	fake.Refuse(func(r *http.Request) *githubfake.Refusal {
		if r.Method == method && strings.HasSuffix(r.URL.Path, suffix) {
			return &githubfake.Refusal{Status: status, Body: `{"message":"no"}`}
		}
		return nil
	})
}

// TestIntentBeforeDeploy tells GitHub of a deploy and of nothing else.
func TestIntentBeforeDeploy(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	j := newJob(t, fake, 1)
	s := j.step(t)
	pushed := j.record("push")
	pushed.Operation, pushed.Result = "push", json.RawMessage(`{"kind":"image","value":{"repository":"ghcr.io/octo/web","digest":"sha256:1"}}`)
	put(t, s, pushed)
	if len(fake.Calls()) != 0 {
		t.Error("a push was told of")
	}
	r := j.running("A")
	r.Parent = "push"
	put(t, s, r)
	made := fake.Deployments()
	id, found := s.Intent("web-A")
	if len(made) != 1 || !found || id != made[0].ID || made[0].SHA != j.run.HeadSHA {
		t.Fatalf("Deployments = %+v, Intent() = %d, %v, want one of commit %s", made, id, found, j.run.HeadSHA)
	}
	for _, want := range []string{`"record":"A"`, `"deployment":"web-A"`, `"image":"ghcr.io/octo/web"`, `"digest":"sha256:1"`, `"run":1`} {
		if !strings.Contains(string(made[0].Payload), want) {
			t.Errorf("payload %s lacks %s", made[0].Payload, want)
		}
	}
	put(t, s, j.record("A")) // it has ended
	if len(fake.Deployments()) != 1 || len(fake.Artifacts()) != 0 {
		t.Error("the end of a deploy was told of, or uploaded before Flush")
	}
	if _, found := s.Intent("web-B"); found {
		t.Error("there is an intent of a deployment that nobody made")
	}
}

// TestIntentWithoutDeployments uploads the record itself before a deploy.
func TestIntentWithoutDeployments(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*job){
		"no permission": func(j *job) { *j = j.may("actions: read", "contents: write") },
		"turned off":    func(j *job) { j.change = func(o *runstore.Options) { o.NoIntents = true } },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := newFake(t)
			j := newJob(t, fake, 1)
			change(&j)
			put(t, j.step(t), j.running("A"))
			if len(fake.Deployments()) != 0 || len(fake.Artifacts()) != 1 {
				t.Errorf("Deployments %v and artifacts %v before the deploy, want one artifact", fake.Deployments(), names(fake))
			}
			wantList(t, newJob(t, fake, 2).step(t), "A")
		})
	}
}

// TestNoIntentNoDeploy stops a deploy that nobody could be told of.
func TestNoIntentNoDeploy(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	j := newJob(t, fake, 1)
	s := j.step(t)
	refusing(fake, http.MethodPost, "/deployments", http.StatusUnprocessableEntity)
	if err := s.Put(t.Context(), j.running("A")); err == nil || !strings.Contains(err.Error(), `creating a Deployment to "production"`) {
		t.Errorf("Put() = %v, want it to say that no Deployment was created", err)
	}
	if len(s.Pending()) != 0 {
		t.Error("the record of a deploy that may not begin is in the journal")
	}
	fake.Refuse(nil)

	neither := newJob(t, fake, 2).may("actions: read")
	neither.offline = true
	if err := neither.step(t).Put(t.Context(), neither.running("B")); err == nil || !strings.Contains(err.Error(), "making the deployment known") {
		t.Errorf("Put() = %v, want it to say that the deployment cannot be made known", err)
	}
}

// TestIntentOfAnEarlierAttempt goes on with the Deployment that is there.
func TestIntentOfAnEarlierAttempt(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	j := newJob(t, fake, 1)
	put(t, j.step(t), j.running("A"))

	again := newJob(t, fake, 1) // on another machine
	again.run.Attempt = 2
	s := again.step(t)
	wantList(t, s, "A")
	adopted := again.running("B")
	adopted.Deployment = "web-A"
	put(t, s, adopted)
	if got := len(fake.Deployments()); got != 1 {
		t.Errorf("%d Deployments of one deployment", got)
	}
}

// TestIntentHoldsNoSecret masks what is known before others can read it.
func TestIntentHoldsNoSecret(t *testing.T) {
	t.Parallel()
	fake, secrets := newFake(t), new(secret.Set)
	secrets.Add("correct horse battery")
	j := newJob(t, fake, 1)
	j.change = func(o *runstore.Options) { o.Secrets = secrets }
	r := j.running("A")
	r.Digest = "sha256:correct horse battery"
	if err := j.step(t).Put(t.Context(), r); err == nil {
		t.Error("Put() = nil, want it to name the field")
	}
	if payload := string(fake.Deployments()[0].Payload); strings.Contains(payload, "horse") {
		t.Errorf("payload = %s", payload)
	}
}

// TestLockRefreshes has another run write between a first look and the lock.
func TestLockRefreshes(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	early := newJob(t, fake, 1)
	s := early.step(t)
	wantList(t, s)
	other := newJob(t, fake, 2)
	second := other.step(t)
	if _, err := second.Lock(t.Context(), "shop", "web", "production", nil); err != nil {
		t.Fatal(err)
	}
	put(t, second, other.record("A"))
	flush(t, second)
	if err := second.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Lock(t.Context(), "shop", "web", "production", nil); err != nil {
		t.Fatal(err)
	}
	wantList(t, s, "A")
}

// TestNoLock asks nothing but whether the token may make Deployments, once, and for
// a preview nothing.
func TestNoLock(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	j := newJob(t, fake, 1)
	j.change = func(o *runstore.Options) { o.NoLock = true }
	s := j.step(t)
	for _, c := range []struct {
		workspace string
		requests  int
	}{{"pr-7", 0}, {"production", 1}, {"production", 1}} {
		unlock, err := s.Lock(t.Context(), "shop", "web", c.workspace, nil)
		if err != nil || unlock(t.Context()) != nil || len(fake.Calls()) != c.requests {
			t.Errorf("Lock(%s) = %v after %d requests in all, want %d", c.workspace, err, len(fake.Calls()), c.requests)
		}
	}
	if left := fake.Deployments(); len(left) > 0 {
		t.Errorf("%d Deployments are left", len(left))
	}
}

// TestFewRequests counts what the store sends for one app's up. Statuses are
// not its business, and take what is left of 16 requests and 6 writes.
func TestFewRequests(t *testing.T) {
	t.Parallel()
	for _, earlier := range []int{0, 10, 1000} {
		t.Run(fmt.Sprint(earlier), func(t *testing.T) {
			t.Parallel()
			fake := withHistory(t, earlier)
			before := len(fake.Calls())
			j := newJob(t, fake, 5000)
			s := j.step(t)
			if _, err := s.Lock(t.Context(), "shop", "web", "production", nil); err != nil {
				t.Fatal(err)
			}
			if got := len(list(t, s)); got != earlier {
				t.Errorf("%d records, want %d", got, earlier)
			}
			put(t, s, j.running("new"))
			put(t, s, j.record("new"))
			flush(t, s)
			main, changing := rest(fake, before)
			t.Logf("with %d earlier deployments: %d requests, %d of them writes", earlier, main, changing)
			want := map[int][2]int{0: {6, 3}, 10: {10, 3}, 1000: {10, 3}}[earlier]
			if got := [2]int{main, changing}; got != want {
				t.Errorf("%d requests, %d of them writes, want %v", main, changing, want)
			}
		})
	}
}

// withHistory returns a fake on which a run has deployed so often.
func withHistory(t *testing.T, times int) *githubfake.Fake {
	t.Helper()
	fake := newFakeAt(t, quickClock(t))
	if times == 0 {
		return fake
	}
	j := newJob(t, fake, 1)
	s := j.step(t)
	if _, err := s.Lock(t.Context(), "shop", "web", "production", nil); err != nil {
		t.Fatal(err)
	}
	client := clientOf(t, fake)
	for n := range times {
		r := j.running(fmt.Sprintf("R%04d", n))
		r.Sequence = n + 1
		if _, err := (claim.Intents{Client: client, Run: j.run}).Create(t.Context(), r, "", 0); err != nil {
			t.Fatal(err)
		}
		r.Status = state.Succeeded
		put(t, s, r)
	}
	flush(t, s)
	if err := s.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	return fake
}

// rest counts the REST requests since the given one, and those that change.
func rest(fake *githubfake.Fake, since int) (all, changing int) {
	for _, c := range fake.Calls()[since:] {
		if !strings.HasPrefix(c.Path, "/repos/") {
			continue
		}
		all++
		if c.Method != http.MethodGet {
			changing++
		}
	}
	return all, changing
}

// TestKilledBetweenRequests kills a step at each of its requests: what had
// ended by then is never lost.
func TestKilledBetweenRequests(t *testing.T) {
	t.Parallel()
	for kill := range 40 {
		fake := newFake(t)
		newJob(t, fake, 1).deploy(t, "before")
		j := newJob(t, fake, 2)
		requests, reached := 0, false
		fake.Refuse(func(*http.Request) *githubfake.Refusal {
			if requests++; requests > kill {
				reached = true
				return &githubfake.Refusal{Status: http.StatusTeapot, Served: requests == kill+1}
			}
			return nil
		})
		ended := j.upUntilError(t, "A")
		fake.Refuse(nil)
		post := j.step(t)
		flush(t, post)
		if err := post.Release(t.Context()); err != nil {
			t.Fatalf("killed at request %d: Release() = %v", kill, err)
		}
		want := []string{"before"}
		next := newJob(t, fake, 3).step(t)
		got := list(t, next)
		if ended {
			want = []string{"A", "before"}
		}
		if diff := cmp.Diff(want, got); diff != "" && (ended || len(got) != 2) {
			t.Errorf("killed at request %d: records (-want +got):\n%s", kill, diff)
		}
		if !reached {
			return // it had no more requests
		}
	}
	t.Error("the step never came to its end")
}

// upUntilError does what an up does, up to the first error, and reports whether
// its deploy ended.
func (j job) upUntilError(t *testing.T, id string) (ended bool) {
	t.Helper()
	s := j.step(t)
	if _, err := s.Lock(t.Context(), "shop", "web", "production", nil); err != nil {
		return false
	}
	if _, err := tryList(t, s); err != nil {
		return false
	}
	if err := s.Put(t.Context(), j.running(id)); err != nil {
		return false
	}
	r := j.running(id)
	r.Status = state.Succeeded
	put(t, s, r)
	// Killed: the post step does it again.
	_ = s.Flush(t.Context())
	return true
}
