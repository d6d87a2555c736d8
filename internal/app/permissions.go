package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/report"
	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/ui"
)

// permission is one line of the permissions of a job.
type permission struct {
	scope, level string
	purpose      string
	without      string // how to do without it on purpose; or ""
}

func (p permission) line() string { return p.scope + ": " + p.level }

// identityPermission is for jobs that sign in somewhere.
var identityPermission = permission{"id-token", "write", "sign in to clouds and to Vault as this job", ""}

// permissions are what the token of a job needs. GitHub does not tell which of
// them a token has: what is asked before a platform is touched shows it.
var permissions = []permission{
	{"actions", "read", "find the state that earlier runs left", ""},
	{"contents", "write", "keep two runs from deploying the same app at once", "To do without a lock, set the input `lock: off`; where the job has no `deployments: write` either, also `deployments: false`."},
	{"deployments", "write", "note what is about to be made, and show what serves", "To do without it, set the input `deployments: false`; where the job has no `contents: write` either, also `lock: off`."},
	{"statuses", "write", "show on the commit how it went", "To do without it, set the input `statuses: false`."},
	{"pull-requests", "write", "comment on pull requests", "To do without it, set the input `comment: false`."},
}

// tokenProblem explains that GitHub refused the token, with the lines to add to
// the workflow, or that a GitHub App gets none. It is nil where err says nothing
// of the kind.
func tokenProblem(err error) *diag.Problem {
	if signIn, ok := errors.AsType[*github.SignInError](err); ok {
		return &diag.Problem{
			Summary: "The GitHub App cannot sign in", Err: signIn,
			Detail: "Check the inputs `github-app-id` and `github-app-private-key`, and that the App is installed in this repository.",
		}
	}
	refusal, ok := errors.AsType[*github.PermissionError](err)
	switch {
	case !ok:
		return nil
	case refusal.Status == http.StatusUnauthorized:
		return &diag.Problem{
			Summary: "GitHub does not accept the token", Err: err,
			Detail: "It has expired, was revoked, or belongs to another server. Leave the input `github-token` out to use the job's own, or give one that is good.",
		}
	case refusal.Permission == "":
		return &diag.Problem{Summary: "GitHub refused", Detail: "No permission of the job would help.", Err: err}
	}
	line, purpose, without := refusal.Permission, "work with this repository", ""
	scope, _, _ := strings.Cut(refusal.Permission, ":")
	for _, p := range permissions {
		if p.scope == scope {
			line, purpose, without = p.line(), p.purpose, p.without
		}
	}
	paragraphs := []string{
		fmt.Sprintf("The job needs it to %s. Add `%s` to its `permissions`. That block takes away what it does not name, so it says all of this, and what other steps need:",
			purpose, line),
		permissionBlock(),
		strings.TrimSpace(without + " A GitHub App has its permissions in its own settings."),
	}
	return &diag.Problem{
		Summary: fmt.Sprintf("The token lacks the permission `%s`", refusal.Permission), Detail: strings.Join(paragraphs, "\n\n"), Err: err,
	}
}

// permissionBlock is what a workflow says to allow everything, and more. Its indentation
// makes a page show it as code.
func permissionBlock(more ...permission) string {
	var b strings.Builder
	b.WriteString("    permissions:")
	for _, p := range slices.Concat(permissions, more) {
		fmt.Fprintf(&b, "\n      %-22s# %s", p.line(), p.purpose)
	}
	return b.String()
}

// explained is a reporter that says itself what the token may not tell.
type explained struct {
	*report.Reporter
	ui *ui.UI
}

// Report implements [engine.Reporter].
func (e explained) Report(ctx context.Context, r state.Record) error {
	err := e.Reporter.Report(ctx, r)
	problem := tokenProblem(err)
	if problem == nil {
		return err
	}
	warnings := diag.Locate(problem, nil, hcl.Range{})
	for _, w := range warnings {
		w.Severity = hcl.DiagWarning
	}
	e.ui.Diagnostics(warnings)
	return nil
}
