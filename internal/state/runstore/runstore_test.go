package runstore_test

import (
	"archive/zip"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/state/runstore"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
	"github.com/deploy-action/deploy-action/internal/testkit/statetest"
	"github.com/deploy-action/deploy-action/internal/workflow"
)

const plainName = "deploy-action.shop.web.production"

// newFake returns a fake that fails the test if it was used in a way that
// GitHub's own description does not allow.
func newFake(t *testing.T) *githubfake.Fake {
	t.Helper()
	return newFakeAt(t, time.Now)
}

// quickClock goes on by minutes, so that no limit is met. It stays below the
// retention of artifacts.
func quickClock(t *testing.T) func() time.Time {
	t.Helper()
	var asked atomic.Int64
	start := time.Now()
	return func() time.Time { return start.Add(time.Duration(asked.Add(1)) * 10 * time.Second) }
}

func newFakeAt(t *testing.T, now func() time.Time) *githubfake.Fake {
	t.Helper()
	fake, err := githubfake.New(githubfake.Options{Repository: "octo/shop", Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, v := range fake.Violations() {
			t.Errorf("violation of the API description: %s", v)
		}
	})
	return fake
}

// job is one job of a run: a folder that its steps share, and what the runner
// tells it.
type job struct {
	fake    *githubfake.Fake
	run     workflow.Context
	journal string
	offline bool // without an artifact service
	days    int  // that uploads are kept; 0 for as long as the repository says
	token   secret.Text
	client  http.RoundTripper // nil for the fake itself
	change  func(*runstore.Options)
}

func newJob(t *testing.T, fake *githubfake.Fake, run int64) job {
	t.Helper()
	return job{
		fake: fake,
		run: workflow.Context{
			Repository: "octo/shop", RunID: run, Attempt: 1, RefName: "main", DefaultBranch: "main", HeadSHA: fmt.Sprintf("%040x", run),
		},
		journal: filepath.Join(t.TempDir(), "journal"),
		token:   "ghs_token",
	}
}

