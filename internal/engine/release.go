package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/config"
	"github.com/deploy-action/deploy-action/internal/state"
)

// release gives the target the traffic. Where that fails and the block says so,
// what served before is put back.
func (r *run) release(ctx context.Context) error {
	r.moved, r.givenBack = false, false
	err := r.upToDate(ctx, stageRelease)
	if err == nil {
		err = r.releaseTarget(ctx)
	}
	if err == nil || isOutdated(err) || r.givenBack || r.undoing || !conduct(r.app.Release).Rollback {
		return err
	}
	return r.undo(ctx, err)
}

// releaseTarget is one release. Where the app has no releaser, the record alone
// says what is released.
func (r *run) releaseTarget(ctx context.Context) error {
	op := r.begin(stageRelease, r.app.Release)
	op.record.Parent, op.record.Deployment = r.targetRecord, r.target.ID
	op.record.Digest = digestOf(r.artifact)
	if r.releaser == nil {
		op.plugin = r.plugins[stageDeploy]
		op.record.Plugin = op.plugin.Name
	}
	op.deadline = r.deadline(conduct(r.app.Release))
	return r.perform(ctx, op, func(ctx context.Context, op *operation) error {
		if err := op.stillUpToDate(ctx); err != nil {
			return err
		}
		r.result.Outcome = Changed
		if r.releaser == nil {
			// The platform may not tell any more what the block of that time gave.
			op.record.URL = cmp.Or(deploymentURL(r.target.Deployment), r.targetURL)
			r.serve(op.record.URL, r.target)
			return nil
		}
		stage, decode := r.releaserConfig(r.scope)
		op.stage = stage // where problems point; hooks stay those of the release block
		raw, err := stage.Record(r.scope, r.releaser.Config())
		if err != nil {
			return op.locate(err)
		}
		op.record.Config = raw
		releaser, done, err := open(op, r.releaser, decode)
		if err != nil {
			return err
		}
		defer done()
		released, err := r.move(ctx, op, releaser)
		err = op.locate(err)
		if released != nil {
			op.record.URL = released.URL()
			err = errors.Join(err, op.keep(released))
		}
		if err == nil {
			r.serve(op.record.URL, r.target)
		}
		return err
	})
}

// move moves traffic to the target: all at once, or in steps. What it returns
// beside an error is a release that may have traffic.
func (r *run) move(ctx context.Context, op *operation, releaser component.AnyReleaser) (component.Release, error) {
	steps, done, err := r.canary(ctx, op, releaser)
	if err != nil {
		return nil, err
	}
	defer done()
	limited, cancel := op.deadline.start(ctx)
	defer cancel()
	if steps == nil {
		r.moved = true
		released, err := releaser.Release(limited, component.ReleaseRequest[component.Deployment]{Target: r.target, Percent: 100})
		return released, op.deadline.explain(limited, stageRelease, err)
	}
	released, err := steps.run(limited)
	if err != nil {
		return steps.giveBack(ctx, released, op.deadline.explain(limited, stageRelease, err))
	}
	return released, nil
}

// releaserConfig returns the block that configures the releaser: its own, the
// platform's for a default one, or that of a record.
func (p *pipeline) releaserConfig(scope config.Scope) (*config.Stage, component.Decode) {
	switch {
	case p.fromRecord != nil:
		return p.fromRecord, p.fromRecord.Decode(scope)
	case p.shared:
		return p.app.Deploy, p.app.Deploy.DecodeShared(scope)
	}
	return p.app.Release, p.app.Release.Decode(scope)
}

// serve puts what users are served by, and where, into the result.
func (r *run) serve(url string, by component.Target[component.Deployment]) {
	r.result.URL = cmp.Or(url, deploymentURL(by.Deployment))
	r.result.Deployment, r.result.Sequence = by.ID, by.Sequence
}

func deploymentURL(d component.Deployment) string {
	if d == nil {
		return ""
	}
	return d.URL()
}

// chooseArtifact takes the artifact that the options name, or else the newest
// pushed one of the workspace.
func (r *run) chooseArtifact(ctx context.Context) error {
	if r.options.From != "" && r.options.From != r.Workspace {
		return r.promote(ctx)
	}
	record, err := r.pushed(r.history, r.Workspace)
	if err != nil {
		return err
	}
	return r.takeArtifact(record)
}

