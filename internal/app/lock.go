package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/engine"
	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/state/claim"
	"github.com/deploy-action/deploy-action/internal/state/runstore"
)

// lockFlag is the flag --lock: how long to wait for a lock, or off.
type lockFlag struct {
	wait *time.Duration
	off  *bool
}

// Set reads the flag.
func (l *lockFlag) Set(text string) error {
	if text == "off" {
		*l.off = true
		return nil
	}
	wait, err := time.ParseDuration(text)
	if err != nil || wait <= 0 {
		return fmt.Errorf("it is %q, which is neither off nor a duration such as 30m", text)
	}
	*l.wait = wait
	return nil
}

// String returns nothing: the text of the flag names the default.
func (l *lockFlag) String() string { return "" }

// Type names the value in the usage.
func (l *lockFlag) Type() string { return "time" }

// hasPost reports whether a post step follows that has a token. The runner names
// the repository of an action for those it has fetched, and these have one; an
// image that a step names by itself (`uses: docker://…`) has none. Act runs post
// steps without the defaults of inputs, so that they have no token.
func (m *machine) hasPost() bool {
	return m.getenv("GITHUB_ACTION_REPOSITORY") != "" && m.getenv("ACT") != "true"
}

// release gives locks back, also when ctx has ended.
func (e *ending) release(ctx context.Context, give func(context.Context) error) error {
	limit := settleTime
	if ctx.Err() != nil {
		limit = lastWords
	}
	last, cancel := e.lasting(ctx, limit, briefly)
	defer cancel()
	return give(last)
}

// Lock implements [state.Store].
func (r readable) Lock(ctx context.Context, project, app, workspace string, waiting func(holder string)) (unlock func(context.Context) error, err error) {
	unlock, err = r.Store.Lock(ctx, project, app, workspace, waiting)
	if refused, ok := errors.AsType[*claim.UnlockableError](err); ok {
		return unlock, invalid(fmt.Sprintf("No permission to lock app %q in workspace %q", app, workspace), fmt.Sprintf(
			"%v. %s Nothing was changed. All permissions that a job can need:\n\n%s", err, unlockable(refused), permissionBlock()))
	}
	if refused, ok := errors.AsType[*runstore.UnwritableError](err); ok {
		return unlock, invalid(fmt.Sprintf("No permission to keep the state of app %q in workspace %q", app, workspace), fmt.Sprintf(
			"%v. Records are kept on a git ref of the repository. %s Nothing was changed.", refused.Err, r.grant("contents: write")))
	}
	if refused, ok := errors.AsType[*runstore.UntellableError](err); ok {
		return unlock, invalid(fmt.Sprintf("No permission to note what happens to app %q in workspace %q", app, workspace), fmt.Sprintf(
			"%v. Add `deployments: write` or, better, `contents: write` to the permissions block of the job. The input `lock: off` alone does without a lock, "+
				"but not without the note that a deploy leaves before it begins: where nothing else can deploy at the same time, set the input `deployments: false` as well. "+
				"Nothing was changed. All permissions that a job can need:\n\n%s", refused, permissionBlock()))
	}
	if problem := tokenProblem(err); problem != nil {
		err = &engine.InvalidError{Diags: diag.Locate(problem, nil, hcl.Range{})}
	}
	return unlock, err
}

// unlockable says how a job gets a lock, and how it does without.
func unlockable(refused *claim.UnlockableError) string {
	if _, ok := errors.AsType[*github.PermissionError](refused.Deployments); !ok { // turned off
		return "Add `contents: write` to the permissions block of the job. Where nothing else can deploy at the same time, set the input `lock: off`."
	}
	return "Add `deployments: write` or, better, `contents: write` to the permissions block of the job. " +
		"Where nothing else can deploy at the same time, set the inputs `lock: off` and `deployments: false`."
}

// grant says how the token gets a permission.
func (r readable) grant(permission string) string {
	if r.terminal {
		return fmt.Sprintf("Set GITHUB_TOKEN or GH_TOKEN to a token that has `%s` for this repository.", permission)
	}
	return fmt.Sprintf("Add `%s` to the permissions block of the job.", permission)
}

// warnOfState tells what the store wants users to know.
func (s *session) warnOfState(text string) {
	s.ui.Diagnostics(hcl.Diagnostics{{Severity: hcl.DiagWarning, Summary: "About the state", Detail: text}})
}
