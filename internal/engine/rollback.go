package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/deploy-action/deploy-action/internal/component"
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
	pipelines, err := e.prepare(names, stageDeploy, stageRelease)
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
	if released := r.history.releasedOnce(); len(released) > 1 {
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
	if parent, ok := r.history.parent(record); ok {
		if err := r.takeArtifact(parent); err != nil {
			return err
		}
	}
	r.stage = stageDeploy
	if record.Status == state.Succeeded {
		err := r.restore(ctx, record)
		if !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	if r.artifact == nil {
		return invalid(fmt.Sprintf("Deployment %d of app %q cannot be made again", record.Sequence, r.app.Name),
			"It was destroyed, and its artifact is not recorded. `rollback --list` shows the candidates.")
	}
	return r.deploy(ctx)
}

// current reports whether no later deployment updated the record's object.
func (r *run) current(record state.Record) bool {
	generation := r.generation(record)
	for _, d := range r.history.deployments() {
		if d.Deployment == record.Deployment {
			return true
		}
		if generation != "" && d.Status == state.Succeeded && r.generation(d) == generation {
			return false
		}
	}
	return true
}

// restore puts the content of a superseded deployment back in place, as a
// deployment of its own. It returns errors.ErrUnsupported, and leaves no
// record, where the platform cannot.
func (r *run) restore(ctx context.Context, record state.Record) error {
	from, err := r.load(record)
	if err != nil {
		return err
	}
	op := r.begin(stageDeploy, r.app.Deploy)
	op.record.Parent, op.record.Digest = record.Parent, record.Digest
	op.record.Deployment = newDeploymentID(r.app.Name)
	op.record.Message = "restores " + record.Deployment
	if op.record.Config, err = r.app.Deploy.Record(r.scope, r.platform.Config()); err != nil {
		return op.locate(err)
	}
	return r.perform(ctx, op, func(ctx context.Context, op *operation) error {
		platform, done, err := open(op, r.platform, r.app.Deploy.Decode(r.scope))
		if err != nil {
			return err
		}
		defer done()
		restored, err := platform.Restore(ctx, component.RestoreRequest[component.Deployment]{
			DeployInput: r.input(op, nil), From: from,
		})
		if kept := op.deployed(restored); kept != nil {
			return errors.Join(op.locate(err), kept)
		}
		if errors.Is(err, errors.ErrUnsupported) {
			return err
		}
		return op.locate(err)
	})
}
