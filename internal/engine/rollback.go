package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/deploy-action/deploy-action/internal/state"
)

// Rollback releases an earlier deployment: the one that o names, or else that
// of the release before the current one. A deployment that is gone is made
// again from its recorded artifact; one whose object was updated in place is
// restored. It needs only what it goes back with: an app, or its blocks, may be
// gone from the file, and no source is asked for what is not used. Where nobody
// says which apps, those without an earlier release stay, unless all are.
func (e *Engine) Rollback(ctx context.Context, o Options) ([]Result, error) {
	pipelines, err := e.recalled(ctx, o.Apps)
	if err != nil {
		return nil, err
	}
	some := false
	if len(o.Apps) == 0 && o.Deployment == "" {
		if some, err = e.someCanGoBack(ctx, pipelines); err != nil {
			return nil, err
		}
	}
	return e.each(ctx, pipelines, o, func(ctx context.Context, r *run) error {
		r.stage, r.atOnce = "rollback", true
		if r.lossy() {
			r.lookUp(ctx) // the platform is asked, and its block may refer to values
		}
		if err := r.heal(ctx); err != nil {
			return err
		}
		if _, ok := r.earlier(); !ok && some {
			r.UI.Print("App %q stays as it is: it has no earlier release to go back to.", r.app.Name)
			return nil
		}
		record, err := r.rollbackTarget()
		if err != nil {
			return err
		}
		if err := r.ready(false); err != nil {
			return err
		}
		return r.goBack(ctx, record)
	})
}

// someCanGoBack reports whether one of the apps has an earlier release.
func (e *Engine) someCanGoBack(ctx context.Context, pipelines []*pipeline) (bool, error) {
	for _, p := range pipelines {
		h, err := e.history(ctx, p.app.Name)
		if err != nil {
			return false, err
		}
		r := &run{Engine: e, pipeline: p, history: h}
		if _, ok := r.earlier(); ok {
			return true, nil
		}
	}
	return false, nil
}

// goBack makes a recorded deployment serve again.
func (r *run) goBack(ctx context.Context, record state.Record) error {
	if err := r.bringBack(ctx, record); err != nil {
		return err
	}
	r.stage = stageRelease
	if err := r.equip(ctx, record, false); err != nil {
		return err
	}
	return r.release(ctx)
}

// undo makes what was released before serve again, after a stage failed with
// cause, unless it still does. The failure stays one. There is no time for it
// where ctx has ended.
func (r *run) undo(ctx context.Context, cause error) error {
	if ctx.Err() != nil {
		return cause
	}
	released, ok := r.history.released()
	if !ok {
		r.UI.Print("Nothing is put back: nothing was released before.")
		return cause
	}
	record, ok := r.history.find(stageDeploy, released.Deployment)
	if ok && !r.moved && r.current(record) {
		r.UI.Print("Nothing is put back: users are served by deployment %s as before.", released.Deployment)
		return cause
	}
	stage := r.stage
	r.undoing, r.atOnce = true, true
	err := r.goBack(ctx, record)
	r.stage = stage
	if err != nil {
		r.tell().Next = "mend the cause and run `rollback`"
		return errors.Join(cause, fmt.Errorf("putting deployment %s back: %w", released.Deployment, err))
	}
	r.note("Deployment %s, which was released before, is put back.", released.Deployment)
	return cause
}

// RollbackCandidate is a deployment that [Engine.Rollback] could release.
type RollbackCandidate struct {
	Record   state.Record // of the deploy
	Released bool         // it serves users now
	Exists   bool         // it need not be deployed again
}

// RollbackCandidates returns the deployments of the chosen apps that were
// released before, the latest release of each app first. By default these are
// all apps, also those that are gone from the file.
func (e *Engine) RollbackCandidates(ctx context.Context, o Options) ([]RollbackCandidate, error) {
	names, err := e.recorded(ctx, o.Apps)
	if err != nil {
		return nil, err
	}
	var candidates []RollbackCandidate
	for _, name := range names {
		h, err := e.history(ctx, name)
		if err != nil {
			return nil, err
		}
		for i, record := range h.releasedOnce() {
			candidates = append(candidates, RollbackCandidate{record, i == 0, record.Status == state.Succeeded})
		}
	}
	return candidates, nil
}

// releasedOnce returns the deployments that were ever released, the latest
// release first.
func (h history) releasedOnce() []state.Record {
	var found []state.Record
	seen := map[string]bool{}
	for _, release := range h {
		if release.Operation != stageRelease || release.Status != state.Succeeded || seen[release.Deployment] {
			continue
		}
		seen[release.Deployment] = true
		if record, ok := h.find(stageDeploy, release.Deployment); ok {
			found = append(found, record)
		}
	}
	return found
}

