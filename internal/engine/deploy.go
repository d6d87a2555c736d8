package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/zclconf/go-cty/cty"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/state"
)

// deploy runs the platform.
func (r *run) deploy(ctx context.Context) error {
	left, err := r.leftovers(ctx)
	if err != nil {
		return err
	}
	pull, err := r.repository(ctx)
	if err != nil {
		return err
	}
	op := r.begin(stageDeploy, r.app.Deploy)
	op.record.Parent, op.record.Digest = r.artifactRecord, digestOf(r.artifact)
	op.record.Deployment = r.deploymentID(op.record.Digest)
	r.result.Deployment, r.result.Sequence = op.record.Deployment, op.record.Sequence
	if op.record.Config, err = r.app.Deploy.Record(r.scope, r.platform.Config()); err != nil {
		return op.locate(err)
	}
	err = r.perform(ctx, op, func(ctx context.Context, op *operation) error {
		return r.deployOn(ctx, op, component.DeployRequest[artifact.Artifact]{
			Artifact: r.artifact, DeployInput: r.input(op, pull),
		})
	})
	if err != nil {
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
func (r *run) deployOn(ctx context.Context, op *operation, req component.DeployRequest[artifact.Artifact]) error {
	platform, done, err := open(op, r.platform, r.app.Deploy.Decode(r.scope))
	if err != nil {
		return err
	}
	defer done()
	limited, cancel := r.options.withTimeout(ctx)
	defer cancel()
	deployed, err := platform.Deploy(limited, req)
	if kept := op.deployed(deployed); kept != nil {
		return errors.Join(op.locate(err), kept)
	}
	if err == nil {
		return nil
	}
	if cause := context.Cause(limited); errors.Is(cause, errTimeout) {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	r.noteLeft(op, deployed)
	r.noteLogs(ctx, platform, op.target(deployed))
	return op.locate(err)
}

// deployed takes over what a platform made.
func (op *operation) deployed(d component.Deployment) error {
	r := op.run
	r.result.Outcome = Changed
	if d == nil {
		return nil
	}
	r.target = op.target(d)
	r.targetRecord = op.record.ID
	r.scope = r.scope.WithDeploy(deployVars(r.target, d.URL()))
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
// run left unfinished with the same artifact; otherwise it is new.
func (r *run) deploymentID(digest string) string {
	for _, d := range r.history.deployments() {
		unfinished := d.Status == state.Running || d.Status == state.Interrupted
		if unfinished && r.Origin.Run != 0 && d.Origin.Run == r.Origin.Run && d.Digest == digest {
			return d.Deployment
		}
	}
	return newDeploymentID(r.app.Name)
}
