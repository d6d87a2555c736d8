package runstore_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/state/runstore"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// begin tells GitHub of a deploy in a run whose machine is then lost.
func (j job) begin(t *testing.T, id string) {
	t.Helper()
	j.journal = t.TempDir() + "/lost"
	put(t, j.step(t), j.running(id))
}

// TestReleaseRebuiltBesideArtifacts loses the run that released last, while the
// state of one before it is there.
func TestReleaseRebuiltBesideArtifacts(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	newJob(t, fake, 1).deploy(t, "A")
	newJob(t, fake, 2).begin(t, "lost")
	status := github.DeploymentStatus{State: "success", Description: "released · web-lost", EnvironmentURL: "https://web.example.test"}
	if err := clientOf(t, fake).SetDeploymentStatus(t.Context(), fake.Deployments()[0].ID, status); err != nil {
		t.Fatal(err)
	}
	released, err := state.Latest(t.Context(), newJob(t, fake, 3).step(t), state.Query{Operation: "release"})
	if err != nil || released.Deployment != "web-lost" || released.Status != state.Succeeded || !state.Rebuilt(released) {
		t.Errorf("the newest release is %+v, %v, want that of web-lost, as its Deployment tells", released, err)
	}
}

// TestLateUpload has a run upload what it did under a later name when somebody
// else has rebuilt it already: it is looked for, but not for ever.
func TestLateUpload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFakeAt(t, time.Now)
		slow := newJob(t, fake, 1)
		r := slow.running("A")
		r.Started = time.Now().UTC()
		s := slow.step(t)
		put(t, s, r)
		refusing(fake, http.MethodPost, "/FinalizeArtifact", http.StatusBadRequest)
		if err := s.Flush(t.Context()); err == nil {
			t.Fatal("the upload went well, and is to break off")
		}
		fake.Refuse(nil)
		if err := clientOf(t, fake).SetDeploymentStatus(t.Context(), fake.Deployments()[0].ID, github.DeploymentStatus{State: "success"}); err != nil {
			t.Fatal(err)
		}
		other := newJob(t, fake, 2)
		hasty := other.step(t)
		wantList(t, hasty, "A")
		put(t, hasty, other.record("B"))
		flush(t, hasty) // with the rebuilt record

		r.Status, r.Ended, r.Config = state.Succeeded, r.Started.Add(time.Minute), json.RawMessage(`{"replicas":3}`)
		again := slow.step(t)
		put(t, again, r)
		flush(t, again)
		if got := only(t, newJob(t, fake, 3).step(t), "A"); string(got.Config) != `{"replicas":3}` {
			t.Errorf("record = %+v, want that of the run itself", got)
		}
		time.Sleep(48 * time.Hour)
		before := len(fake.Calls())
		list(t, newJob(t, fake, 4).step(t))
		if all, _ := rest(fake, before); all > 6 {
			t.Errorf("two days later reading takes %d requests, want at most 6", all)
		}
	})
}

// listening makes a job note what its store warns of.
func (j job) listening(told *[]string) job {
	change := j.change
	j.change = func(o *runstore.Options) {
		if change != nil {
			change(o)
		}
		o.Warn = func(text string) { *told = append(*told, text) }
	}
	return j
}

// only returns the one record of that ID.
func only(t *testing.T, s state.Store, id string) state.Record {
	t.Helper()
	var found []state.Record
	for r, err := range s.List(t.Context(), state.Query{ID: id}) {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, r)
	}
	if len(found) != 1 {
		t.Fatalf("%d records of ID %s, want one", len(found), id)
	}
	return found[0]
}

// TestRebuiltFromDeployments loses all artifacts and machines.
func TestRebuiltFromDeployments(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	for run, id := range map[int64]string{1: "A", 2: "B"} {
		newJob(t, fake, run).begin(t, id)
	}
	var told []string
	j := newJob(t, fake, 3).listening(&told)
	s := j.step(t)
	wantList(t, s, "A", "B")
	list(t, s)
	r := only(t, s, "A")
	if r.Deployment != "web-A" || r.Status != state.Running || r.Origin.Run != 1 || r.Sequence != 1 || r.Digest != "sha256:1" {
		t.Errorf("record = %+v, want what its Deployment tells", r)
	}
	if len(told) != 1 || !strings.Contains(told[0], `app "web" in workspace "production"`) || !strings.Contains(told[0], "2 Deployments") {
		t.Errorf("told %q, want that the state was found again by 2 Deployments", told)
	}
	if s.Incomplete("web") {
		t.Error("the state is incomplete, though every Deployment was read")
	}

	// The next upload makes it a state like any other.
	put(t, s, j.record("C"))
	flush(t, s)
	told = nil
	wantList(t, newJob(t, fake, 4).listening(&told).step(t), "A", "B", "C")
	if len(told) != 0 {
		t.Errorf("told %q, want nothing", told)
	}
}

