package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2"
)

// Options are a verb's arguments. Zero values are the defaults; each verb
// reads those that its flags set.
type Options struct {
	Apps       []string      // the chosen ones; all when empty
	Deployment string        // a deployment: sequence or ID
	Artifact   string        // a pushed artifact: sequence or ID
	From       string        // the workspace to take the artifact from
	NoPush     bool          // build only
	NoRelease  bool          // leave traffic where it is
	NoPrune    bool          // keep every old deployment
	Retain     int           // old deployments to keep beside the released one; negative for the default
	Timeout    time.Duration // ends a deploy, a release, and each hook around them; 0 for what the file says, or else the default
	LockWait   time.Duration // how long to wait for the app's lock; 0 for the default

	DespiteHold bool // go on where a person holds the app
}

// The defaults of the options.
const (
	defaultLockWait = 15 * time.Minute
	defaultRetain   = 1
)

func (o Options) retain() int {
	if o.Retain < 0 {
		return defaultRetain
	}
	return o.Retain
}

// each runs work on every pipeline in turn, under the app's lock, and goes on
// after a failure of one app, but for those that depend on it. It stops when
// ctx ends. Where an app is held it touches none of them.
func (e *Engine) each(ctx context.Context, pipelines []*pipeline, o Options, work func(context.Context, *run) error) ([]Result, error) {
	if !o.DespiteHold && len(pipelines) > 1 { // one alone is asked about under its lock
		if err := e.refuseHeld(ctx, pipelines); err != nil {
			return nil, err
		}
	}
	var results []Result
	for _, p := range pipelines {
		if ctx.Err() != nil {
			break
		}
		if reason := reasonToSkip(p, results); reason != "" {
			e.UI.Print("App %q is skipped: %s.", p.app.Name, reason)
			results = append(results, Result{App: p.app.Name, Workspace: p.app.Workspace, Outcome: Skipped})
			continue
		}
		results = append(results, e.one(ctx, p, o, work))
	}
	return results, errors.Join(errorOf(results), context.Cause(ctx))
}

// reasonToSkip says which app failed that p depends on, or that, where apps are
// taken away, depends on p; "" where there is none.
func reasonToSkip(p *pipeline, results []Result) string {
	for _, r := range results {
		switch {
		case r.Failure == nil:
		case slices.Contains(p.after, r.App):
			return fmt.Sprintf("it depends on %q, which failed", r.App)
		case slices.Contains(p.neededBy, r.App):
			return fmt.Sprintf("%q, which failed, depends on it", r.App)
		}
	}
	return ""
}

func (e *Engine) one(ctx context.Context, p *pipeline, o Options, work func(context.Context, *run) error) Result {
	r := &run{Engine: e, pipeline: p, options: o, scope: e.Scope, result: Result{
		App: p.app.Name, Workspace: p.app.Workspace, Outcome: Unchanged,
	}}
	err := e.locked(ctx, p.app.Name, o, func(ctx context.Context) (err error) {
		if r.history, err = e.history(ctx, p.app.Name); err != nil {
			return err
		}
		r.knowsHistory = true
		if held := r.history.holds(); len(held) > 0 && !o.DespiteHold {
			return &InvalidError{hcl.Diagnostics{heldProblem(held[0])}}
		}
		return work(ctx, r)
	})
	if err = r.stepAside(err); err != nil {
		r.result.Failure = r.failure(ctx, err)
		e.showFailure(r.result.Failure)
	}
	return r.result
}

// locked runs fn as the only writer of the app in this workspace.
func (e *Engine) locked(ctx context.Context, app string, o Options, fn func(context.Context) error) error {
	limit := o.LockWait
	if limit == 0 {
		limit = defaultLockWait
	}
	waiting, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the lock was not free within %v", limit))
	unlock, err := e.Store.Lock(waiting, e.Project.Name(), app, e.Workspace, func(holder string) {
		e.UI.Print("Waiting for %s to finish with app %q in workspace %q.", holder, app, e.Workspace)
	})
	cancel()
	if err != nil {
		return fmt.Errorf("taking the lock of app %q in workspace %q: %w", app, e.Workspace, err)
	}
	defer func() {
		saving, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
		defer cancel()
		if err := unlock(saving); err != nil {
			e.UI.Diagnostics(hcl.Diagnostics{{Severity: hcl.DiagWarning, Summary: "The lock could not be given back", Detail: err.Error()}})
		}
	}()
	return fn(ctx)
}
