package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"golang.org/x/sync/errgroup"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/config"
	"github.com/deploy-action/deploy-action/internal/diag"
)

// The stages, in pipeline order. They are also the operations of records.
const (
	stageBuild   = "build"
	stagePush    = "push"
	stageDeploy  = "deploy"
	stageRelease = "release"
)

// pipeline is one app with the components of its stages. A nil spec is a stage
// that the app lacks.
type pipeline struct {
	app      *config.App
	builder  *component.BuilderSpec
	registry *component.RegistrySpec
	platform *component.PlatformSpec
	releaser *component.ReleaserSpec

	plugins map[string]component.Plugin // by stage

	// embedded says that images go to Engine.Embedded, for the app has no
	// registry block.
	embedded bool
	// shared says that the releaser is the platform's default one and takes
	// its configuration from the platform's block.
	shared bool
	// fromRecord is the block of a record, where the releaser is configured by
	// that and not by the file.
	fromRecord *config.Stage

	after    []string // apps that this one depends on
	neededBy []string // apps that depend on this one, where they have to go first

	missing  bool            // the file has no such app: it is only recorded
	problems hcl.Diagnostics // of the app, where they do not stop the verb
}

// names returns the apps to work on, in the order of the file: the chosen
// ones, or all of them.
func (e *Engine) names(chosen []string) ([]string, error) {
	all := e.Project.Apps()
	if len(chosen) == 0 {
		return all, nil
	}
	for _, name := range chosen {
		if !slices.Contains(all, name) {
			return nil, invalid(fmt.Sprintf("Unknown app %q", name), fmt.Sprintf(
				"%s declares %s.%s", e.Project.Path(), list(all, "no app"), diag.Suggest(name, all)))
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(name string) bool { return !slices.Contains(chosen, name) }), nil
}

// prepare finds the components of each named app and checks, for the stages
// that are needed, all that can be checked before anything runs. It returns
// every problem at once, as an [InvalidError]; and the apps in the order in
// which they run.
func (e *Engine) prepare(names []string, stages ...string) ([]*pipeline, error) {
	found := make([]*pipeline, len(names))
	problems := make([]hcl.Diagnostics, len(names))
	var checks errgroup.Group
	checks.SetLimit(runtime.GOMAXPROCS(0))
	for i, name := range names {
		checks.Go(func() error {
			found[i], problems[i] = e.prepareOne(name, stages)
			return nil
		})
	}
	_ = checks.Wait() // their problems are not errors
	diags := slices.Concat(problems...)
	pipelines := slices.DeleteFunc(found, func(p *pipeline) bool { return p == nil })
	pipelines, circles := e.inOrder(pipelines)
	diags = append(diags, circles...)
	diags = Unique(append(diags, e.checkSources(e.requests(names, stages))...))
	if diags.HasErrors() {
		return nil, &InvalidError{diags}
	}
	if len(diags) > 0 {
		e.UI.Diagnostics(diags)
	}
	return pipelines, nil
}

// prepareOne is [Engine.prepare] for one app; nil where the file has none of
// that name.
func (e *Engine) prepareOne(name string, stages []string) (*pipeline, hcl.Diagnostics) {
	app, diags := e.Project.App(name, e.Scope)
	if app == nil {
		return nil, diags
	}
	p := &pipeline{app: app, plugins: map[string]component.Plugin{}}
	diags = append(diags, e.findComponents(p)...)
	return p, append(diags, e.check(p, stages)...)
}

// resolved prepares the named apps, asks sources for the values that they need,
// and, where there were such, prepares them with these.
func (e *Engine) resolved(ctx context.Context, names []string, stages ...string) ([]*pipeline, error) {
	pipelines, err := e.prepare(names, stages...)
	if err == nil && len(e.requests(names, stages)) > 0 {
		if err = e.resolve(ctx, names, stages...); err == nil {
			pipelines, err = e.prepare(names, stages...)
		}
	}
	if err != nil || !slices.Contains(stages, stageRelease) {
		return pipelines, err
	}
	for _, p := range pipelines {
		err = errors.Join(err, e.checkShares(ctx, p, e.Scope))
	}
	return pipelines, err
}

// findComponents looks up what each stage's use block names.
func (e *Engine) findComponents(p *pipeline) hcl.Diagnostics {
	var diags hcl.Diagnostics
	find := func(stage string, s *config.Stage, kind string, has func(component.Plugin) bool) component.Plugin {
		if s == nil || s.Plugin == "" {
			return component.Plugin{}
		}
		plugin, problem := e.plugin(s, kind, has)
		if problem != nil {
			diags = append(diags, problem)
			return component.Plugin{}
		}
		p.plugins[stage] = plugin
		return plugin
	}
	p.builder = find(stageBuild, p.app.Build, "a builder", func(p component.Plugin) bool { return p.Builder != nil }).Builder
	p.registry = find(stagePush, p.app.Push, "a registry", func(p component.Plugin) bool { return p.Registry != nil }).Registry
	platform := find(stageDeploy, p.app.Deploy, "a platform", func(p component.Plugin) bool { return p.Platform != nil })
	p.platform = platform.Platform
	p.releaser = find(stageRelease, p.app.Release, "a releaser", func(p component.Plugin) bool { return p.Releaser != nil }).Releaser

	if p.releaser == nil && platform.DefaultRelease && (p.app.Release == nil || p.app.Release.Plugin == "") {
		p.releaser, p.shared = platform.Releaser, true
		p.plugins[stageRelease] = platform
	}
	if p.app.Push == nil && e.Embedded != nil && p.builder != nil && p.platform != nil && isImage(p.builder) {
		p.registry, p.embedded = e.Embedded, true
	}
	return append(diags, chainProblems(p)...)
}

// plugin finds the plugin that s names and reports it where it is unknown or
// lacks the component.
func (e *Engine) plugin(s *config.Stage, kind string, has func(component.Plugin) bool) (component.Plugin, *hcl.Diagnostic) {
	plugin, known := e.Plugins[s.Plugin]
	if known && has(plugin) {
		return plugin, nil
	}
	var able []string
	for _, name := range slices.Sorted(maps.Keys(e.Plugins)) {
		if has(e.Plugins[name]) {
			able = append(able, name)
		}
	}
	d := &hcl.Diagnostic{Severity: hcl.DiagError, Subject: s.Range.Ptr()}
	if known {
		d.Summary = fmt.Sprintf("Plugin %q is not %s", s.Plugin, kind)
	} else {
		d.Summary = fmt.Sprintf("Unknown plugin %q", s.Plugin)
	}
	d.Detail = fmt.Sprintf("A plugin that is %s is needed here: %s.%s", kind, list(able, "none is built in"), diag.Suggest(s.Plugin, able))
	return component.Plugin{}, d
}

// chainProblems points at the stages that do not fit their neighbours.
func chainProblems(p *pipeline) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, err := range unjoin(component.Chain(p.builder, p.registry, p.platform, p.releaser)) {
		misfit := err.(*component.ChainError)
		stage := map[string]*config.Stage{stagePush: p.app.Push, stageDeploy: p.app.Deploy, stageRelease: p.app.Release}[misfit.Stage]
		if stage == nil || stage.Plugin == "" {
			stage = p.app.Deploy
		}
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError,
			Summary:  fmt.Sprintf("Plugin %q does not fit the stage before it", stage.Plugin),
			Detail:   fmt.Sprintf("In app %q, %s. Use a plugin that takes it, or change the stage before.", p.app.Name, misfit.Reason),
			Subject:  stage.Range.Ptr(),
		})
	}
	return diags
}

