package engine

import (
	"context"
	"fmt"

	"github.com/deploy-action/deploy-action/internal/config"
	"github.com/deploy-action/deploy-action/internal/state"
)

// Rollback releases an earlier deployment: the one that o names, or else that
// of the release before the current one. A deployment that is gone is made
// again from its recorded artifact; one whose object was updated in place is
// restored.
func (e *Engine) Rollback(ctx context.Context, o Options) ([]Result, error) {
	names, err := e.names(o.Apps)
	if err != nil {
		return nil, err
	}
	pipelines, err := e.resolved(ctx, names, stageDeploy, stageRelease, config.Settings)
	if err != nil {
		return nil, err
	}
	return e.each(ctx, pipelines, o, func(ctx context.Context, r *run) error {
		r.stage = "rollback"
		record, err := r.rollbackTarget()
		if err != nil {
			return err
		}
		if err := r.bringBack(ctx, record); err != nil {
			return err
		}
		r.stage = stageRelease
		return r.release(ctx)
	})
}

// RollbackCandidate is a deployment that [Engine.Rollback] could release.
type RollbackCandidate struct {
	Record   state.Record // of the deploy
	Released bool         // it serves users now
	Exists   bool         // it need not be deployed again
}

// RollbackCandidates returns the deployments of an app that were released
// before, newest first.
func (e *Engine) RollbackCandidates(ctx context.Context, app string) ([]RollbackCandidate, error) {
	h, err := e.history(ctx, app)
	if err != nil {
		return nil, err
	}
	var candidates []RollbackCandidate
	for i, record := range h.releasedOnce() {
		exists := record.Status == state.Succeeded
		candidates = append(candidates, RollbackCandidate{record, i == 0, exists})
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

func (r *run) rollbackTarget() (state.Record, error) {
	if ref := r.options.Deployment; ref != "" {
		record, ok := r.history.find(stageDeploy, ref)
		if !ok {
			return record, invalid(fmt.Sprintf("No deployment %q to go back to", ref), fmt.Sprintf(
				"App %q never had a deployment with that sequence or ID in this workspace. `rollback --list` shows the candidates.", r.app.Name))
		}
		return record, nil
	}
	released := r.history.releasedOnce()
	if _, cut := r.history.unsettled(); cut && len(released) > 0 {
		return released[0], nil // the last that went well
	}
	if len(released) > 1 {
		return released[1], nil
	}
	return state.Record{}, invalid(fmt.Sprintf("App %q has no earlier release to go back to", r.app.Name),
		"Fewer than two deployments were released in this workspace. `rollback --list` shows the candidates.")
}

// bringBack makes the recorded deployment the target of a release: as it is
// where it still exists, restored where its object was updated since, and
// deployed again from its artifact where it is gone.
func (r *run) bringBack(ctx context.Context, record state.Record) error {
	exists := record.Status == state.Succeeded && r.current(record)
	if exists {
		return r.takeDeployment(record)
	}
	if parent, ok := r.history.parent(record); ok && len(parent.Result) > 0 {
		if err := r.takeArtifact(parent); err != nil {
			return err
		}
	}
	r.stage = stageDeploy
	if record.Status == state.Succeeded {
		from, err := r.load(record)
		if err != nil {
			return err
		}
		return r.deployFrom(ctx, &from)
	}
	if r.artifact == nil {
		return gone(r.app.Name, record.Sequence)
	}
	return r.deploy(ctx)
}

// gone explains why a deployment cannot be made again.
func gone(app string, sequence int) error {
	return invalid(fmt.Sprintf("Deployment %d of app %q cannot be made again", sequence, app),
		"It is gone, and its artifact is not recorded. `rollback --list` shows the candidates.")
}

// current reports whether no later deployment updated the record's object.
func (r *run) current(record state.Record) bool {
	generation := r.generation(record)
	for _, d := range r.history.deployments() {
		if d.Deployment == record.Deployment {
			return true
		}
		if generation != "" && r.generation(d) == generation {
			return false
		}
	}
	return true
}
