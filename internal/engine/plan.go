package engine

import (
	"context"
	"errors"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/config"
)

// Plan says what Up would change, app by app, and changes nothing outside this
// machine. It builds for real where a builder changes nothing either.
func (e *Engine) Plan(ctx context.Context, o Options) ([]Result, error) {
	names, err := e.names(o.Apps)
	if err != nil {
		return nil, err
	}
	pipelines, err := e.resolved(ctx, names, stageBuild, stagePush, stageDeploy, stageRelease, config.Settings)
	if err != nil {
		return nil, err
	}
	var results []Result
	for _, p := range pipelines {
		if ctx.Err() != nil {
			break
		}
		r := &run{Engine: e, pipeline: p, options: o, scope: e.Scope, planning: true, result: Result{
			App: p.app.Name, Workspace: p.app.Workspace, Outcome: Unchanged,
		}}
		if err := r.plan(ctx); err != nil {
			r.result.Failure = r.failure(ctx, err)
			e.showFailure(r.result.Failure)
		} else {
			e.UI.Plan(p.app.Name, r.result.Plan)
		}
		results = append(results, r.result)
	}
	return results, errors.Join(errorOf(results), context.Cause(ctx))
}

// plan adds up the plans of the stages.
func (r *run) plan(ctx context.Context) (err error) {
	if r.history, err = r.Engine.history(ctx, r.app.Name); err != nil {
		return err
	}
	r.noteHold()
	if r.plugins[stageBuild].BuildsOutside {
		r.add(component.Plan{Changes: []component.Change{{
			Action: component.Create, Subject: "artifact of " + r.app.Name, Reason: "what follows is known only after the build",
		}}})
		r.result.Outcome = Changed
		return nil
	}
	for _, step := range []stage{
		{stageBuild, (*run).planBuild},
		{stagePush, (*run).planPush},
		{stageDeploy, (*run).planDeploy},
		{stageRelease, (*run).planRelease},
	} {
		r.stage = step.name
		if err := step.run(r, ctx); err != nil {
			return err
		}
	}
	for _, c := range r.result.Plan.Changes {
		if c.Action != component.Keep {
			r.result.Outcome = Changed
		}
	}
	return nil
}

func (r *run) add(p component.Plan) {
	r.result.Plan.Changes = append(r.result.Plan.Changes, p.Changes...)
}

func (r *run) planBuild(ctx context.Context) error {
	op := r.begin(stageBuild, r.app.Build)
	end := r.UI.Group(r.app.Name + ": build")
	defer end()
	if err := op.hooks(ctx, "before"); err != nil {
		return err
	}
	builder, done, err := open(op, r.builder, r.app.Build.Decode(r.scope))
	if err != nil {
		return err
	}
	defer done()
	made, err := builder.Build(ctx, component.BuildRequest{App: r.app.App})
	if err != nil {
		return op.locate(err)
	}
	return op.makes(made)
}

func (r *run) planPush(ctx context.Context) error {
	if r.registry == nil {
		return nil
	}
	op := r.begin(stagePush, r.app.Push)
	registry, done, err := open(op, r.registry, r.pushDecode())
	if err != nil {
		return err
	}
	defer done()
	pushed, plan, err := registry.Plan(ctx, component.PushRequest[artifact.Artifact]{App: r.app.App, Artifact: r.artifact})
	if err != nil {
		return op.locate(err)
	}
	r.add(plan)
	return op.makes(pushed)
}

func (r *run) planDeploy(ctx context.Context) error {
	op := r.begin(stageDeploy, r.app.Deploy)
	op.record.Deployment = newDeploymentID(r.app.Name)
	r.scope = r.scope.WithDeployment(op.record.Deployment)
	platform, done, err := open(op, r.platform, r.app.Deploy.Decode(r.scope))
	if err != nil {
		return err
	}
	defer done()
	plan, err := platform.Plan(ctx, component.DeployRequest[artifact.Artifact]{Artifact: r.artifact, DeployInput: r.input(op, nil)})
	if err != nil {
		return op.locate(err)
	}
	r.add(plan)
	r.target = op.target(nil)
	return nil
}

// planRelease asks the releaser only where its configuration can be read
// before the deployment exists.
func (r *run) planRelease(ctx context.Context) error {
	if r.releaser == nil {
		return nil
	}
	op := r.begin(stageRelease, r.app.Release)
	if err := r.checkShares(ctx, r.pipeline, r.scope); err != nil {
		return err
	}
	var decode component.Decode
	op.stage, decode = r.releaserConfig(r.scope)
	if complete, _ := op.stage.Check(r.scope, r.releaser.Config()); !complete && !r.shared {
		return nil
	}
	releaser, done, err := open(op, r.releaser, decode)
	if err != nil {
		return err
	}
	defer done()
	plan, err := releaser.Plan(ctx, component.ReleaseRequest[component.Deployment]{Target: r.target, Planned: true, Percent: 100})
	if err != nil {
		return op.locate(err)
	}
	r.add(plan)
	return nil
}