// check decodes the use blocks of stages as far as their values are known,
// opens the components whose values all are, and looks up the commands of
// hooks.
func (e *Engine) check(p *pipeline, stages []string) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, name := range stages {
		switch {
		case name == stageBuild && p.builder != nil:
			diags = append(diags, checkStage(e, p, name, p.app.Build, p.builder)...)
		case name == stagePush && p.registry != nil && !p.embedded:
			diags = append(diags, checkStage(e, p, name, p.app.Push, p.registry)...)
		case name == stageDeploy && p.platform != nil:
			diags = append(diags, checkStage(e, p, name, p.app.Deploy, p.platform)...)
		case name == stageRelease && p.app.Release != nil && p.app.Release.Plugin == "":
			diags = append(diags, e.checkHooks(p.app.Release)...)
			if p.releaser == nil && len(p.app.Release.Conduct.Canary) > 1 {
				diags = append(diags, p.weightless()...)
			}
		case name == stageRelease && p.releaser != nil && !p.shared:
			diags = append(diags, checkStage(e, p, name, p.app.Release, p.releaser)...)
		}
	}
	return diags
}

// opener is what the specs of all kinds have in common.
type opener[T any] interface {
	Config() any
	Open(component.Host, component.Decode) (T, hcl.Diagnostics, error)
}

func checkStage[T any](e *Engine, p *pipeline, name string, stage *config.Stage, spec opener[T]) hcl.Diagnostics {
	diags := e.checkHooks(stage)
	into := spec.Config()
	if into == nil {
		return diags
	}
	complete, more := stage.Check(e.Scope, into)
	diags = append(diags, more...)
	if !complete || diags.HasErrors() {
		return diags
	}
	_, _, err := spec.Open(e.CheckHost(p.app, p.plugins[name]), stage.Decode(e.Scope))
	return append(diags, diag.Locate(err, stage.Body, stage.Range)...)
}

func (e *Engine) checkHooks(stage *config.Stage) hcl.Diagnostics {
	hooks, diags := stage.Hooks(e.Scope.WithUnknowns())
	for _, h := range hooks {
		if err := e.CheckHook(h); err != nil {
			diags = append(diags, diag.Locate(err, nil, h.Range)...)
		}
	}
	return diags
}

// list joins names for a sentence.
func list(names []string, none string) string {
	if len(names) == 0 {
		return none
	}
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = fmt.Sprintf("%q", name)
	}
	return strings.Join(quoted, ", ")
}

// Unique drops diagnostics that say the same of the same place, as when two
// apps share a mistake.
func Unique(diags hcl.Diagnostics) hcl.Diagnostics {
	seen := map[string]bool{}
	return slices.DeleteFunc(diags, func(d *hcl.Diagnostic) bool {
		key := d.Error() + d.Detail
		known := seen[key]
		seen[key] = true
		return known
	})
}
