package report_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/report"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
	"github.com/deploy-action/deploy-action/internal/workflow"
)

const (
	head   = "0123456789abcdef0123456789abcdef01234567"
	digest = "sha256:3f2c1a9b0d1e77777777777777777777"
	known  = " · web-7ndvpx7ahe · no. 12 · sha256:3f2c1a9b0d1e" // of the deployment of every run here
)

// newReporter returns a reporter of run 7, attempt 2.
func newReporter(t *testing.T, known ...secret.Text) (*report.Reporter, *githubfake.Fake) {
	t.Helper()
	options, fake := newOptions(t, known...)
	return report.New(options), fake
}

func newOptions(t *testing.T, known ...secret.Text) (report.Options, *githubfake.Fake) {
	t.Helper()
	fake, err := githubfake.New(githubfake.Options{})
	if err != nil {
		t.Fatal(err)
	}
	client, err := github.New(github.Options{Repository: "octo/shop", Token: "ghs_token", HTTP: &http.Client{Transport: fake}})
	if err != nil {
		t.Fatal(err)
	}
	secrets := new(secret.Set)
	for _, s := range known {
		secrets.Add(s)
	}
	t.Cleanup(func() {
		for _, broken := range fake.Violations() {
			t.Errorf("the calls of GitHub break its API description: %s", broken)
		}
	})
	return report.Options{Client: client, Secrets: secrets, Run: workflow.Context{
		Repository: "octo/shop", ServerURL: "https://github.example.test", RunID: 7, Attempt: 2, SHA: "of the merge", HeadSHA: head,
	}}, fake
}

func record(operation string, status state.Status) state.Record {
	r := state.Record{Operation: operation, Status: status, App: "web", Workspace: "production", Sequence: 3}
	switch operation {
	case "push":
		r.Digest = digest
	case "deploy":
		r.Deployment, r.Sequence, r.Digest = "web-7ndvpx7ahe", 12, digest
	case "release":
		r.Deployment, r.Sequence, r.Digest = "web-7ndvpx7ahe", 9, digest
	}
	return r
}

