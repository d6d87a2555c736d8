package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// App is one app block. A nil stage is absent from the file.
type App struct {
	component.App

	Range      hcl.Range                    // of the block's header
	Env, Files map[string]component.Setting // of the config blocks of project and app
	Runner     map[string]component.Setting // environment variables for this program, of the same
	Watch      []string                     // patterns of paths, relative to Path
	DependsOn  []string                     // apps that come before this one
	Preview    *Preview                     // nil where there are none
	Auth       map[string]Auth              // by provider: the app's block, or else the project's

	Build, Push, Deploy, Release *Stage

	// Unknown reports each value of Env and Files that is not known, and left
	// out of them. That is no problem while sources are still to be asked.
	Unknown hcl.Diagnostics

	delivered, runner values // of the config blocks: for the app, and for this program
}

// named returns the stage of that name, or nil.
func (a *App) named(name string) *Stage {
	return map[string]*Stage{"build": a.Build, "push": a.Push, "deploy": a.Deploy, "release": a.Release}[name]
}

// evaluate evaluates the head of a.
func (p *Project) evaluate(a *app, scope Scope) (*App, hcl.Diagnostics) {
	named := cty.ObjectVal(map[string]cty.Value{"name": cty.StringVal(a.name)})
	path, diags := p.appPath(a, scope.child(scope.ctx, map[string]cty.Value{"app": named}), scope.secrets)

	vars := map[string]cty.Value{
		"app": named,
		"path": cty.ObjectVal(map[string]cty.Value{
			"pwd":     cty.StringVal(p.dir),
			"project": cty.StringVal(p.dir),
			"app":     cty.StringVal(path),
		}),
	}
	ctx := scope.child(scope.ctx, vars)
	own, more := evaluateLabels(a.labels, ctx, scope.secrets)
	diags = append(diags, more...)
	labels := mergeLabels(scope.workspace, scope.labels, own)

	result := &App{
		App: component.App{
			Project:   p.name,
			Name:      a.name,
			Workspace: scope.workspace,
			Path:      path,
			Labels:    mergeLabels(scope.workspace, labels, scope.extra),
		},
		Range: a.header,
	}
	diags = append(diags, p.evaluateHead(a, result, ctx, scope)...)

	builder := stageBuilder{scope: scope, ctx: ctx, vars: vars, labels: labels}
	result.Build = builder.stage(a.build, nil)
	result.Push = builder.stage(a.push, a.build)
	result.Deploy = builder.stage(a.deploy, nil)
	result.Release = builder.stage(a.release, nil)
	diags = append(diags, builder.diags...)
	diags = append(diags, p.evaluateSettings(a, result, ctx, scope)...)
	if !diags.HasErrors() {
		result.Unknown = result.delivered.unknown()
	}
	return result, diags
}

// evaluateHead evaluates what stands beside the stages of a.
func (p *Project) evaluateHead(a *app, result *App, ctx *hcl.EvalContext, scope Scope) hcl.Diagnostics {
	var diags, more hcl.Diagnostics
	if result.Watch, more = texts(a.watch, ctx, scope.secrets); len(more) == 0 {
		more = checkPatterns(result.Watch, a.watch)
	}
	diags = append(diags, more...)
	if result.DependsOn, more = texts(a.dependsOn, ctx, scope.secrets); len(more) == 0 {
		more = p.checkDependsOn(a.name, result.DependsOn, a.dependsOn)
	}
	diags = append(diags, more...)
	result.Preview, more = evaluatePreview(a.preview, ctx, scope)
	diags = append(diags, more...)
	result.Auth, more = p.Auth(scope)
	diags = append(diags, more...)
	own, more := evaluateAuth(a.auth, ctx, scope)
	maps.Copy(result.Auth, own)
	return append(diags, more...)
}

// stageBuilder makes the stages of one app and gathers their problems.
type stageBuilder struct {
	scope  Scope
	ctx    *hcl.EvalContext
	vars   map[string]cty.Value // of the app
	labels map[string]string    // of project and app
	diags  hcl.Diagnostics
}

