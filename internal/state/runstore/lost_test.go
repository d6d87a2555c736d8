package runstore_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/state/runstore"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// told sets a status of the Deployment of one of our deployments.
func told(t *testing.T, fake *githubfake.Fake, deployment, status, text string) {
	t.Helper()
	for _, d := range fake.Deployments() {
		var payload struct{ Deployment string }
		if err := json.Unmarshal(d.Payload, &payload); err != nil {
			t.Fatal(err)
		}
		if payload.Deployment == deployment {
			s := github.DeploymentStatus{State: status, Description: text, EnvironmentURL: "https://" + deployment + ".example.test"}
			if err := clientOf(t, fake).SetDeploymentStatus(t.Context(), d.ID, s); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("no Deployment tells of %s", deployment)
}

// releases is a run that deploys and releases, and whose records are flushed.
func (j job) releases(t *testing.T, id string, sequence int) {
	t.Helper()
	s := j.step(t)
	began := time.Now().UTC()
	r := j.running(id)
	r.Sequence, r.Started = sequence, began
	put(t, s, r)
	r.Status, r.Ended = state.Succeeded, began
	put(t, s, r)
	r.ID, r.Operation, r.Parent, r.Started, r.Digest = "release-"+id, "release", id, began.Add(time.Millisecond), ""
	put(t, s, r)
	flush(t, s)
	told(t, j.fake, "web-"+id, "success", "released · web-"+id)
}

// expire loses the newest artifact.
func expire(fake *githubfake.Fake) {
	all := fake.Artifacts()
	fake.Expire(all[len(all)-1].ID)
}

// shown returns what a run knows, oldest first, in short.
func shown(t *testing.T, s state.Store) (found []string) {
	t.Helper()
	for r, err := range s.List(t.Context(), state.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		found = append([]string{fmt.Sprintf("%s %d of %s: %s", r.Operation, r.Sequence, r.Deployment, r.Status)}, found...)
	}
	return found
}

// TestNewestLost loses the last artifact of several: what its run deployed and
// released is rebuilt, after what is left.
func TestNewestLost(t *testing.T) {
	t.Parallel()
	fake := newFakeAt(t, quickClock(t))
	newJob(t, fake, 1).releases(t, "A", 1)
	newJob(t, fake, 2).releases(t, "B", 2)
	expire(fake)
	j := newJob(t, fake, 3)
	s := j.step(t)
	want := []string{
		"deploy 1 of web-A: succeeded", "release 1 of web-A: succeeded",
		"deploy 2 of web-B: succeeded", "release 2 of web-B: succeeded",
	}
	if diff := gocmp.Diff(want, shown(t, s)); diff != "" {
		t.Errorf("records, oldest first (-want +got):\n%s", diff)
	}
	if !s.Lost("web") || s.Lost("api") {
		t.Errorf("Lost() = %t, and %t of another app, want it of this one alone", s.Lost("web"), s.Lost("api"))
	}
	put(t, s, j.record("C"))
	flush(t, s)
	next := newJob(t, fake, 4).step(t)
	list(t, next)
	if s.Lost("web") || next.Lost("web") {
		t.Error("the state is lost, though it was uploaded")
	}
}

// TestRollbackLost loses the artifact of a run that made no Deployment.
func TestRollbackLost(t *testing.T) {
	t.Parallel()
	fake := newFakeAt(t, quickClock(t))
	newJob(t, fake, 1).releases(t, "A", 1)
	newJob(t, fake, 2).releases(t, "B", 2)
	back := newJob(t, fake, 3)
	s := back.step(t)
	r := back.record("release-C")
	r.Operation, r.Deployment, r.Sequence, r.Started = "release", "web-A", 3, time.Now().UTC()
	put(t, s, r)
	flush(t, s)
	told(t, fake, "web-A", "success", "released · web-A")
	whole := shown(t, newJob(t, fake, 4).step(t))
	expire(fake)
	lost := shown(t, newJob(t, fake, 5).step(t))
	if diff := gocmp.Diff(whole, lost); diff != "" || len(whole) != 5 {
		t.Errorf("%d records, oldest first (-before +after):\n%s", len(whole), diff)
	}
}

// TestSecondAttemptLost has a run die, and its second attempt complete what the
// first began. Of the second nothing is left.
func TestSecondAttemptLost(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		status, text string
		want         state.Status
	}{
		"it succeeded":  {"success", "released · web-B", state.Succeeded},
		"it failed":     {"failure", "the deploy failed", state.Running},
		"nobody told":   {"in_progress", "", state.Running},
		"it was undone": {"inactive", "destroyed", state.Running},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := newFakeAt(t, quickClock(t))
			newJob(t, fake, 1).releases(t, "A", 1)
			first := newJob(t, fake, 2)
			s := first.step(t)
			r := first.running("B")
			r.Sequence, r.Started, r.Config = 2, time.Now().UTC(), json.RawMessage(`{"replicas":3}`)
			put(t, s, r)
			flush(t, s)
			told(t, fake, "web-B", c.status, c.text)
			got := only(t, newJob(t, fake, 3).step(t), "B")
			if got.Status != c.want || string(got.Config) != `{"replicas":3}` || state.Rebuilt(got) != (c.want == state.Succeeded) {
				t.Errorf("record = %+v, want it %s, with its configuration", got, c.want)
			}
		})
	}
}

