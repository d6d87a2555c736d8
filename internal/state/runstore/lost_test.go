package runstore_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/state"
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

// TestSecondAttemptIsAsked has an earlier run do something again, which makes no
// Deployment and is in no list: whoever takes the lock after it knows.
func TestSecondAttemptIsAsked(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	back := func(j job, id string) {
		t.Helper()
		s := j.step(t)
		lockStore(t, s)
		r := j.record(id)
		r.Operation = "release"
		put(t, s, r)
		flush(t, s)
		if err := s.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	first := newJob(t, fake, 1)
	back(first, "A")
	back(newJob(t, fake, 2), "B")
	first.run.Attempt = 2
	back(first, "again")
	s := newJob(t, fake, 3).step(t)
	lockStore(t, s)
	wantList(t, s, "A", "B", "again")
}