// step opens the store as one step of the job does.
func (j job) step(t *testing.T) *runstore.Store {
	t.Helper()
	client := &http.Client{Transport: cmp.Or[http.RoundTripper](j.client, j.fake)}
	o := runstore.Options{
		Journal: j.journal, Run: j.run, Secrets: new(secret.Set),
		Project: "shop", Apps: []string{"web"}, Workspace: "production", Path: "waypoint.hcl",
	}
	var err error
	o.Client, err = github.New(github.Options{API: "http://github.example.test", Repository: "octo/shop", Token: j.token, HTTP: client})
	if err != nil {
		t.Fatal(err)
	}
	if !j.offline {
		token := secret.Text(j.fake.Token(j.run.RunID, "job"))
		o.Service, err = github.NewService(github.ServiceOptions{ResultsURL: "http://github.example.test", Token: token, HTTP: client, Days: j.days})
		if err != nil {
			t.Fatal(err)
		}
	}
	if j.change != nil {
		j.change(&o)
	}
	s, err := runstore.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// deploy runs a step that records one deploy and flushes.
func (j job) deploy(t *testing.T, id string) *runstore.Store {
	t.Helper()
	s := j.step(t)
	put(t, s, j.record(id))
	flush(t, s)
	return s
}

func (j job) record(id string) state.Record {
	return state.Record{
		Schema: state.Schema, ID: id, Operation: "deploy", Status: state.Succeeded,
		Project: "shop", App: "web", Workspace: "production", Plugin: "docker", Sequence: 1,
		Origin:  state.Origin{Run: j.run.RunID, Attempt: j.run.Attempt},
		Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
}

func put(t *testing.T, s state.Store, r state.Record) {
	t.Helper()
	if err := s.Put(t.Context(), r); err != nil {
		t.Fatalf("Put(%s) = %v", r.ID, err)
	}
}

func flush(t *testing.T, s state.Store) {
	t.Helper()
	if err := s.Flush(t.Context()); err != nil {
		t.Fatalf("Flush() = %v", err)
	}
}

// list returns the IDs of all records, sorted.
func list(t *testing.T, s state.Store) []string {
	t.Helper()
	ids, err := tryList(t, s)
	if err != nil {
		t.Fatalf("List() = %v", err)
	}
	return ids
}

func tryList(t *testing.T, s state.Store) (ids []string, err error) {
	t.Helper()
	for r, err := range s.List(t.Context(), state.Query{}) {
		if err != nil {
			return ids, err
		}
		ids = append(ids, r.ID)
	}
	slices.Sort(ids)
	return ids, nil
}

// names returns the names of all artifacts, oldest first.
func names(fake *githubfake.Fake) []string {
	var names []string
	for _, a := range fake.Artifacts() {
		names = append(names, a.Name)
	}
	return names
}

func wantList(t *testing.T, s state.Store, want ...string) {
	t.Helper()
	if diff := gocmp.Diff(want, list(t, s)); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

func TestStore(t *testing.T) {
	t.Parallel()
	statetest.Run(t, func(t *testing.T) state.Store { return newJob(t, newFake(t), 1).step(t) })
}

func TestNextRunFindsTheState(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	first := newJob(t, fake, 1)
	wantList(t, first.step(t))
	first.deploy(t, "A")

	second := newJob(t, fake, 2)
	wantList(t, second.step(t), "A")
	second.deploy(t, "B")

	third := newJob(t, fake, 3)
	before := len(fake.Calls())
	s := third.step(t)
	wantList(t, s, "A", "B")
	list(t, s)
	rest := 0
	for _, c := range fake.Calls()[before:] {
		if strings.HasPrefix(c.Path, "/repos/") {
			rest++
		}
	}
	if rest != 5 {
		t.Errorf("reading took %d REST requests, want 5: the list, its run, the list of that run, the artifact, and the Deployments", rest)
	}
}

func TestLaterStepsJobsAndAttempts(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	j := newJob(t, fake, 1)
	j.deploy(t, "step-1")
	j.deploy(t, "step-2")

	other := newJob(t, fake, 1)
	wantList(t, other.step(t), "step-1", "step-2")
	other.deploy(t, "job-2")

	again := newJob(t, fake, 1)
	again.run.Attempt = 2
	again.deploy(t, "attempt-2")

	want := []string{plainName, plainName + ".2", plainName + ".3", plainName + ".4"}
	if diff := gocmp.Diff(want, names(fake)); diff != "" {
		t.Errorf("artifacts (-want +got):\n%s", diff)
	}
	for _, c := range fake.Calls() {
		if c.Status == http.StatusConflict {
			t.Error("a name was tried that the run was known to have")
		}
	}
	wantList(t, newJob(t, fake, 2).step(t), "attempt-2", "job-2", "step-1", "step-2")
}

// TestNameTakenUnseen has another job take the name in the last moment.
func TestNameTakenUnseen(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	newJob(t, fake, 1).deploy(t, "A")
	fake.Refuse(func(r *http.Request) *githubfake.Refusal {
		if strings.HasSuffix(r.URL.Path, "/ListArtifacts") {
			return &githubfake.Refusal{Status: http.StatusOK, Body: `{"artifacts":[]}`}
		}
		return nil
	})
	newJob(t, fake, 1).deploy(t, "B")
	fake.Refuse(nil)
	if diff := gocmp.Diff([]string{plainName, plainName + ".2"}, names(fake)); diff != "" {
		t.Errorf("artifacts (-want +got):\n%s", diff)
	}
	wantList(t, newJob(t, fake, 2).step(t), "A", "B")
}

// TestRaces lets two runs upload what they did without having seen the other.
func TestRaces(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	newJob(t, fake, 1).deploy(t, "before")
	two, three := newJob(t, fake, 2), newJob(t, fake, 3)
	a, b := two.step(t), three.step(t)
	wantList(t, a, "before")
	wantList(t, b, "before")
	put(t, a, two.record("A"))
	put(t, b, three.record("B"))
	// Both look, then both upload.
	fake.Refuse(func(r *http.Request) *githubfake.Refusal {
		if strings.HasSuffix(r.URL.Path, "/actions/artifacts") {
			return &githubfake.Refusal{Status: 403}
		}
		return nil
	})
	flush(t, a)
	flush(t, b)
	fake.Refuse(nil)

	four := newJob(t, fake, 4)
	wantList(t, four.step(t), "A", "B", "before")
}

// TestPostStep kills the step after its record was written.
func TestPostStep(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	j := newJob(t, fake, 1)
	put(t, j.step(t), j.record("A"))
	if got := names(fake); len(got) != 0 {
		t.Fatalf("artifacts before Flush: %v", got)
	}

	flush(t, j.step(t))
	if diff := gocmp.Diff([]string{plainName}, names(fake)); diff != "" {
		t.Errorf("artifacts (-want +got):\n%s", diff)
	}
	before := len(fake.Calls())
	flush(t, j.step(t))
	if got := len(fake.Calls()) - before; got != 0 {
		t.Errorf("a second Flush sent %d requests, want none", got)
	}
	wantList(t, newJob(t, fake, 2).step(t), "A")
}

// TestPostStepKnowsLess flushes from a process that was not told where
// waypoint.hcl is: the artifact goes on saying it.
func TestPostStepKnowsLess(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	newJob(t, fake, 1).deploy(t, "A")
	j := newJob(t, fake, 2)
	put(t, j.step(t), j.record("B"))
	j.change = func(o *runstore.Options) { o.Project, o.Apps, o.Workspace, o.Path = "", nil, "", "" }
	flush(t, j.step(t))
	for _, a := range fake.Artifacts() {
		if got := header(t, fake.Content(a.ID)).Path; got != "waypoint.hcl" {
			t.Errorf("path in the header of %q of run %d = %q, want waypoint.hcl", a.Name, a.Run, got)
		}
	}
	wantList(t, newJob(t, fake, 3).step(t), "A", "B")
}

// header reads the state file in an artifact.
func header(t *testing.T, zipped []byte) state.Header {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader(zipped), int64(len(zipped)))
	if err != nil {
		t.Fatal(err)
	}
	file, err := archive.Open("state.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	h, _, err := state.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// TestPostStepAfterUpload kills the step between its upload and the moment
// that it is noted: nothing is uploaded twice.
func TestPostStepAfterUpload(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	j := newJob(t, fake, 1)
	j.deploy(t, "A")
	put(t, j.step(t), j.record("A")) // as if the journal had not been emptied
	flush(t, j.step(t))
	if diff := gocmp.Diff([]string{plainName}, names(fake)); diff != "" {
		t.Errorf("artifacts (-want +got):\n%s", diff)
	}
}

func TestFlushWithoutReading(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	newJob(t, fake, 1).deploy(t, "A")
	fake.Refuse(func(r *http.Request) *githubfake.Refusal {
		if strings.HasPrefix(r.URL.Path, "/repos/") {
			return &githubfake.Refusal{Status: 403}
		}
		return nil
	})
	newJob(t, fake, 2).deploy(t, "B") // its post step may not read, and uploads all the same
	fake.Refuse(nil)
	wantList(t, newJob(t, fake, 3).step(t), "A", "B")
}

func TestFlushFailsAndIsRepeated(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	j := newJob(t, fake, 1)
	s := j.step(t)
	put(t, s, j.record("A"))
	fake.Refuse(func(r *http.Request) *githubfake.Refusal {
		if strings.HasSuffix(r.URL.Path, "/CreateArtifact") {
			return &githubfake.Refusal{Status: 400, Body: `{"code":"invalid_argument","msg":"no"}`}
		}
		return nil
	})
	if err := s.Flush(t.Context()); err == nil || !strings.Contains(err.Error(), `app "web" in workspace "production"`) {
		t.Errorf("Flush() = %v, want an error that names app and workspace", err)
	}
	fake.Refuse(nil)
	flush(t, j.step(t))
	wantList(t, newJob(t, fake, 2).step(t), "A")
}

func TestFlushWithoutService(t *testing.T) {
	t.Parallel()
	j := newJob(t, newFake(t), 1)
	j.offline = true
	s := j.step(t)
	flush(t, s)
	put(t, s, j.record("A"))
	if err := s.Flush(t.Context()); !errors.Is(err, github.ErrNoService) {
		t.Errorf("Flush() = %v, want ErrNoService", err)
	}
	wantList(t, s, "A")
}

func TestUploaded(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	s := newJob(t, fake, 1).deploy(t, "A")
	want := map[string]int64{"web": fake.Artifacts()[0].ID}
	if diff := gocmp.Diff(want, s.Uploaded()); diff != "" {
		t.Errorf("Uploaded (-want +got):\n%s", diff)
	}
}

// TestNoSecretsInArtifacts makes a secret known before and after the record
// that holds it.
func TestNoSecretsInArtifacts(t *testing.T) {
	t.Parallel()
	const value = "correct horse battery"
	for _, early := range []bool{true, false} {
		t.Run(fmt.Sprintf("known early %v", early), func(t *testing.T) {
			t.Parallel()
			fake, secrets := newFake(t), new(secret.Set)
			j := newJob(t, fake, 1)
			j.change = func(o *runstore.Options) { o.Secrets = secrets }
			if early {
				secrets.Add(value)
			}
			s, r := j.step(t), j.record("A")
			r.Message = "the password is " + value
			putErr := s.Put(t.Context(), r)
			secrets.Add(value)
			flushErr := s.Flush(t.Context())
			if leak, ok := errors.AsType[*state.SecretError](errors.Join(putErr, flushErr)); !ok || leak.Field != "message" {
				t.Errorf("errors = %v, %v, want one that names the field message", putErr, flushErr)
			}
			for r, err := range newJob(t, fake, 2).step(t).List(t.Context(), state.Query{}) {
				if err != nil || r.Message != "the password is ***" {
					t.Errorf("the next run reads %q, %v, want the secret masked", r.Message, err)
				}
			}
			if len(fake.Artifacts()) != 1 {
				t.Errorf("artifacts = %v, want one: no record is lost to protect a secret", names(fake))
			}
		})
	}
}
