package engine

import (
	"context"
	"errors"

	"github.com/zclconf/go-cty/cty"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/state"
)

// deploy runs the platform. Where that fails and the block says so, what served
// before is put back.
func (r *run) deploy(ctx context.Context) error {
	if err := r.upToDate(ctx, stageDeploy); err != nil {
		return err
	}
	if !r.options.NoRelease {
		if err := r.checkShares(ctx, r.pipeline, r.scope); err != nil {
			return err
		}
	}
	err := r.deployFrom(ctx, nil)
	if err != nil && r.app.Deploy.Conduct.Rollback && !isOutdated(err) {
		return r.undo(ctx, err)
	}
	return err
}

// deployFrom makes a deployment: where from is not nil by restoring its
// content, if the platform can, else from the artifact. What earlier runs left
// unfinished is removed once the new deployment serves.
func (r *run) deployFrom(ctx context.Context, from *component.Target[component.Deployment]) error {
	op := r.begin(stageDeploy, r.app.Deploy)
	op.record.Parent, op.record.Digest = r.artifactRecord, digestOf(r.artifact)
	op.record.Deployment = r.deploymentID()
	r.result.Deployment, r.result.Sequence = op.record.Deployment, op.record.Sequence
	r.scope = r.scope.WithDeployment(op.record.Deployment)
	evaluated, invalid := r.app.Deploy.Record(r.scope, r.platform.Config())
	op.record.Config = evaluated

	var left []state.Record
	err := r.perform(ctx, op, func(ctx context.Context, op *operation) (err error) {
		if invalid != nil {
			return op.locate(invalid)
		}
		if err = op.stillUpToDate(ctx); err != nil {
			return err
		}
		if left, err = r.leftovers(ctx, op.record.Deployment); err != nil {
			return err
		}
		return r.deployOn(ctx, op, from)
	})
	if err != nil {
		return err
	}
	if err := r.settleAttempts(ctx, op.record); err != nil {
		return err
	}
	return r.removeLeftovers(ctx, left)
}

// input is what a platform is told of the operation.
func (r *run) input(op *operation, pull *artifact.Repository) component.DeployInput {
	return component.DeployInput{
		App: r.app.App, ID: op.record.Deployment, Sequence: op.record.Sequence,
		Env: r.app.Env, Files: r.app.Files, Pull: pull,
	}
}

// deployOn makes the deployment and keeps what exists of it, also when it
// failed.
func (r *run) deployOn(ctx context.Context, op *operation, from *component.Target[component.Deployment]) error {
	pull, err := r.repository(ctx)
	if err != nil {
		return err
	}
	op.deadline = r.deadline(r.app.Deploy.Conduct)
	platform, done, err := open(op, r.platform, r.app.Deploy.Decode(r.scope))
	if err != nil {
		return err
	}
	defer done()
	limited, cancel := op.deadline.start(ctx)
	defer cancel()
	deployed, err := r.restoreOrDeploy(limited, platform, r.input(op, pull), from)
	if kept := op.deployed(deployed); kept != nil {
		return errors.Join(op.locate(err), kept)
	}
	if err == nil {
		return nil
	}
	err = op.deadline.explain(limited, stageDeploy, err)
	if r.undoing { // the failure that is told is the one before
		return op.locate(err)
	}
	if ctx.Err() == nil { // else there is no time for it
		r.noteLogs(ctx, platform, op.target(deployed))
	}
	return op.locate(err)
}

// restoreOrDeploy puts back what from held, where there is a from and the
// platform can; otherwise it deploys the artifact, with the settings of today.
func (r *run) restoreOrDeploy(
	ctx context.Context, platform component.AnyPlatform, in component.DeployInput, from *component.Target[component.Deployment],
) (component.Deployment, error) {
	if from != nil {
		restored, err := platform.Restore(ctx, component.RestoreRequest[component.Deployment]{DeployInput: in, From: *from})
		if !errors.Is(err, errors.ErrUnsupported) {
			return restored, err
		}
		if r.artifact == nil {
			return nil, gone(r.app.Name, from.Sequence)
		}
		if err := r.settle(ctx, from.Sequence); err != nil {
			return nil, err
		}
		if err := r.ownImage(ctx, from.ID); err != nil {
			return nil, err
		}
		in.Env, in.Files = r.app.Env, r.app.Files
		if in.Pull, err = r.repository(ctx); err != nil {
			return nil, err
		}
	}
	return platform.Deploy(ctx, component.DeployRequest[artifact.Artifact]{Artifact: r.artifact, DeployInput: in})
}

// deployed takes over what a platform made.
func (op *operation) deployed(d component.Deployment) error {
	r := op.run
	r.result.Outcome = Changed
	if d == nil {
		return nil
	}
	r.target = op.target(d)
	r.targetRecord, r.targetURL = op.record.ID, d.URL()
	r.scope = r.scope.WithDeployment(r.target.ID).WithDeploy(deployVars(r.target, d.URL()))
	op.record.URL = d.URL()
	return op.keep(d)
}

func (op *operation) target(d component.Deployment) component.Target[component.Deployment] {
	return component.Target[component.Deployment]{
		App: op.run.app.App, ID: op.record.Deployment, Sequence: op.record.Sequence, Deployment: d,
	}
}

// deployVars is what configuration reads as deploy.NAME.
func deployVars(t component.Target[component.Deployment], url string) map[string]cty.Value {
	vars := map[string]cty.Value{}
	if t.Deployment != nil {
		vars = t.Deployment.Vars()
	}
	vars["id"] = cty.StringVal(t.ID)
	vars["sequence"] = cty.NumberIntVal(int64(t.Sequence))
	vars["url"] = cty.StringVal(url)
	return vars
}

// deploymentID adopts the ID of a deployment that an earlier attempt of this
// run left unfinished with the same image; otherwise it is new.
func (r *run) deploymentID() string {
	digest := digestOf(r.artifact)
	for _, d := range r.history.deployments() {
		if unfinished(d) && digest != "" && d.Digest == digest && r.Origin.Run != 0 && d.Origin.Run == r.Origin.Run {
			return d.Deployment
		}
	}
	return newDeploymentID(r.app.Name)
}

// unfinished reports whether the run that made a record did not end it.
func unfinished(r state.Record) bool {
	return r.Status == state.Running || r.Status == state.Interrupted
}
