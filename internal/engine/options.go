package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/state"
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
	Timeout    time.Duration // ends a deploy, and a release; 0 for what the file says, or else the default
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
	if !o.DespiteHold {
		if err := e.refuseHeld(ctx, pipelines); err != nil {
			return nil, err
		}
	}
	var results []Result
	for _, p := range pipelines {
		if ctx.Err() != nil {
			break
		}
		if failed, ok := failedBefore(p, results); ok {
			e.UI.Print("App %q is skipped: it depends on %q, which failed.", p.app.Name, failed)
			results = append(results, Result{App: p.app.Name, Workspace: p.app.Workspace, Outcome: Skipped})
			continue
		}
		results = append(results, e.one(ctx, p, o, work))
	}
	return results, errors.Join(errorOf(results), context.Cause(ctx))
}

// failedBefore returns the first app that failed and that p depends on.
func failedBefore(p *pipeline, results []Result) (app string, ok bool) {
	for _, r := range results {
		if r.Failure != nil && slices.Contains(p.after, r.App) {
			return r.App, true
		}
	}
	return "", false
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
	if err != nil {
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

// tell returns what will be told of the run's failure, for a stage to say what
// it alone knows.
func (r *run) tell() *Failure {
	if r.result.Failure == nil {
		r.result.Failure = &Failure{}
	}
	return r.result.Failure
}

// failure tells err to people: the cause, what serves users now, what was left
// behind, and the next step.
func (r *run) failure(ctx context.Context, err error) *Failure {
	f := r.tell()
	f.App, f.Stage, f.Err, f.Diags = r.app.Name, r.stage, err, Unique(diagnose(err))
	f.Serving = cmp.Or(f.Serving, r.serves())
	if ctx.Err() != nil {
		f.Diags = hcl.Diagnostics{{
			Severity: hcl.DiagError, Summary: "Interrupted", Detail: fmt.Sprintf("The run was cancelled during %s of app %q.", f.Stage, f.App),
		}}
		f.Left, f.Next = "", "run it again; `up` adopts or removes what this run left"
	}
	return f
}

// serves says what serves users now, as far as records tell.
func (r *run) serves() string {
	released, ok := r.history.released()
	cut, unsettled := r.history.unsettled()
	switch {
	case ok && unsettled:
		return fmt.Sprintf("release %d, of deployment %s, or else %s", cut.Sequence, cut.Deployment, servedBy(released))
	case ok:
		return servedBy(released)
	case unsettled:
		return fmt.Sprintf("perhaps release %d, of deployment %s", cut.Sequence, cut.Deployment)
	case r.knowsHistory:
		return "nothing, for nothing is released in this workspace"
	}
	return ""
}

// servedBy names a release, and where users reach it.
func servedBy(released state.Record) string {
	text := fmt.Sprintf("release %d, of deployment %s", released.Sequence, released.Deployment)
	if released.URL != "" {
		text += ", at " + released.URL
	}
	return text
}

// showFailure prints a failure, its cause first.
func (e *Engine) showFailure(f *Failure) {
	e.UI.Diagnostics(f.Diags)
	if len(f.Logs) > 0 {
		e.UI.Print("Last lines of the workload:")
		for _, line := range f.Logs {
			e.UI.Print("  %s", line.Text)
		}
		e.UI.Print("")
	}
	for _, line := range []struct{ label, text string }{
		{"Serves users now", f.Serving}, {"Left behind", f.Left}, {"Next step", f.Next},
	} {
		if line.text != "" {
			e.UI.Print("%s: %s.", line.label, line.text)
		}
	}
}
