package engine

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/state"
)

// Outcome says in one word what a verb did to an app.
type Outcome string

// The outcomes, as the action's output of that name.
const (
	Changed   Outcome = "changed"
	Unchanged Outcome = "unchanged"
	Outdated  Outcome = "outdated" // a newer run was faster
	Skipped   Outcome = "skipped"
)

// Result is what a verb did to one app.
type Result struct {
	App        string
	Workspace  string
	Outcome    Outcome
	Outdated   string // which run was faster; "" where none was
	URL        string // where users reach the app; "" when nowhere
	Image      string // with digest; "" when there is none
	Digest     string
	Deployment string // its ID
	Sequence   int    // of the deployment
	Plan       component.Plan
	Records    []state.Record // that this run wrote, in order, each as it ended
	Shares     []Share        // of the traffic, that a release in steps gave before all of it
	Notes      []string       // what happened besides, in order: a hook that failed and may, a share of the traffic
	Failure    *Failure       // nil when all went well
}

// Share is a part of the traffic that a deployment had for a while.
type Share struct {
	Percent        int
	Started, Ended time.Time
}

// InvalidError says that the configuration or the call is wrong and that
// nothing was touched. Its diagnostics say where and what to do.
type InvalidError struct{ Diags hcl.Diagnostics }

// Error implements error.
func (e *InvalidError) Error() string { return e.Diags.Error() }

// Unwrap returns the diagnostics.
func (e *InvalidError) Unwrap() error { return e.Diags }

// Failure is an operation that went wrong, told so that its reader knows what
// happened and what to do next.
type Failure struct {
	App     string
	Stage   string
	Diags   hcl.Diagnostics     // the cause first
	Err     error               // the cause, for errors.Is
	Serving string              // what serves users now; "" when unknown
	Left    string              // what was left behind; "" when nothing
	Next    string              // the next step; "" when the cause says it
	Logs    []component.LogLine // the last lines of the failing workload
}

// Error implements error. It names no file, for it is read far from it: in
// outputs and in JSON.
func (f *Failure) Error() string {
	causes := make([]string, len(f.Diags))
	for i, d := range f.Diags {
		causes[i] = strings.TrimSuffix(d.Summary+": "+d.Detail, ": ")
	}
	return fmt.Sprintf("%s of %s: %s", f.Stage, f.App, strings.Join(causes, "; "))
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// errorOf joins the failures of several apps; nil where all went well.
func errorOf(results []Result) error {
	var errs []error
	for _, r := range results {
		if r.Failure != nil {
			errs = append(errs, r.Failure)
		}
	}
	return errors.Join(errs...)
}

// invalid makes an [InvalidError] that points at no file.
func invalid(summary, detail string) error {
	return &InvalidError{hcl.Diagnostics{{Severity: hcl.DiagError, Summary: summary, Detail: detail}}}
}
