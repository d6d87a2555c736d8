package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/config"
	"github.com/deploy-action/deploy-action/internal/diag"
)

// RunPipeline runs the steps of a pipeline of the file one after another, each
// for the chosen apps. A step that fails, or is outdated for one of them, takes
// those that depend on it with it; the others run. It returns one result for
// each app and workspace. Whatever can be wrong with any step is found before
// the first one runs.
func (e *Engine) RunPipeline(ctx context.Context, name string, o Options) ([]Result, error) {
	names, err := e.names(o.Apps)
	if err != nil {
		return nil, err
	}
	evaluated, err := e.evaluatePipeline(ctx, name)
	if err != nil {
		return nil, err
	}
	c := &course{Engine: e, options: o, names: names, places: map[string]*place{}}
	legs, err := c.legs(evaluated, stay{workspace: e.Workspace}, "pipeline "+name)
	if err == nil {
		err = c.check(ctx, legs)
	}
	if err != nil {
		return nil, err
	}
	_, err = c.run(ctx, legs)
	return c.results, errors.Join(err, context.Cause(ctx))
}

// evaluatePipeline evaluates a pipeline with what it asks sources for.
func (e *Engine) evaluatePipeline(ctx context.Context, name string) (*config.Pipeline, error) {
	for {
		requests := e.Project.PipelineRequests(name, e.Scope)
		if len(requests) == 0 {
			break
		}
		if err := e.answer(ctx, requests); err != nil {
			return nil, err
		}
	}
	evaluated, diags := e.Project.Pipeline(name, e.Scope)
	if diags.HasErrors() {
		return nil, &InvalidError{Unique(diags)}
	}
	e.UI.Diagnostics(diags)
	return evaluated, nil
}

// course is one run of a pipeline.
type course struct {
	*Engine // of the call
	options Options
	names   []string // of the apps
	places  map[string]*place
	results []Result
}

// leg is one step of a course: a verb or a command, or the steps of another
// pipeline.
type leg struct {
	name      string
	dependsOn []string
	title     string // of its part of the log
	place     *place
	action    config.StepAction
	inner     []leg
}

// legs lays out the steps of a pipeline that runs at a stay. All that is within
// another step says so in its title.
func (c *course) legs(p *config.Pipeline, at stay, title string) ([]leg, error) {
	var legs []leg
	for _, s := range p.Steps {
		here := at.moved(s)
		place, err := c.place(here)
		if err != nil {
			return nil, err
		}
		l := leg{
			name: s.Name, dependsOn: s.DependsOn, title: title + ": step " + s.Name,
			place: place, action: s.Action,
		}
		if nested, ok := s.Action.(config.NestedStep); ok {
			if l.inner, err = c.legs(nested.Pipeline, here, l.title+" › pipeline "+nested.Pipeline.Name); err != nil {
				return nil, err
			}
		}
		legs = append(legs, l)
	}
	return legs, nil
}

// run runs legs in order. Those that depend on one that did not run to its end
// do not run either. It reports whether one of them was outdated.
func (c *course) run(ctx context.Context, legs []leg) (outdated bool, err error) {
	var errs []error
	broken := map[string]string{} // why, by name
	for _, l := range legs {
		if ctx.Err() != nil {
			break
		}
		if i := slices.IndexFunc(l.dependsOn, func(other string) bool { return broken[other] != "" }); i >= 0 {
			broken[l.name] = broken[l.dependsOn[i]]
			c.UI.Print("%s does not run: it depends on step %q, which %s.", l.title, l.dependsOn[i], broken[l.name])
			continue
		}
		late, err := c.leg(ctx, l)
		outdated = outdated || late
		switch {
		case err != nil:
			broken[l.name] = "did not succeed"
			errs = append(errs, err)
		case late:
			broken[l.name] = "was outdated"
		}
	}
	return outdated, errors.Join(errs...)
}

// leg runs one step, and reports whether it was outdated for an app.
func (c *course) leg(ctx context.Context, l leg) (outdated bool, err error) {
	if l.inner != nil {
		return c.run(ctx, l.inner)
	}
	end := c.UI.Group(l.title)
	defer end()
	results, err := c.act(ctx, l)
	for _, r := range results {
		c.add(r)
		outdated = outdated || r.Outcome == Outdated
	}
	if err != nil && len(results) == 0 {
		return false, fmt.Errorf("%s: %w", l.title, err)
	}
	return outdated, err
}

// act does what the step says.
func (c *course) act(ctx context.Context, l leg) ([]Result, error) {
	o := c.options
	prune := func(p config.Prune) {
		o.NoPrune = o.NoPrune || p.Off
		if o.Retain < 0 {
			o.Retain = p.Retain
		}
	}
	there := l.place.engine
	switch a := l.action.(type) {
	case config.BuildStep:
		o.NoPush = a.NoPush
		return there.Build(ctx, o)
	case config.DeployStep:
		o.NoRelease, o.NoPrune = !a.Release, true
		return there.Deploy(ctx, o)
	case config.ReleaseStep:
		o.Deployment = a.Deployment
		prune(a.Prune)
		return there.Release(ctx, o)
	case config.UpStep:
		prune(a.Prune)
		return there.Up(ctx, o)
	}
	return c.command(ctx, l, l.action.(config.ExecStep))
}

// add puts what a step did to an app together with what earlier ones did to it
// in the same workspace.
func (c *course) add(r Result) {
	i := slices.IndexFunc(c.results, func(earlier Result) bool { return earlier.App == r.App && earlier.Workspace == r.Workspace })
	if i < 0 {
		c.results = append(c.results, r)
		return
	}
	sum := &c.results[i]
	sum.Records = append(sum.Records, r.Records...)
	sum.Notes = append(sum.Notes, r.Notes...)
	if r.Outcome == Outdated || r.Outcome == Changed && sum.Outcome != Outdated {
		sum.Outcome, sum.Outdated = r.Outcome, r.Outdated
	}
	if sum.Failure == nil {
		sum.Failure = r.Failure
	}
	if r.Image != "" {
		sum.Image, sum.Digest = r.Image, r.Digest
	}
	if r.Deployment != "" {
		sum.Deployment, sum.Sequence = r.Deployment, r.Sequence
	}
	if r.URL != "" {
		sum.URL = r.URL
	}
}

// command runs a command once for each app.
func (c *course) command(ctx context.Context, l leg, command config.ExecStep) ([]Result, error) {
	var results []Result
	for _, name := range c.names {
		if ctx.Err() != nil {
			break
		}
		result := Result{App: name, Workspace: l.place.engine.Workspace, Outcome: Changed} // nobody knows what a command does
		if err := c.commandFor(ctx, l.place.apps[name], command); err != nil {
			result.Failure = &Failure{App: name, Stage: "step " + l.name, Err: err, Diags: diag.Locate(err, nil, command.Range)}
			if ctx.Err() != nil {
				result.Failure.Diags = hcl.Diagnostics{{
					Severity: hcl.DiagError, Summary: "Interrupted",
					Detail: fmt.Sprintf("The run was cancelled during step %s of app %q.", l.name, name),
				}}
			}
			c.showFailure(result.Failure)
		}
		results = append(results, result)
	}
	return results, errorOf(results)
}

// commandFor runs a command for one app.
func (c *course) commandFor(ctx context.Context, app *config.App, command config.ExecStep) error {
	end := c.UI.Group(app.Name + ": exec")
	defer end()
	return c.UI.Step(ctx, fmt.Sprintf("Running %s in %s", command.Command[0], command.Image), func(ctx context.Context, s component.Step) error {
		return c.Command(ctx, app, command, s)
	})
}