// stage returns the variant of s that the workspace, or a selector, selects;
// nil for nil. Its labels are those of parent with its own on top.
func (b *stageBuilder) stage(s, parent *section) *Stage {
	if s == nil {
		return nil
	}
	layers := []map[string]string{b.labels}
	if parent != nil {
		layers = append(layers, b.sectionLabels(parent, false))
	}
	layers = append(layers, b.sectionLabels(s, true), b.scope.extra)
	stage := &Stage{Body: hcl.EmptyBody(), Labels: mergeLabels(b.scope.workspace, layers...), kind: s.kind, labels: s.labels}

	v, diags := s.choose(b.scope.workspace, stage.Labels)
	b.diags = append(b.diags, diags...)
	stage.variant, stage.Range = v, v.header
	if v.use != nil {
		stage.Plugin, stage.Range, stage.Body = v.use.Labels[0], v.use.LabelRanges[0], v.use.Body
	}
	stage.vars = maps.Clone(b.vars)
	stage.vars["labels"] = labelsValue(stage.Labels)

	early := b.scope.WithUnknowns()
	_, diags = stage.Hooks(early)
	b.diags = append(b.diags, diags...)
	if v.body != nil && (s.kind == "deploy" || s.kind == "release") {
		stage.Conduct, diags = readConduct(v.body, v.header, stage.reader(early))
		b.diags = append(b.diags, diags...)
	}
	return stage
}

// sectionLabels evaluates the labels of s. Its problems count only where s is
// looked at for its own sake.
func (b *stageBuilder) sectionLabels(s *section, report bool) map[string]string {
	labels, diags := evaluateLabels(s.labels, b.ctx, b.scope.secrets)
	if report {
		b.diags = append(b.diags, diags...)
	}
	return labels
}

// appPath returns the absolute folder of an app. It must be inside the
// project, also when symbolic links are followed.
func (p *Project) appPath(a *app, ctx *hcl.EvalContext, secrets *secret.Set) (string, hcl.Diagnostics) {
	if a.path == nil {
		return p.dir, nil
	}
	value, diags := text(a.path, ctx)
	if diags.HasErrors() {
		return p.dir, diags
	}
	addSecrets(secrets, value)
	value, _ = value.Unmark()
	if !value.IsKnown() {
		return p.dir, nil
	}
	path := value.AsString()
	if !filepath.IsAbs(path) {
		path = filepath.Join(p.dir, path)
	}
	path = filepath.Clean(path)
	problem := ""
	switch {
	case !within(p.dir, path):
		problem = fmt.Sprintf("The path %q lies outside of the project's folder %q. Choose a folder inside it, or move waypoint.hcl up.", value.AsString(), p.dir)
	case !within(resolved(p.dir), resolved(path)):
		problem = fmt.Sprintf("The path %q leads outside of the project's folder %q through a symbolic link. Choose a folder inside it.", value.AsString(), p.dir)
	}
	if problem != "" {
		return p.dir, hcl.Diagnostics{{
			Severity: hcl.DiagError,
			Summary:  "App path outside of the project",
			Detail:   problem,
			Subject:  a.path.Expr.Range().Ptr(),
		}}
	}
	return path, nil
}

// within reports whether path is folder or lies below it.
func within(folder, path string) bool {
	relative, err := filepath.Rel(folder, path)
	return err == nil && filepath.IsLocal(relative)
}

// resolved follows the symbolic links in path, as far as it exists: an app's
// folder may be made by a hook.
func resolved(path string) string {
	real, err := filepath.EvalSymlinks(path)
	if err == nil {
		return real
	}
	parent := filepath.Dir(path)
	if parent == path || !errors.Is(err, fs.ErrNotExist) {
		return path
	}
	return filepath.Join(resolved(parent), filepath.Base(path))
}
