package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/state"
)

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
	f.Serving, f.Left = cmp.Or(f.Serving, r.serves()), cmp.Or(f.Left, r.left())
	if ctx.Err() != nil {
		f.Diags = append(hcl.Diagnostics{{
			Severity: hcl.DiagError, Summary: "Interrupted", Detail: fmt.Sprintf("The run was cancelled during %s of app %q.", f.Stage, f.App),
		}}, Unique(diagnose(otherThan(err, context.Cause(ctx))))...)
		f.Left, f.Next = "", "run it again; `up` adopts or removes what this run left"
	}
	return f
}

// otherThan returns what is joined in err without what cause, the end of a
// context, brought about.
func otherThan(err, cause error) error {
	var others []error
	for _, e := range unjoin(err) {
		if _, more := e.(interface{ Unwrap() []error }); more {
			e = otherThan(e, cause)
		}
		if e != nil && !errors.Is(e, cause) && !errors.Is(e, context.Canceled) {
			others = append(others, e)
		}
	}
	return errors.Join(others...)
}

// serves says what serves users now, as far as records tell.
func (r *run) serves() string {
	released, ok := r.history.released()
	cut, unsettled := r.history.unsettled()
	switch {
	case ok && unsettled && cut.Deployment != released.Deployment:
		return fmt.Sprintf("release %d, of deployment %s, or else %s", cut.Sequence, cut.Deployment, r.servedBy(released))
	case ok:
		return r.servedBy(released)
	case unsettled:
		return fmt.Sprintf("perhaps release %d, of deployment %s", cut.Sequence, cut.Deployment)
	case r.knowsHistory:
		return "nothing, for nothing is released in this workspace"
	}
	return ""
}

// servedBy names a release, and where users reach it, and says where it is not
// what it was.
func (r *run) servedBy(released state.Record) string {
	text := fmt.Sprintf("release %d, of deployment %s", released.Sequence, released.Deployment)
	if released.URL != "" {
		text += ", at " + released.URL
	}
	if record, ok := r.history.find(stageDeploy, released.Deployment); ok {
		if over, ok := r.overwrittenBy(record); ok {
			text += fmt.Sprintf(", whose object deployment %d (%s) has changed since", over.Sequence, over.Deployment)
		}
	}
	return text
}

// left says what this run made that exists and has no use: it is not released,
// and nothing that is shares its object.
func (r *run) left() string {
	released, _ := r.history.released()
	cut, _ := r.history.unsettled()
	deployments := r.history.deployments()
	for _, d := range deployments {
		made := slices.ContainsFunc(r.result.Records, func(record state.Record) bool { return record.ID == d.ID })
		if !made || len(d.Result) == 0 || d.Deployment == released.Deployment || d.Deployment == cut.Deployment || r.sharesItsObject(d, deployments) {
			continue
		}
		if d.Status == state.Succeeded {
			return fmt.Sprintf("deployment %d (%s), which is not released; `release` does that, and the next `up` that succeeds removes it",
				d.Sequence, d.Deployment)
		}
		return fmt.Sprintf("deployment %d (%s), for you to look at; `prune`, or the next `up` that succeeds, removes it", d.Sequence, d.Deployment)
	}
	return ""
}

// sharesItsObject reports whether another deployment that succeeded is the same
// object.
func (r *run) sharesItsObject(d state.Record, deployments []state.Record) bool {
	others := slices.DeleteFunc(slices.Clone(deployments), func(other state.Record) bool { return other.Deployment == d.Deployment })
	return r.liveGenerations(others)[r.generation(d)]
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