// rollbackTarget returns the deployment that the options name, or else the
// earlier one.
func (r *run) rollbackTarget() (state.Record, error) {
	if ref := r.options.Deployment; ref != "" {
		record, ok := r.history.find(stageDeploy, ref)
		if !ok {
			return record, invalid(fmt.Sprintf("No deployment %q to go back to", ref), fmt.Sprintf(
				"App %q never had a deployment with that sequence or ID in this workspace. `rollback --list` shows the candidates.", r.app.Name))
		}
		if record.Status != state.Succeeded && !r.history.everReleased(record.Deployment) {
			return record, r.neverServed(record)
		}
		return record, nil
	}
	if record, ok := r.earlier(); ok {
		return record, nil
	}
	return state.Record{}, invalid(fmt.Sprintf("App %q has no earlier release to go back to", r.app.Name),
		"Fewer than two deployments were released in this workspace. `rollback --list` shows the candidates.")
}

// earlier returns the deployment that a rollback goes to by default: that of the
// release before, or that of the latest one itself, where users may no longer
// be served by it as it was.
func (r *run) earlier() (state.Record, bool) {
	released := r.history.releasedOnce()
	if len(released) == 0 {
		return state.Record{}, false
	}
	if _, cut := r.history.unsettled(); cut || !r.current(released[0]) {
		return released[0], true
	}
	if len(released) == 1 {
		return state.Record{}, false
	}
	return released[1], true
}

// everReleased reports whether a deployment may have served users, also where
// its release was taken away since.
func (h history) everReleased(deployment string) bool {
	return slices.ContainsFunc(h, func(r state.Record) bool {
		return r.Operation == stageRelease && r.Deployment == deployment && (r.Status == state.Succeeded || r.Status == state.Destroyed)
	})
}

// neverServed refuses a deployment that did not succeed.
func (r *run) neverServed(record state.Record) error {
	remedy := "`rollback --list` shows the candidates."
	if made, ok := r.history.parent(record); ok {
		remedy = fmt.Sprintf("`deploy --artifact %d` deploys its artifact again; `rollback --list` shows what served.", made.Sequence)
	}
	return invalid(fmt.Sprintf("Deployment %d of app %q never served", record.Sequence, r.app.Name),
		"It did not succeed, and was never released, so that there is nothing to go back to. "+remedy)
}

// bringBack makes the recorded deployment the target of a release: as it is
// where it still exists, restored where its object was updated since, and
// deployed again from its artifact where it is gone.
func (r *run) bringBack(ctx context.Context, record state.Record) error {
	standing := record.Status == state.Succeeded && r.current(record)
	if standing {
		found, exists, err := r.held(ctx, record)
		if err != nil {
			return err
		}
		if exists {
			return r.takeDeployment(found)
		}
		where := "on its platform any more"
		if bare(found) {
			where = fmt.Sprintf("known to be on its platform (%s)", r.whyUnknown(found))
		}
		r.UI.Print("Deployment %d of app %q is not %s. It is made again.", record.Sequence, r.app.Name, where)
	}
	if parent, ok := r.history.parent(record); ok && len(parent.Result) > 0 {
		if err := r.takeArtifact(parent); err != nil {
			return err
		}
	}
	r.stage = stageDeploy
	if err := r.equipDeploy(ctx, record); err != nil {
		return err
	}
	if record.Status == state.Succeeded && len(record.Result) > 0 && !standing {
		from, err := r.load(record)
		if err != nil {
			return err
		}
		return r.deployFrom(ctx, &from)
	}
	if r.artifact == nil {
		return gone(r.app.Name, record.Sequence)
	}
	if err := r.settle(ctx, record.Sequence); err != nil {
		return err
	}
	if err := r.ownImage(ctx, record.Deployment); err != nil {
		return err
	}
	return r.deployFrom(ctx, nil)
}

// whyUnknown says why nobody knows whether the deployment of a bare record
// exists.
func (r *run) whyUnknown(record state.Record) string {
	if err := r.silent[record.Plugin]; err != nil {
		return firstLine(err)
	}
	return "its record was lost"
}

// gone explains why a deployment cannot be made again.
func gone(app string, sequence int) error {
	return invalid(fmt.Sprintf("Deployment %d of app %q cannot be made again", sequence, app),
		"It is gone, and its artifact is not recorded. `rollback --list` shows the candidates.")
}

// current reports whether no later deployment updated the record's object.
func (r *run) current(record state.Record) bool {
	_, over := r.overwrittenBy(record)
	return !over
}

// overwrittenBy returns the latest deployment that updated the record's object
// in place.
func (r *run) overwrittenBy(record state.Record) (state.Record, bool) {
	generation := r.generation(record)
	for _, d := range r.history.deployments() {
		if d.Deployment == record.Deployment {
			break
		}
		if generation != "" && r.generation(d) == generation {
			return d, true
		}
	}
	return state.Record{}, false
}