// TestRebuiltBesideArtifacts loses one run of several.
func TestRebuiltBesideArtifacts(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	newJob(t, fake, 1).deploy(t, "A")
	newJob(t, fake, 2).begin(t, "lost")
	var told []string
	wantList(t, newJob(t, fake, 3).listening(&told).step(t), "A", "lost")
	if len(told) != 0 {
		t.Errorf("told %q of a run that may still be at work", told)
	}
}

// TestRealRecordWins has the lost machine come back.
func TestRealRecordWins(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	late := newJob(t, fake, 1)
	put(t, late.step(t), late.running("A"))
	id := fake.Deployments()[0].ID

	other := newJob(t, fake, 2)
	client := clientOf(t, fake)
	if err := client.SetDeploymentStatus(t.Context(), id, github.DeploymentStatus{State: "success"}); err != nil {
		t.Fatal(err)
	}
	other.deploy(t, "B")
	s := other.step(t)
	list(t, s)
	put(t, s, other.record("C"))
	flush(t, s) // with the rebuilt record

	r := late.running("A")
	r.Status, r.Ended, r.Config = state.Succeeded, r.Started.Add(time.Minute), json.RawMessage(`{"replicas":3}`)
	again := late.step(t)
	put(t, again, r)
	flush(t, again)
	if got := only(t, newJob(t, fake, 3).step(t), "A"); string(got.Config) != `{"replicas":3}` || got.Message != "" {
		t.Errorf("record = %+v, want that of the run itself", got)
	}
}

// TestUnlistedArtifact has a list that does not show yet what a run uploaded.
func TestUnlistedArtifact(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	newJob(t, fake, 1).deploy(t, "A")
	j := newJob(t, fake, 2)
	s := j.step(t)
	put(t, s, j.running("B"))
	r := j.running("B")
	r.Status, r.URL = state.Succeeded, "https://b.example.test"
	put(t, s, r)
	flush(t, s)
	newest := fake.Artifacts()[1].ID
	hidden := func(r *http.Request) *githubfake.Refusal {
		if strings.HasSuffix(r.URL.Path, "/repos/octo/shop/actions/artifacts") {
			return &githubfake.Refusal{Status: http.StatusOK, Body: `{"total_count":0,"artifacts":[]}`}
		}
		return nil
	}
	fake.Refuse(hidden)
	if got := only(t, newJob(t, fake, 3).step(t), "B"); got.URL != "https://b.example.test" {
		t.Errorf("record = %+v, want that of artifact %d", got, newest)
	}
}

// TestExpiredMeanwhile has the newest artifact expire between list and
// download: what it held is rebuilt, and nothing is taken for a first run.
func TestExpiredMeanwhile(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	newJob(t, fake, 1).deploy(t, "A")
	j := newJob(t, fake, 2)
	s := j.step(t)
	put(t, s, j.running("B"))
	flush(t, s)
	newest := fmt.Sprintf("/artifacts/%d/zip", fake.Artifacts()[1].ID)
	refusing(fake, http.MethodGet, newest, http.StatusGone)
	reader := newJob(t, fake, 3).step(t)
	wantList(t, reader, "A", "B")
	if got := only(t, reader, "B"); got.Deployment != "web-B" || !strings.HasPrefix(got.Message, "rebuilt from GitHub Deployment") {
		t.Errorf("record = %+v, want what its Deployment tells", got)
	}

	// Where it was the only one, the state is not empty either.
	alone := newFake(t)
	only := newJob(t, alone, 1)
	s = only.step(t)
	put(t, s, only.running("A"))
	flush(t, s)
	refusing(alone, http.MethodGet, "/zip", http.StatusGone)
	wantList(t, newJob(t, alone, 2).step(t), "A")
}

