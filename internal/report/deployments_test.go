package report_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/report"
	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/state/memstore"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// place is GitHub with what an app's deploys have left there.
type place struct {
	fake    *githubfake.Fake
	options report.Options
	store   *memstore.Store
	ids     map[string]int64 // of the Deployments that this run knows, by deployment
	at      time.Time
}

func newPlace(t *testing.T) *place {
	t.Helper()
	options, fake := newOptions(t)
	fake.SetRef("refs/heads/main", fake.AddCommit("start"))
	p := &place{fake: fake, options: options, store: memstore.New(), ids: map[string]int64{}, at: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	p.options.Store = p.store
	p.options.Intent = func(deployment string) (int64, bool) {
		id, found := p.ids[deployment]
		return id, found
	}
	return p
}

// intent makes the Deployment that a store leaves before a deploy.
func (p *place) intent(t *testing.T, deployment string) int64 {
	t.Helper()
	payload, err := json.Marshal(map[string]string{"deployment": deployment})
	if err != nil {
		t.Fatal(err)
	}
	d, err := p.options.Client.CreateDeployment(t.Context(), github.Deployment{Ref: "main", Task: "deploy-action:shop/web", Environment: "production", Payload: payload})
	if err != nil {
		t.Fatal(err)
	}
	return d.ID
}

// earlier makes what a run before this one has released.
func (p *place) earlier(t *testing.T, deployment string, sequence int) {
	t.Helper()
	id := p.intent(t, deployment)
	if err := p.options.Client.SetDeploymentStatus(t.Context(), id, github.DeploymentStatus{State: "success"}); err != nil {
		t.Fatal(err)
	}
	for _, operation := range []string{"deploy", "release"} {
		p.record(t, operation, deployment, sequence, state.Succeeded)
	}
}

// record puts a record into the store, and returns it.
func (p *place) record(t *testing.T, operation, deployment string, sequence int, status state.Status) state.Record {
	t.Helper()
	p.at = p.at.Add(time.Minute)
	r := state.Record{
		Schema: state.Schema, ID: state.NewID(p.at), Operation: operation, Status: status, Project: "shop", App: "web", Workspace: "production",
		Deployment: deployment, Sequence: sequence, Digest: digest, URL: "https://user:secret@web.example.test/start?token=x", Started: p.at, Ended: p.at,
	}
	if status == state.Failed {
		r.Message = "it is broken"
	}
	if err := p.store.Put(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	return r
}

// states returns the Deployments with their states, oldest first.
func (p *place) states() []string {
	var list []string
	for _, d := range p.fake.Deployments() {
		var payload struct{ Deployment string }
		if json.Unmarshal(d.Payload, &payload) != nil {
			payload.Deployment = "?"
		}
		list = append(list, strings.TrimSpace(payload.Deployment+" "+d.State()))
	}
	return list
}

// run reports records of this run, given as "operation deployment sequence
// status", settles, and lets the post step do what is left.
func (p *place) run(t *testing.T, well bool, steps ...string) {
	t.Helper()
	reporter := report.New(p.options)
	for _, step := range steps {
		var operation, deployment, status string
		var sequence int
		if _, err := fmt.Sscan(step, &operation, &deployment, &sequence, &status); err != nil {
			t.Fatal(err)
		}
		if _, exists := p.ids[deployment]; operation == "deploy" && !exists {
			p.ids[deployment] = p.intent(t, deployment)
		}
		if err := reporter.Report(t.Context(), p.record(t, operation, deployment, sequence, state.Status(status))); err != nil {
			t.Fatal(err)
		}
	}
	if err := reporter.Settle(t.Context(), well); err != nil {
		t.Fatal(err)
	}
	if err := report.New(p.options).Finish(t.Context(), reporter.Left()); err != nil {
		t.Fatal(err)
	}
}

func TestDeployments(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		steps []string
		bad   bool // the run
		want  []string
	}{
		"released": {
			steps: []string{"deploy web-c 3 succeeded", "release web-c 3 succeeded"},
			want:  []string{"web-a success", "web-b inactive", "web-c success"},
		},
		"deployed without a release": {
			steps: []string{"deploy web-c 3 succeeded"},
			want:  []string{"web-a success", "web-b success", "web-c success"},
		},
		"deploy failed": {
			steps: []string{"deploy web-c 3 failed"}, bad: true,
			want: []string{"web-a success", "web-b success", "web-c failure"},
		},
		"release failed": {
			steps: []string{"deploy web-c 3 succeeded", "release web-c 3 failed"}, bad: true,
			want: []string{"web-a success", "web-b success", "web-c failure"},
		},
		"cancelled": {
			steps: []string{"deploy web-c 3 interrupted"}, bad: true,
			want: []string{"web-a success", "web-b success", "web-c inactive"},
		},
		"stopped before its release": {
			steps: []string{"deploy web-c 3 succeeded"}, bad: true,
			want: []string{"web-a success", "web-b success", "web-c inactive"},
		},
		"killed": {
			steps: []string{"deploy web-c 3 running"}, bad: true,
			want: []string{"web-a success", "web-b success", "web-c inactive"},
		},
		"another app failed": {
			steps: []string{"deploy web-c 3 succeeded", "release web-c 3 succeeded"}, bad: true,
			want: []string{"web-a success", "web-b inactive", "web-c success"},
		},
		"rolled back": {
			steps: []string{"release web-a 3 succeeded"},
			want:  []string{"web-a success", "web-b inactive"},
		},
		"rolling back failed": {
			steps: []string{"release web-a 3 failed"}, bad: true,
			want: []string{"web-a success", "web-b success"},
		},
		"released once more": {
			steps: []string{"release web-b 3 succeeded"},
			want:  []string{"web-a success", "web-b success"},
		},
		"undone by a release of the one before": {
			steps: []string{"deploy web-c 3 succeeded", "release web-c 3 failed", "release web-b 4 succeeded"}, bad: true,
			want: []string{"web-a success", "web-b success", "web-c failure"},
		},
		"undone by putting the one before in place again": {
			steps: []string{"deploy web-c 3 failed", "deploy web-d 4 succeeded", "release web-d 3 succeeded"}, bad: true,
			want: []string{"web-a success", "web-b inactive", "web-c failure", "web-d success"},
		},
		"destroyed": {
			steps: []string{"release web-b 2 destroyed"},
			want:  []string{"web-a success", "web-b inactive"},
		},
		"undoing it failed": {
			steps: []string{"deploy web-c 3 failed", "deploy web-d 4 failed"}, bad: true,
			want: []string{"web-a success", "web-b success", "web-c failure", "web-d failure"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			p.earlier(t, "web-a", 1)
			p.earlier(t, "web-b", 2)
			p.run(t, !c.bad, c.steps...)
			if diff := cmp.Diff(c.want, p.states()); diff != "" {
				t.Errorf("Deployments (-want +got):\n%s", diff)
			}
		})
	}
}

// What was deployed and is outdated serves nobody.
func TestDeploymentOfWhatIsOutdated(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.earlier(t, "web-b", 2)
	p.ids["web-a"] = p.intent(t, "web-a")
	reporter := report.New(p.options)
	if err := reporter.Report(t.Context(), p.record(t, "deploy", "web-a", 3, state.Succeeded)); err != nil {
		t.Fatal(err)
	}
	reporter.Outdated("shop", "web", "production", "outdated: run 812 released 3f2c")
	if err := reporter.Settle(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"web-b success", "web-a inactive"}, p.states()); diff != "" {
		t.Errorf("Deployments (-want +got):\n%s", diff)
	}
	if left := reporter.Left(); len(left) != 0 {
		t.Errorf("left to the post step: %+v, want nothing", left)
	}
}

