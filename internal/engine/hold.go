package engine

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/state"
)

// operationHold is the operation of a hold's record, which has succeeded while
// the hold lasts and is destroyed when it is lifted.
const operationHold = "hold"

// Hold stops every verb that changes a platform for the chosen apps in this
// workspace, until [Engine.Unhold]. The run's origin says who holds it and why;
// without a reason it is refused. A hold takes the place of an earlier one.
//
// It waits for a verb that is at work on an app: a hold stops the next one.
func (e *Engine) Hold(ctx context.Context, o Options) ([]Result, error) {
	if strings.TrimSpace(e.Origin.Reason) == "" {
		return nil, invalid("A hold needs a reason",
			`Whoever is stopped by it will want to know why. Say so with --reason, or with the input "reason", as in --reason "database migration".`)
	}
	return e.holding(ctx, o, func(ctx context.Context, r *run) error {
		earlier := r.history.holds()
		hold := state.Record{
			Schema: state.Schema, ID: state.NewID(r.Now()), Operation: operationHold, Status: state.Succeeded,
			Project: r.app.Project, App: r.app.Name, Workspace: r.app.Workspace,
			Sequence: r.history.next(operationHold), Origin: r.Origin, Started: r.Now().UTC(),
		}
		if err := r.putHold(ctx, hold); err != nil {
			return err
		}
		// The new hold comes first, so that there is no moment without one.
		if err := r.lift(ctx, earlier, "replaced"); err != nil {
			return err
		}
		r.UI.Print("App %q is held in workspace %q: %s.", r.app.Name, r.Workspace, e.Origin.Reason)
		return nil
	})
}

// Unhold lifts the holds of the chosen apps in this workspace. Where there is
// none it changes nothing.
func (e *Engine) Unhold(ctx context.Context, o Options) ([]Result, error) {
	return e.holding(ctx, o, func(ctx context.Context, r *run) error {
		held := r.history.holds()
		if len(held) == 0 {
			return nil
		}
		if err := r.lift(ctx, held, "lifted"); err != nil {
			return err
		}
		r.UI.Print("App %q is no longer held in workspace %q. It was %s.", r.app.Name, r.Workspace, told(held[0]))
		return nil
	})
}

// holding runs work on the apps of the file and of the state, which may be held
// already.
func (e *Engine) holding(ctx context.Context, o Options, work func(context.Context, *run) error) ([]Result, error) {
	names, err := e.recorded(ctx, o.Apps)
	if err != nil {
		return nil, err
	}
	o.DespiteHold = true
	return e.each(ctx, e.recall(names), o, func(ctx context.Context, r *run) error {
		r.stage = operationHold
		return work(ctx, r)
	})
}

// lift ends holds and keeps who did it and how in their messages.
func (r *run) lift(ctx context.Context, holds []state.Record, how string) error {
	for _, hold := range holds {
		hold.Status, hold.Ended = state.Destroyed, r.Now().UTC()
		hold.Message = fmt.Sprintf("%s by %s", how, actor(r.Origin))
		if r.Origin.Reason != "" {
			hold.Message += ": " + r.Origin.Reason
		}
		if err := r.putHold(ctx, hold); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) putHold(ctx context.Context, hold state.Record) error {
	r.history = r.history.put(hold)
	r.result.Outcome = Changed
	if err := r.Store.Put(ctx, hold); err != nil {
		return fmt.Errorf("saving the hold of app %q: %w", hold.App, err)
	}
	return nil
}

// holds returns the holds that last, newest first: one, or more where they were
// made at the same time without a lock.
func (h history) holds() []state.Record {
	var found []state.Record
	for _, r := range h {
		if r.Operation == operationHold && r.Status == state.Succeeded {
			found = append(found, r)
		}
	}
	return found
}

// refuseHeld returns a problem for each app that is held, or nil. It is asked
// before the first app is touched, and again under each app's lock.
func (e *Engine) refuseHeld(ctx context.Context, pipelines []*pipeline) error {
	var diags hcl.Diagnostics
	for _, p := range pipelines {
		h, err := e.history(ctx, p.app.Name)
		if err != nil {
			return err
		}
		if held := h.holds(); len(held) > 0 {
			diags = append(diags, heldProblem(held[0]))
		}
	}
	if len(diags) > 0 {
		return &InvalidError{diags}
	}
	return nil
}

func heldProblem(hold state.Record) *hcl.Diagnostic {
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  fmt.Sprintf("App %q is held in workspace %q", hold.App, hold.Workspace),
		Detail: fmt.Sprintf("It is %s. Nothing that runs is changed while the hold lasts. When it is over, lift it with `unhold --app %s --workspace %s`.",
			told(hold), hold.App, hold.Workspace),
	}
}

// noteHold tells those who only look that the next change will be refused.
func (r *run) noteHold() {
	if held := r.history.holds(); len(held) > 0 {
		r.UI.Print("App %q is held in workspace %q: it is %s. Changes are refused until `unhold`.", r.app.Name, r.Workspace, told(held[0]))
	}
}

// told says who holds an app, since when, and why.
func told(hold state.Record) string {
	return fmt.Sprintf("held by %s since %s: %s", actor(hold.Origin), hold.Started.UTC().Format("2006-01-02 15:04 MST"), hold.Origin.Reason)
}

func actor(o state.Origin) string {
	return cmp.Or(o.TriggeringActor, o.Actor, "somebody")
}