// promote takes an artifact of another workspace. The record that it makes here
// keeps this workspace complete: a rollback needs no other.
func (r *run) promote(ctx context.Context) error {
	there, err := r.historyIn(ctx, r.options.From, r.app.Name)
	if err != nil {
		return err
	}
	record, err := r.pushed(there, r.options.From)
	if err != nil {
		return err
	}
	op := r.begin(stagePush, nil)
	op.record.Parent, op.record.Plugin = record.ID, record.Plugin
	op.record.Message = "promoted from workspace " + r.options.From
	op.record.Origin.Commit = record.Origin.Commit // what is promoted was made from that
	return recorded(func(_ context.Context, op *operation) error {
		if err := r.takeArtifact(record); err != nil {
			return err
		}
		return op.makes(r.artifact)
	})(ctx, op)
}

// judgeArtifact judges once more, by the commit that the artifact was made from:
// that of the run may be another. Who names an artifact knows what it is.
func (r *run) judgeArtifact(ctx context.Context) error {
	made, _ := r.history.find(stagePush, r.artifactRecord)
	if commit := made.Origin.Commit; r.options.Artifact == "" && commit != "" && commit != r.lookout.commit {
		r.lookout.commit, r.lookout.known = commit, map[string]Ancestry{}
		return r.judge(ctx, stageDeploy)
	}
	return nil
}

// pushed returns the pushed artifact that the options name, or else the newest.
func (r *run) pushed(from history, workspace string) (state.Record, error) {
	if ref := r.options.Artifact; ref != "" {
		record, ok := from.find(stagePush, ref)
		if !ok {
			return record, invalid(fmt.Sprintf("No artifact %q", ref), fmt.Sprintf(
				"Nothing with that sequence or ID was pushed for app %q in workspace %q.", r.app.Name, workspace))
		}
		return record, nil
	}
	record, ok := from.latest(stagePush, state.Succeeded)
	if !ok {
		return record, invalid(fmt.Sprintf("App %q has no artifact to deploy", r.app.Name),
			fmt.Sprintf("Nothing was pushed in workspace %q yet. Run `build` there first, or `up`, which does both.", workspace))
	}
	return record, nil
}

// takeArtifact continues from a recorded artifact.
func (r *run) takeArtifact(record state.Record) error {
	if record.Status != state.Succeeded || len(record.Result) == 0 {
		return invalid(fmt.Sprintf("Artifact %d of app %q is not available", record.Sequence, r.app.Name),
			"It was built in an earlier job and never pushed to a registry, so it went with that job. Add a `registry` block, or run `up`.")
	}
	recorded, err := artifact.Decode(record.Result)
	if err != nil {
		return err
	}
	r.takes(r.absolute(recorded), record.ID)
	return nil
}

// chooseDeployment takes the deployment that the options name, or else the
// newest one that succeeded.
func (r *run) chooseDeployment(ctx context.Context) error {
	if err := r.heal(ctx); err != nil {
		return err
	}
	live := history(r.history.deployments())
	if ref := r.options.Deployment; ref != "" {
		record, ok := live.find(stageDeploy, ref)
		if !ok || record.Status != state.Succeeded {
			return invalid(fmt.Sprintf("No deployment %q to release", ref), fmt.Sprintf(
				"App %q has no deployment with that sequence or ID which succeeded and still exists. `status` shows what there is; `rollback` brings a destroyed one back.", r.app.Name))
		}
		return r.resume(ctx, record)
	}
	record, ok := live.latest(stageDeploy, state.Succeeded)
	if !ok {
		return invalid(fmt.Sprintf("App %q has no deployment to release", r.app.Name),
			"No deployment in this workspace has succeeded yet. Run `deploy` first, or `up`, which does it all.")
	}
	return r.resume(ctx, record)
}

// resume continues from a recorded deployment with the file's releaser.
func (r *run) resume(ctx context.Context, record state.Record) error {
	if err := r.ready(true); err != nil {
		return err
	}
	record, err := r.confirmed(ctx, record)
	if err != nil {
		return err
	}
	if err := r.takeDeployment(record); err != nil {
		return err
	}
	return r.equip(ctx, record, true)
}

// takeDeployment continues from a recorded deployment and its artifact.
func (r *run) takeDeployment(record state.Record) error {
	target, err := r.load(record)
	if err != nil {
		return err
	}
	if parent, ok := r.history.parent(record); ok && len(parent.Result) > 0 {
		if err := r.takeArtifact(parent); err != nil {
			return err
		}
	}
	r.target, r.targetRecord, r.targetURL = target, record.ID, record.URL
	r.scope = r.scope.WithDeployment(target.ID).WithDeploy(deployVars(target, record.URL))
	return nil
}