// goesBack is a run that releases something again, which makes no Deployment.
func (j job) goesBack(t *testing.T, id, deployment string) {
	t.Helper()
	s := j.step(t)
	lockStore(t, s)
	list(t, s)
	r := j.record(id)
	r.Operation, r.Deployment, r.Sequence, r.Started = "release", deployment, 3, time.Now().UTC()
	put(t, s, r)
	flush(t, s)
	if err := j.step(t).Release(t.Context()); err != nil { // in the post step
		t.Fatal(err)
	}
}

// locks are the permissions that lead to each kind of lock.
var locks = map[string][]string{
	"ref":        {"contents: write", "actions: read", "deployments: write"},
	"Deployment": {"contents: read", "actions: read", "deployments: write"},
}

// TestSecondAttemptIsAsked has an earlier run do something again, which makes no
// Deployment and is in no list: whoever takes the lock after it knows, also after
// runs that do nothing, and after one that was lost with its machine. Once it is in
// a state that is listed, nothing is left of that.
func TestSecondAttemptIsAsked(t *testing.T) {
	t.Parallel()
	for kind, permissions := range locks {
		for name, between := range map[string]func(t *testing.T, fake *githubfake.Fake){
			"at once": func(*testing.T, *githubfake.Fake) {},
			"after idle runs": func(t *testing.T, fake *githubfake.Fake) {
				for run := range int64(3) {
					s := newJob(t, fake, 10+run).may(permissions...).step(t)
					lockStore(t, s)
					list(t, s)
					if err := s.Release(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
			},
			"after a lost machine": func(t *testing.T, fake *githubfake.Fake) {
				s := newJob(t, fake, 20).may(permissions...).step(t)
				lockStore(t, s)
				list(t, s)
				fake.AddRun(githubfake.Run{ID: 20, Status: "completed", Conclusion: "failure"})
			},
		} {
			t.Run(kind+", "+name, func(t *testing.T) {
				t.Parallel()
				fake := newFakeAt(t, quickClock(t))
				first := newJob(t, fake, 1).may(permissions...)
				first.goesBack(t, "A", "web-1")
				newJob(t, fake, 2).may(permissions...).goesBack(t, "B", "web-2")
				first.run.Attempt, first.journal = 2, first.journal+"-2"
				first.goesBack(t, "again", "web-1")
				between(t, fake)
				newJob(t, fake, 3).may(permissions...).goesBack(t, "C", "web-3")
				wantList(t, newJob(t, fake, 4).step(t), "A", "B", "C", "again")
				if left := fake.Deployments(); len(left) > 0 {
					t.Errorf("%d Deployments are left: %+v", len(left), left)
				}
			})
		}
	}
}

// TestLostMachineIsAsked loses the machine of a second attempt once it has uploaded.
// The run after it records nothing.
func TestLostMachineIsAsked(t *testing.T) {
	t.Parallel()
	for kind, permissions := range locks {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			fake := newFakeAt(t, quickClock(t))
			first := newJob(t, fake, 1).may(permissions...)
			first.goesBack(t, "A", "web-1")
			newJob(t, fake, 2).may(permissions...).goesBack(t, "B", "web-2")
			first.run.Attempt, first.journal = 2, first.journal+"-2"
			s := first.step(t)
			lockStore(t, s)
			r := first.record("again")
			r.Operation = "release"
			put(t, s, r)
			flush(t, s)
			fake.AddRun(githubfake.Run{ID: 1, Attempt: 2, Status: "completed", Conclusion: "failure"})
			idle := newJob(t, fake, 3).may(permissions...).step(t)
			lockStore(t, idle)
			wantList(t, idle, "A", "B", "again")
			if err := idle.Release(t.Context()); err != nil {
				t.Fatal(err)
			}
			next := newJob(t, fake, 4).may(permissions...).step(t)
			lockStore(t, next)
			wantList(t, next, "A", "B", "again")
		})
	}
}

