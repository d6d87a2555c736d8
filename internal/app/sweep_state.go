package app

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/state/claim"
	"github.com/deploy-action/deploy-action/internal/state/runstore"
)

// renewing is a verb that reads the state of an app so that it does not expire.
var renewing = verb{use: "sweep", recalls: true}

// renewStates uploads the states of apps at rest again before they expire: who
// does not deploy for months must not lose what is known of it. That it fails is
// a warning, for the next sweep tries again.
func (w *sweeper) renewStates(ctx context.Context) {
	kind, _, _ := strings.Cut(w.flags.session.state, "=")
	transport, err := w.machine.client()
	if err == nil {
		_, err = w.machine.service(transport, w.secrets)
	}
	if err != nil || kind != "auto" && kind != "artifact" {
		return // state on refs and in folders does not expire
	}
	aging, err := w.aging(ctx)
	if err != nil {
		w.warning(fmt.Sprintf("Whether the state of apps at rest is about to expire is not known: %v.", err))
	}
	for _, k := range aging {
		if ctx.Err() != nil {
			return
		}
		renewed, err := w.renewState(ctx, k)
		switch {
		case err != nil:
			w.warning(fmt.Sprintf("The state of app %q of project %q in workspace %q could not be renewed: %v.", k.App, k.Project, k.Workspace, err))
		case renewed:
			w.ui.Print("The state of app %q of project %q in workspace %q was uploaded again, so that it does not expire.", k.App, k.Project, k.Workspace)
		}
	}
}

// aging returns what there is to renew, as far as it is known where it fails.
func (w *sweeper) aging(ctx context.Context) ([]claim.Key, error) {
	refs, err := w.machine.stateRefs()
	if err != nil {
		return nil, err
	}
	o := runstore.Options{Client: w.client, Run: w.machine.runner.Context(), Project: w.project.Name(), Refs: refs, RefsOf: w.refNames}
	if w.file {
		o.Apps = w.project.Apps()
	}
	return runstore.Aging(ctx, o, []string{"default", w.workspace(w.flags.session)})
}

// renewState reads a state in a session of its own, which renews it at its end.
// The file says whose state of its project is to be believed.
func (w *sweeper) renewState(ctx context.Context, k claim.Key) (renewed bool, err error) {
	inner := &session{machine: w.machine, ui: w.ui, secrets: w.secrets, project: w.projectOf(k.Project)}
	o := w.flags.session
	o.workspace = k.Workspace
	if err = inner.equip(o, renewing); err == nil {
		err = inner.openState(ctx, o, renewing)
	}
	if err == nil {
		_, err = state.Latest(ctx, inner.engine.Store, state.Query{Project: k.Project, App: k.App, Workspace: k.Workspace})
		if errors.Is(err, state.ErrNotFound) {
			err = nil
		}
	}
	err = inner.close(ctx, renewing, err)
	return inner.uploaded != nil && len(inner.uploaded()) > 0, err
}
