package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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
	Timeout    time.Duration // ends a deploy; 0 for the default
	LockWait   time.Duration // how long to wait for the app's lock; 0 for the default
}

// The defaults of the options.
const (
	defaultTimeout  = time.Hour
	defaultLockWait = 15 * time.Minute
	defaultRetain   = 1
)

// errTimeout is the cause of a context that ran into Options.Timeout.
var errTimeout = errors.New("the timeout passed")

func (o Options) retain() int {
	if o.Retain < 0 {
		return defaultRetain
	}
	return o.Retain
}

// timeout is how long one deploy may take.
func (o Options) timeout() time.Duration { return cmp.Or(o.Timeout, defaultTimeout) }

// withTimeout bounds one deploy.
func (o Options) withTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, o.timeout(), errTimeout)
}

// each runs work on every pipeline in turn, under the app's lock, and goes on
// after a failure of one app. It stops when ctx ends.
func (e *Engine) each(ctx context.Context, pipelines []*pipeline, o Options, work func(context.Context, *run) error) ([]Result, error) {
	var results []Result
	for _, p := range pipelines {
		if ctx.Err() != nil {
			break
		}
		results = append(results, e.one(ctx, p, o, work))
	}
	return results, errors.Join(errorOf(results), context.Cause(ctx))
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

// failure tells err to people: the cause, what serves users now, what was left
// behind, and the next step.
func (r *run) failure(ctx context.Context, err error) *Failure {
	f := r.result.Failure // what the failing stage knows already
	if f == nil {
		f = &Failure{}
	}
	f.App, f.Stage, f.Err, f.Diags = r.app.Name, r.stage, err, Unique(diagnose(err))
	if released, ok := r.history.released(); ok {
		f.Serving = fmt.Sprintf("release %d, of deployment %s", released.Sequence, released.Deployment)
		if released.URL != "" {
			f.Serving += ", at " + released.URL
		}
		if cut, ok := r.history.unsettled(); ok {
			f.Serving = fmt.Sprintf("release %d, of deployment %s, or else %s", cut.Sequence, cut.Deployment, f.Serving)
		}
	} else if cut, ok := r.history.unsettled(); ok {
		f.Serving = fmt.Sprintf("perhaps release %d, of deployment %s", cut.Sequence, cut.Deployment)
	} else if r.knowsHistory {
		f.Serving = "nothing, for nothing is released in this workspace"
	}
	if ctx.Err() != nil {
		f.Diags = hcl.Diagnostics{{
			Severity: hcl.DiagError, Summary: "Interrupted", Detail: fmt.Sprintf("The run was cancelled during %s of app %q.", f.Stage, f.App),
		}}
		f.Left, f.Next = "", "run it again; `up` adopts or removes what this run left"
	}
	return f
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
