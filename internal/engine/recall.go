package engine

import (
	"context"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/config"
)

// recall returns pipelines for verbs that work from records: the apps of the
// file, and those that are only recorded. Problems of the file do not stop
// them: an app that has any is known by its name alone.
func (e *Engine) recall(names []string) []*pipeline {
	pipelines := make([]*pipeline, len(names))
	for i, name := range names {
		app, diags := e.Project.App(name, e.Scope)
		p := &pipeline{app: app, plugins: map[string]component.Plugin{}, missing: app == nil}
		if app == nil || diags.HasErrors() {
			p.app = &config.App{App: component.App{
				Project: e.Project.Name(), Name: name, Workspace: e.Workspace, Path: e.Project.Dir(),
			}}
		} else {
			_ = e.findComponents(p) // what is not found is opened from the record
		}
		if app != nil && diags.HasErrors() {
			p.problems, p.app.Range, p.app.DependsOn = diags, app.Range, app.DependsOn
		}
		pipelines[i] = p
	}
	return pipelines
}

// recalled returns pipelines for verbs that go back to what is recorded, in the
// order in which they run: by default the apps of the file. One that is only
// recorded has to be chosen.
func (e *Engine) recalled(ctx context.Context, chosen []string) ([]*pipeline, error) {
	names := e.Project.Apps()
	if len(chosen) > 0 {
		var err error
		if names, err = e.recorded(ctx, chosen); err != nil {
			return nil, err
		}
	}
	pipelines, _ := e.inOrder(e.recall(names)) // a circle does not matter to what exists
	return pipelines, nil
}

// lookUp asks sources for what the file's blocks of a recorded app refer to, so
// that it is of today. That it cannot be had is a warning, told once: records
// have enough to go on.
func (r *run) lookUp(ctx context.Context) {
	if r.unanswered || r.problems.HasErrors() || len(r.history.deployments())+len(r.history.releases()) == 0 {
		return
	}
	if err := r.learn(ctx, config.UseOf(stageDeploy), config.UseOf(stageRelease)); err != nil && ctx.Err() == nil {
		r.unanswered = !r.problems.HasErrors() // else it is this app alone
		r.warn(diagnose(err))
	}
}

// learn asks sources for what stages of the app refer to, if they have not been
// asked yet, and evaluates the app with the answers. Where these make a problem
// of it, that is the error, and stays a problem of the app.
func (r *run) learn(ctx context.Context, stages ...string) error {
	names := []string{r.app.Name}
	if err := r.resolve(ctx, names, stages...); err != nil {
		return err
	}
	fresh := r.recall(names)[0]
	if fresh.problems.HasErrors() {
		r.problems = fresh.problems
		return &InvalidError{fresh.problems}
	}
	r.app.Env, r.app.Files, r.app.Runner = fresh.app.Env, fresh.app.Files, fresh.app.Runner
	r.scope = r.Engine.Scope.WithDeployment(r.target.ID)
	if r.artifact != nil {
		r.scope = r.scope.WithArtifact(r.artifact.Vars())
	}
	if d := r.target.Deployment; d != nil {
		r.scope = r.scope.WithDeploy(deployVars(r.target, d.URL()))
	}
	return nil
}

// warn shows problems that do not stop the verb.
func (e *Engine) warn(problems hcl.Diagnostics) {
	var weaker hcl.Diagnostics
	for _, d := range problems {
		w := *d
		w.Severity = hcl.DiagWarning
		weaker = append(weaker, &w)
	}
	if len(weaker) > 0 {
		e.UI.Diagnostics(weaker)
	}
}