// forge makes a Deployment as a run on a branch could.
func forge(t *testing.T, fake *githubfake.Fake, payload string) {
	t.Helper()
	client := clientOf(t, fake)
	_, err := client.CreateDeployment(t.Context(), github.Deployment{
		Ref: strings.Repeat("0", 40), Task: "deploy-action:shop/web", Environment: "production", Payload: json.RawMessage(payload),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestForgedPayloads has Deployments that somebody made up.
func TestForgedPayloads(t *testing.T) {
	t.Parallel()
	const names = `"schema":1,"project":"shop","app":"web","workspace":"production",`
	cases := map[string]struct {
		payload    string
		incomplete bool
	}{
		"run on a branch":       {`{` + names + `"deployment":"evil","record":"E","run":66}`, false},
		"run for pull request":  {`{` + names + `"deployment":"evil","record":"E","run":67}`, false},
		"run of a fork":         {`{` + names + `"deployment":"evil","record":"E","run":68}`, false},
		"no run":                {`{` + names + `"deployment":"evil","record":"E"}`, false},
		"record that exists":    {`{` + names + `"deployment":"evil","record":"A","run":1}`, false},
		"deployment that does":  {`{` + names + `"deployment":"web-A","record":"E","run":1}`, false},
		"another app":           {`{"schema":1,"project":"shop","app":"api","workspace":"production","deployment":"evil","record":"E","run":1}`, false},
		"a newer version":       {`{"schema":9,"deployment":"evil","record":"E","run":1}`, true},
		"nothing of ours":       {`{"please":"believe me"}`, true},
		"no record is in there": {`{` + names + `"deployment":"evil","run":1}`, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := newFake(t)
			fake.AddRun(githubfake.Run{ID: 66, HeadBranch: "mine"})
			fake.AddRun(githubfake.Run{ID: 67, HeadBranch: "main", Event: "pull_request"})
			fake.AddRun(githubfake.Run{ID: 68, Fork: true})
			j := newJob(t, fake, 1)
			s := j.step(t)
			put(t, s, j.running("A"))
			r := j.running("A")
			r.Status = state.Succeeded
			put(t, s, r)
			flush(t, s)
			forge(t, fake, c.payload)
			reader := newJob(t, fake, 2).step(t)
			wantList(t, reader, "A")
			if got := only(t, reader, "A"); got.Status != state.Succeeded || got.Deployment != "web-A" {
				t.Errorf("record A = %+v, changed by a Deployment", got)
			}
			if got := reader.Incomplete("web"); got != c.incomplete {
				t.Errorf("Incomplete() = %v, want %v", got, c.incomplete)
			}
			if reader.Incomplete("api") {
				t.Error("an app that nobody asked about is incomplete")
			}
		})
	}
}

// TestNotAFirstRun has Deployments but no artifact and nothing to believe, or
// may not look.
func TestNotAFirstRun(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		spoil  func(*testing.T, *githubfake.Fake, *job)
		remedy string
	}{
		"unreadable Deployment": {func(t *testing.T, fake *githubfake.Fake, _ *job) { forge(t, fake, `{"schema":9}`) }, "`state-refs`"},
		"run on a branch": {func(t *testing.T, fake *githubfake.Fake, _ *job) {
			fake.AddRun(githubfake.Run{ID: 66, HeadBranch: "mine"})
			newJob(t, fake, 66).begin(t, "A")
		}, "`state-refs`"},
		"may not look at Deployments": {func(_ *testing.T, _ *githubfake.Fake, j *job) { *j = j.may("actions: read") }, "`deployments: write`"},
		"no answer":                   {func(_ *testing.T, fake *githubfake.Fake, _ *job) { refusing(fake, http.MethodGet, "/deployments", 418) }, "Run this again"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := newFake(t)
			j := newJob(t, fake, 2)
			c.spoil(t, fake, &j)
			_, err := tryList(t, j.step(t))
			unreadable, ok := errors.AsType[*runstore.UnreadableError](err)
			if !ok || !strings.Contains(unreadable.Remedy, c.remedy) {
				t.Errorf("List() = %v, want an UnreadableError with the remedy %q", err, c.remedy)
			}
		})
	}
	t.Run("Deployments are turned off", func(t *testing.T) {
		t.Parallel()
		j := newJob(t, newFake(t), 1).may("actions: read")
		j.change = func(o *runstore.Options) { o.NoIntents = true }
		wantList(t, j.step(t))
	})
	t.Run("Deployments may not be read, and an artifact is there", func(t *testing.T) {
		t.Parallel()
		fake := newFake(t)
		newJob(t, fake, 1).deploy(t, "A")
		wantList(t, newJob(t, fake, 2).may("actions: read").step(t), "A")
	})
}

// TestDeletedRun has a Deployment whose run is gone: what it made may run on.
func TestDeletedRun(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	forge(t, fake, `{"schema":1,"project":"shop","app":"web","workspace":"production","deployment":"web-A","record":"A","sequence":7,"run":12345}`)
	if got := only(t, newJob(t, fake, 1).step(t), "A"); got.Sequence != 7 {
		t.Errorf("record = %+v, want sequence 7", got)
	}
}

// TestReadingIsCheap counts requests where nothing is missing.
func TestReadingIsCheap(t *testing.T) {
	t.Parallel()
	fake := withHistory(t, 150)
	j := newJob(t, fake, 2)
	j.run.RefName, j.run.DefaultBranch = "other", "" // so that the default branch is asked for
	before := len(fake.Calls())
	if got := len(list(t, j.step(t))); got != 150 {
		t.Errorf("%d records, want 150", got)
	}
	if all, _ := rest(fake, before); all > 6 {
		t.Errorf("reading took %d requests, want at most 6", all)
	}
}
