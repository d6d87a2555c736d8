package engine

import (
	"context"
	"slices"

	"github.com/deploy-action/deploy-action/internal/config"
)

// stage is one step of the pipeline for one app.
type stage struct {
	name string
	run  func(*run, context.Context) error
}

// up is the pipeline. To read it is to read what the action does.
var up = []stage{
	refuseOutdated(stageDeploy),
	{stageBuild, (*run).build},
	{stagePush, (*run).push},
	{stageDeploy, (*run).deploy},
	{stageRelease, (*run).release},
	{stagePrune, (*run).pruneAfter},
}

// stagePrune is the last stage, of which there is no record.
const stagePrune = "prune"

// only returns the named stages of the pipeline.
func only(names ...string) []stage {
	return slices.DeleteFunc(slices.Clone(up), func(s stage) bool { return !slices.Contains(names, s.name) })
}

// Up builds, pushes, deploys and releases the chosen apps, and prunes unless
// told not to.
func (e *Engine) Up(ctx context.Context, o Options) ([]Result, error) {
	return e.through(ctx, o, up)
}

// Build builds the chosen apps and pushes unless told not to.
func (e *Engine) Build(ctx context.Context, o Options) ([]Result, error) {
	o.DespiteHold = true // what runs stays as it is
	if o.NoPush {
		return e.through(ctx, o, only(stageBuild))
	}
	return e.through(ctx, o, only(stageBuild, stagePush))
}

// Deploy deploys the newest pushed artifact of the workspace, or the one that
// o names, and releases unless told not to.
func (e *Engine) Deploy(ctx context.Context, o Options) ([]Result, error) {
	stages := []stage{refuseOutdated(stageDeploy), {"artifact", (*run).chooseArtifact}, {"check", (*run).judgeArtifact}}
	if o.NoRelease {
		return e.through(ctx, o, append(stages, only(stageDeploy)...))
	}
	return e.through(ctx, o, append(stages, only(stageDeploy, stageRelease, stagePrune)...))
}

// Release releases the newest deployment of the workspace, or the one that o
// names, and prunes unless told not to. Of the file it needs the releaser's
// block alone, and where that is gone the records say how it was.
func (e *Engine) Release(ctx context.Context, o Options) ([]Result, error) {
	pipelines, err := e.recalled(ctx, o.Apps)
	if err != nil {
		return nil, err
	}
	stages := append([]stage{refuseOutdated(stageRelease), {"deployment", (*run).chooseDeployment}}, only(stageRelease, stagePrune)...)
	return e.each(ctx, pipelines, o, func(ctx context.Context, r *run) error { return r.pass(ctx, stages) })
}

// through checks the chosen apps and runs stages, in order, for each.
func (e *Engine) through(ctx context.Context, o Options, stages []stage) ([]Result, error) {
	names, err := e.names(o.Apps)
	if err != nil {
		return nil, err
	}
	pipelines, err := e.resolved(ctx, names, needs(stages)...)
	if err != nil {
		return nil, err
	}
	return e.each(ctx, pipelines, o, func(ctx context.Context, r *run) error { return r.pass(ctx, stages) })
}

// pass runs stages in order, up to the first that fails.
func (r *run) pass(ctx context.Context, stages []stage) error {
	for _, s := range stages {
		r.stage = s.name
		if err := s.run(r, ctx); err != nil {
			return err
		}
	}
	return nil
}

// needs returns the stages of the file that stages of a pipeline read: a
// deploy asks the registry where its image can be pulled.
func needs(stages []stage) []string {
	var names []string
	for _, s := range stages {
		names = append(names, s.name)
		if s.name == stageDeploy {
			names = append(names, stagePush, config.Settings)
		}
	}
	return names
}