func TestReport(t *testing.T) {
	t.Parallel()
	failed := record("deploy", state.Failed)
	failed.Message = "the container exited with status 1"
	leak := record("build", state.Failed)
	leak.Message = "login with hunter2hunter2 failed"
	other := record("build", state.Running)
	other.App = "api"
	destroyed, hold := record("deploy", state.Destroyed), record("hold", state.Running)

	cases := map[string]struct {
		records []state.Record
		settle  bool
		failed  bool // the run, in spite of its records
		want    []string
	}{
		"up": {
			records: []state.Record{
				record("build", state.Running), record("build", state.Succeeded), record("push", state.Running), record("push", state.Succeeded),
				record("deploy", state.Running), record("deploy", state.Succeeded), record("release", state.Running), record("release", state.Succeeded),
			},
			settle: true,
			want: []string{
				"web pending: build is running",
				"web success: released" + known,
			},
		},
		"failure": {
			records: []state.Record{record("deploy", state.Running), failed},
			settle:  true,
			want:    []string{"web pending: deploy is running" + known, "web failure: deploy failed: the container exited with status 1" + known},
		},
		"cancelled": {
			records: []state.Record{record("deploy", state.Running), record("deploy", state.Interrupted)},
			want:    []string{"web pending: deploy is running" + known, "web error: deploy was cancelled" + known},
		},
		"without a release": {
			records: []state.Record{record("deploy", state.Running), record("deploy", state.Succeeded)},
			settle:  true,
			want:    []string{"web pending: deploy is running" + known, "web success: deployed" + known},
		},
		"build only": {
			records: []state.Record{record("build", state.Running), record("build", state.Succeeded)},
			settle:  true,
			want:    []string{"web pending: build is running", "web success: built"},
		},
		"stopped between two stages": {
			records: []state.Record{record("push", state.Running), record("push", state.Succeeded)},
			settle:  true, failed: true,
			want: []string{"web pending: push is running", "web error: stopped after push"},
		},
		"cut off": {
			records: []state.Record{record("build", state.Running)},
			settle:  true,
			want:    []string{"web pending: build is running", "web error: build did not end"},
		},
		"two apps": {
			records: []state.Record{record("build", state.Running), other},
			want:    []string{"web pending: build is running", "api pending: build is running"},
		},
		"secret in a message": {
			records: []state.Record{leak},
			want:    []string{"web failure: build failed: login with *** failed"},
		},
		"a failure that was undone": {
			records: []state.Record{record("build", state.Running), failed, record("deploy", state.Running), record("deploy", state.Succeeded), record("release", state.Succeeded)},
			settle:  true,
			want:    []string{"web pending: build is running", "web failure: deploy failed: the container exited with status 1" + known},
		},
		"another app failed": {
			records: []state.Record{record("release", state.Running), record("release", state.Succeeded)},
			settle:  true, failed: true,
			want: []string{"web pending: release is running · web-7ndvpx7ahe · sha256:3f2c1a9b0d1e", "web success: released · web-7ndvpx7ahe · sha256:3f2c1a9b0d1e"},
		},
		"up twice": {
			records: []state.Record{record("release", state.Succeeded), record("build", state.Running), record("build", state.Succeeded)},
			settle:  true,
			want:    []string{"web success: released · web-7ndvpx7ahe · sha256:3f2c1a9b0d1e", "web pending: build is running", "web success: built"},
		},
		"nothing to tell": {records: []state.Record{destroyed, hold}, settle: true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reporter, fake := newReporter(t, "hunter2hunter2")
			for _, r := range c.records {
				if err := reporter.Report(t.Context(), r); err != nil {
					t.Fatal(err)
				}
			}
			if c.settle {
				if err := reporter.Settle(t.Context(), !c.failed); err != nil {
					t.Fatal(err)
				}
			}
			var got []string
			for _, s := range fake.Statuses() {
				app := map[string]string{"deploy-action/web (production)": "web", "deploy-action/api (production)": "api"}[s.Context]
				got = append(got, app+" "+s.State+": "+s.Description)
				if s.SHA != head || s.TargetURL != "https://github.example.test/octo/shop/actions/runs/7/attempts/2" {
					t.Errorf("status is on %q and links to %q, want the head commit and the attempt", s.SHA, s.TargetURL)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("statuses (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMissingPermissionIsSaidOnce(t *testing.T) {
	t.Parallel()
	reporter, fake := newReporter(t)
	fake.Refuse(func(*http.Request) *githubfake.Refusal {
		return &githubfake.Refusal{Status: 403, Body: `{"message":"Resource not accessible by integration"}`}
	})
	err := reporter.Report(t.Context(), record("build", state.Running))
	if refusal, ok := errors.AsType[*github.PermissionError](err); !ok || refusal.Permission != "statuses: write" {
		t.Errorf("first Report() = %v, want a PermissionError for statuses: write", err)
	}
	if err := reporter.Report(t.Context(), record("build", state.Failed)); err != nil {
		t.Errorf("second Report() = %v, want silence", err)
	}
	if reporter.Dropped() != 2 || len(fake.Calls()) != 1 {
		t.Errorf("dropped %d with %d requests, want 2 with 1", reporter.Dropped(), len(fake.Calls()))
	}
}

func TestReportIsRepeatedAfterAnError(t *testing.T) {
	t.Parallel()
	reporter, fake := newReporter(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := reporter.Report(ctx, record("build", state.Running)); !errors.Is(err, context.Canceled) {
		t.Errorf("Report() = %v, want context.Canceled", err)
	}
	if err := reporter.Report(t.Context(), record("push", state.Running)); err != nil {
		t.Fatal(err)
	}
	if got := fake.Statuses(); len(got) != 1 || got[0].Description != "push is running" {
		t.Errorf("statuses = %+v, want one: push is running", got)
	}
}
