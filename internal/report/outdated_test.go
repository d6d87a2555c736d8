package report_test

import (
	"testing"

	"github.com/deploy-action/deploy-action/internal/report"
	"github.com/deploy-action/deploy-action/internal/state"
)

// An outdated run is no failure, and its commit's status names no deployment:
// whoever rebuilds a state from statuses would take it for released.
func TestOutdated(t *testing.T) {
	t.Parallel()
	const text = "outdated: run 812 released 3f2c1a9 4 minutes ago; to go back use rollback"
	cases := map[string][]state.Record{
		"before anything was done":    nil,
		"after a deploy":              {record("deploy", state.Running), record("deploy", state.Succeeded)},
		"in a release that had begun": {record("deploy", state.Succeeded), record("release", state.Running)},
	}
	for name, records := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reporter, fake := newReporter(t)
			for _, r := range records {
				if err := reporter.Report(t.Context(), r); err != nil {
					t.Fatal(err)
				}
			}
			reporter.Outdated("", "web", "production", text)
			if err := reporter.Settle(t.Context(), true); err != nil {
				t.Fatal(err)
			}
			statuses := fake.Statuses()
			last := statuses[len(statuses)-1]
			if last.Context != "deploy-action/web (production)" || last.State != "success" || last.Description != text {
				t.Errorf("the last status is %s: %s: %q", last.Context, last.State, last.Description)
			}
			if _, _, _, ok := report.ParseStatus(last.Description); ok {
				t.Errorf("%q names a deployment", last.Description)
			}
		})
	}
}

// An app that failed is not called outdated.
func TestFailedAndOutdated(t *testing.T) {
	t.Parallel()
	reporter, fake := newReporter(t)
	if err := reporter.Report(t.Context(), record("deploy", state.Failed)); err != nil {
		t.Fatal(err)
	}
	reporter.Outdated("", "web", "production", "outdated: run 812 released 3f2c")
	if err := reporter.Settle(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if statuses := fake.Statuses(); len(statuses) != 1 || statuses[0].State != "failure" {
		t.Errorf("statuses = %+v, want the failure alone", statuses)
	}
}