func TestDeploymentStatusSaysWhere(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.run(t, true, "deploy web-c 3 succeeded", "release web-c 3 succeeded")
	want := githubfake.DeploymentStatus{
		State: "success", Description: "released · web-c · no. 3 · sha256:3f2c1a9b0d1e", EnvironmentURL: "https://web.example.test/start",
		LogURL: "https://github.example.test/octo/shop/actions/runs/7/attempts/2",
	}
	got := p.fake.Deployments()[0].Statuses
	if len(got) != 1 {
		t.Fatalf("statuses = %+v, want one", got)
	}
	got[0].ID, got[0].Created = 0, time.Time{}
	if got[0] != want {
		t.Errorf("status = %+v, want %+v", got[0], want)
	}
}

// The release of an earlier deployment names the sequence of its deploy.
func TestRollbackNamesTheDeploy(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.earlier(t, "web-a", 5)
	p.run(t, true, "release web-a 9 succeeded")
	if got := p.fake.Statuses()[0].Description; got != "released · web-a · no. 5 · sha256:3f2c1a9b0d1e" {
		t.Errorf("text = %q", got)
	}
}

func TestRequestsOfARelease(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.earlier(t, "web-b", 2)
	p.ids["web-c"] = p.intent(t, "web-c")
	before := len(p.fake.Calls())
	reporter := report.New(p.options)
	for _, status := range []state.Status{state.Running, state.Succeeded} {
		for _, operation := range []string{"deploy", "release"} {
			if err := reporter.Report(t.Context(), p.record(t, operation, "web-c", 3, status)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := reporter.Settle(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if got := len(p.fake.Calls()) - before; got != 3 {
		t.Errorf("%d requests: %v, want 3: two commit statuses and that of the Deployment", got, p.fake.Calls()[before:])
	}
	before = len(p.fake.Calls())
	if err := report.New(p.options).Finish(t.Context(), reporter.Left()); err != nil {
		t.Fatal(err)
	}
	if got := len(p.fake.Calls()) - before; got != 2 {
		t.Errorf("%d requests of the post step: %v, want 2: looking for the Deployment and its status", got, p.fake.Calls()[before:])
	}
}

func TestNoDeploymentsAreWanted(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.options.Intent, p.options.NoStatuses = nil, true
	reporter := report.New(p.options)
	for _, operation := range []string{"deploy", "release"} {
		if err := reporter.Report(t.Context(), p.record(t, operation, "web-c", 3, state.Succeeded)); err != nil {
			t.Fatal(err)
		}
	}
	if err := reporter.Settle(t.Context(), false); err != nil || len(p.fake.Calls()) != 0 || len(reporter.Left()) != 0 {
		t.Errorf("Settle = %v after %v, with %v left, want silence", err, p.fake.Calls(), reporter.Left())
	}
}

// When the requests are used up, the rest is counted and not waited for.
func TestStatusesAreDroppedFirst(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.fake.Refuse(func(r *http.Request) *githubfake.Refusal {
		if r.Method == http.MethodPost && strings.Contains(r.URL.Path, "/status") {
			return &githubfake.Refusal{Status: 429, Header: http.Header{"Retry-After": {"3600"}}, Body: `{"message":"You have exceeded a secondary rate limit"}`}
		}
		return nil
	})
	p.ids["web-c"] = p.intent(t, "web-c")
	before := len(p.fake.Calls())
	reporter := report.New(p.options)
	var errs []error
	for _, status := range []state.Status{state.Running, state.Succeeded} {
		for _, operation := range []string{"deploy", "release"} {
			errs = append(errs, reporter.Report(t.Context(), p.record(t, operation, "web-c", 3, status)))
		}
	}
	errs = append(errs, reporter.Settle(t.Context(), true))
	if err := errors.Join(errs...); err == nil || strings.Count(err.Error(), "rate limit") != 4 {
		t.Errorf("errors = %v, want one for statuses and one for Deployments, and again at the end", err)
	}
	if got := len(p.fake.Calls()) - before; got != 1 || reporter.Dropped() != 3 {
		t.Errorf("%d requests, %d dropped, want 1 and 3", got, reporter.Dropped())
	}
}
