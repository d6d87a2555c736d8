package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/config"
	"github.com/deploy-action/deploy-action/internal/diag"
)

// stay is where a step of a pipeline runs, and with which labels.
type stay struct {
	workspace string
	labels    map[string]string
}

// moved returns where a step runs whose pipeline runs at s.
func (s stay) moved(step config.PipelineStep) stay {
	labels := maps.Clone(s.labels)
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, step.Labels)
	return stay{cmp.Or(step.Workspace, s.workspace), labels}
}

// place is a stay with all that its steps share.
type place struct {
	engine *Engine
	reads  []string               // the stages of the file that its steps need
	apps   map[string]*config.App // by name; nil before they were checked
}

// place returns the place of a stay, which is the same for equal ones.
func (c *course) place(at stay) (*place, error) {
	labels, err := json.Marshal(at.labels) // in the order of their names
	if err != nil {
		return nil, fmt.Errorf("comparing the labels of steps: %w", err)
	}
	key := at.workspace + " " + string(labels)
	if known := c.places[key]; known != nil {
		return known, nil
	}
	made := &place{engine: c.Engine}
	if at.workspace != c.Workspace || len(at.labels) > 0 {
		scope, diags := c.ScopeIn(at.workspace, at.labels)
		if diags.HasErrors() {
			return nil, &InvalidError{Unique(diags)}
		}
		made.engine = c.in(at.workspace, scope)
		c.opened.add(made.engine.Close)
	}
	c.places[key] = made
	return made, nil
}

// in returns e for another workspace. Its sources are its own.
func (e *Engine) in(workspace string, scope config.Scope) *Engine {
	return &Engine{
		Project: e.Project, Scope: scope, Workspace: workspace,
		Plugins: e.Plugins, Store: e.Store, UI: e.UI, Reporter: e.Reporter, Secrets: e.Secrets, Origin: e.Origin,
		Host: e.Host, CheckHost: e.CheckHost, CheckHook: e.CheckHook, Hook: e.Hook,
		ScopeIn: e.ScopeIn, CheckCommand: e.CheckCommand, Command: e.Command,
		Ended: e.Ended, Ancestry: e.Ancestry, Fence: e.Fence, Incomplete: e.Incomplete, Lost: e.Lost, Embedded: e.Embedded, Now: e.Now,
	}
}

// check checks all that can be checked before the first step runs: the
// configuration in every workspace, first without and then with what sources
// answer, the records there, and the images of commands.
func (c *course) check(ctx context.Context, legs []leg) error {
	leaves := flatten(legs)
	var places []*place
	for _, l := range leaves {
		l.place.reads = append(l.place.reads, reads(l.action)...)
		if !slices.Contains(places, l.place) {
			places = append(places, l.place)
		}
	}
	if err := problemsOf(places, func(p *place) error {
		_, err := p.engine.prepare(c.names, distinct(p.reads)...)
		return err
	}); err != nil {
		return err
	}
	if err := problemsOf(places, func(p *place) error { return c.settle(ctx, p) }); err != nil {
		return err
	}
	return c.checkCommands(ctx, leaves)
}

// settle resolves the values that the steps at a place need, and reads what is
// recorded there.
func (c *course) settle(ctx context.Context, p *place) error {
	pipelines, err := p.engine.resolved(ctx, c.names, distinct(p.reads)...)
	if err != nil {
		return err
	}
	p.apps = map[string]*config.App{}
	for _, one := range pipelines {
		p.apps[one.app.Name] = one.app
		if len(p.reads) == 0 {
			continue
		}
		if _, err := p.engine.history(ctx, one.app.Name); err != nil {
			return err
		}
	}
	return nil
}

// checkCommands gets the images of commands ready. One that comes after a build
// may run what that makes.
func (c *course) checkCommands(ctx context.Context, leaves []leg) error {
	var diags hcl.Diagnostics
	made := false
	for _, l := range leaves {
		switch a := l.action.(type) {
		case config.BuildStep, config.UpStep:
			made = true
		case config.ExecStep:
			for _, name := range c.names {
				err := c.CheckCommand(ctx, l.place.apps[name], a, made)
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				diags = append(diags, diag.Locate(err, nil, a.Range)...)
			}
		}
	}
	if diags.HasErrors() {
		return &InvalidError{Unique(diags)}
	}
	return nil
}

// flatten returns the steps that do something, in the order in which they run.
func flatten(legs []leg) []leg {
	var leaves []leg
	for _, l := range legs {
		if l.inner == nil {
			leaves = append(leaves, l)
		}
		leaves = append(leaves, flatten(l.inner)...)
	}
	return leaves
}

// reads returns the stages of the file that a step needs. A deploy asks the
// registry where its image can be pulled.
func reads(a config.StepAction) []string {
	switch a := a.(type) {
	case config.BuildStep:
		if a.NoPush {
			return []string{stageBuild}
		}
		return []string{stageBuild, stagePush}
	case config.DeployStep:
		if a.Release {
			return []string{stagePush, stageDeploy, config.Settings, stageRelease}
		}
		return []string{stagePush, stageDeploy, config.Settings}
	case config.ReleaseStep:
		return []string{stageRelease}
	case config.UpStep:
		return []string{stageBuild, stagePush, stageDeploy, config.Settings, stageRelease}
	}
	return nil
}

// distinct returns names without those that come again.
func distinct(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

// problemsOf does something at every place, and joins what is wrong there. Any
// other error ends it at once.
func problemsOf(places []*place, do func(*place) error) error {
	var diags hcl.Diagnostics
	for _, p := range places {
		err := do(p)
		if invalid, ok := errors.AsType[*InvalidError](err); ok {
			diags = append(diags, invalid.Diags...)
		} else if err != nil {
			return err
		}
	}
	if diags.HasErrors() {
		return &InvalidError{Unique(diags)}
	}
	return nil
}

// withPipelines adds to what a check has found what is wrong with the pipelines
// of the file.
func (e *Engine) withPipelines(err error) error {
	diags := e.Project.CheckPipelines(e.Scope)
	if !diags.HasErrors() {
		e.UI.Diagnostics(diags)
		return err
	}
	if invalid, ok := errors.AsType[*InvalidError](err); ok {
		diags = append(slices.Clone(invalid.Diags), diags...)
	}
	return &InvalidError{Unique(diags)}
}