// TestNewestDeleted has somebody delete the artifact of a rollback: no list shows
// that there was one. Whoever has the lock next knows, also after idle runs, and
// what GitHub was told says what serves.
func TestNewestDeleted(t *testing.T) {
	t.Parallel()
	for name, idle := range map[string]int{"at once": 0, "after idle runs": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := newFakeAt(t, quickClock(t))
			newJob(t, fake, 1).releases(t, "A", 1)
			newJob(t, fake, 2).releases(t, "B", 2)
			newJob(t, fake, 3).goesBack(t, "release-C", "web-A")
			told(t, fake, "web-A", "success", "released · web-A")
			whole := shown(t, newJob(t, fake, 4).step(t))
			for run := range idle {
				s := newJob(t, fake, int64(5+run)).step(t)
				lockStore(t, s)
				list(t, s)
				if err := s.Release(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			all := fake.Artifacts()
			fake.Delete(all[len(all)-1].ID)

			var warned []string
			j := newJob(t, fake, 9)
			j.change = func(o *runstore.Options) { o.Warn = func(text string) { warned = append(warned, text) } }
			s := j.step(t)
			lockStore(t, s)
			if diff := gocmp.Diff(whole, shown(t, s)); diff != "" || len(whole) != 5 {
				t.Errorf("%d records, oldest first (-before +after):\n%s", len(whole), diff)
			}
			if !s.Lost("web") || len(warned) != 1 || !strings.Contains(warned[0], `The newest state of app "web" in workspace "production" was deleted`) {
				t.Errorf("Lost() = %t, users were told %q; want them to know", s.Lost("web"), warned)
			}
			put(t, s, j.record("D"))
			flush(t, s)
			if err := s.Release(t.Context()); err != nil {
				t.Fatal(err)
			}
			next := newJob(t, fake, 10).step(t)
			lockStore(t, next)
			if list(t, next); next.Lost("web") {
				t.Error("the state is lost, though it was uploaded")
			}
		})
	}
}

// TestKeptIsRead has lists lag behind what the run before has uploaded: it is read
// all the same, for the lock names it.
func TestKeptIsRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake, err := githubfake.New(githubfake.Options{Repository: "octo/shop", Lag: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		fake.AddRun(githubfake.Run{ID: 1})
		newJob(t, fake, 1).goesBack(t, "A", "web-1")
		s := newJob(t, fake, 2).step(t)
		lockStore(t, s)
		wantList(t, s, "A")
		if s.Lost("web") {
			t.Error("the state is taken for lost")
		}
	})
}

// TestTicketDeleted has somebody delete what only the ticket of a lock by
// Deployments leads to: also who has no lock notices, until there is a new state.
func TestTicketDeleted(t *testing.T) {
	t.Parallel()
	fake := newFakeAt(t, quickClock(t))
	first := newJob(t, fake, 1).may(locks["Deployment"]...)
	first.goesBack(t, "A", "web-1")
	newJob(t, fake, 2).may(locks["Deployment"]...).goesBack(t, "B", "web-2")
	first.run.Attempt, first.journal = 2, first.journal+"-2"
	first.goesBack(t, "again", "web-1")
	all := fake.Artifacts()
	fake.Delete(all[len(all)-1].ID)
	j := newJob(t, fake, 3)
	j.change = func(o *runstore.Options) { o.NoLock = true }
	s := j.step(t)
	if wantList(t, s, "A", "B"); !s.Lost("web") {
		t.Error("the state is not taken for lost, and its newest artifact was deleted")
	}
	put(t, s, j.record("C"))
	flush(t, s)
	next := newJob(t, fake, 4).step(t)
	if wantList(t, next, "A", "B", "C"); next.Lost("web") {
		t.Error("the state is lost, though it was uploaded")
	}
}

// TestDeploymentNamesNewest has somebody delete the artifact of a rollback once a
// later run, which was lost with its machine, has read it and told of its deploy:
// without a lock on a ref nothing else tells that there was one.
func TestDeploymentNamesNewest(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		may    []string
		noLock bool
	}{
		"a lock by Deployments": {may: locks["Deployment"]},
		"no lock":               {may: locks["ref"], noLock: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := newFakeAt(t, quickClock(t))
			job := func(run int64) job {
				j := newJob(t, fake, run).may(c.may...)
				j.change = func(o *runstore.Options) { o.NoLock = c.noLock }
				return j
			}
			job(1).releases(t, "A", 1)
			job(2).releases(t, "B", 2)
			job(3).goesBack(t, "release-C", "web-A")
			told(t, fake, "web-A", "success", "released · web-A")
			lost := job(4)
			s := lost.step(t)
			lockStore(t, s)
			whole := shown(t, s)
			r := lost.running("D")
			r.Sequence, r.Started = 3, time.Now().UTC()
			put(t, s, r)
			fake.AddRun(githubfake.Run{ID: 4, Status: "completed", Conclusion: "failure"})

			before := len(fake.Calls())
			s = job(5).step(t)
			if list(t, s); s.Lost("web") {
				t.Error("the state is taken for lost, and is not")
			}
			for _, call := range fake.Calls()[before:] {
				if strings.HasPrefix(call.Path, "/repos/octo/shop/actions/artifacts/") && !strings.HasSuffix(call.Path, "/zip") {
					t.Errorf("a state that is whole was asked for by %s", call.Path)
				}
			}
			all := fake.Artifacts()
			fake.Delete(all[len(all)-1].ID)
			s = job(6).step(t)
			got := shown(t, s)
			if diff := gocmp.Diff(whole, slices.DeleteFunc(got, func(text string) bool { return strings.Contains(text, "web-D") })); diff != "" {
				t.Errorf("records but for D, oldest first (-before +after):\n%s", diff)
			}
			if !s.Lost("web") {
				t.Error("the state is not taken for lost, and the artifact that a Deployment names was deleted")
			}
		})
	}
}
