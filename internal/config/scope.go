package config

import (
	"fmt"
	"maps"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/config/funcs"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// Inputs is what configuration is evaluated with, beside the file itself.
type Inputs struct {
	Workspace string               // "" is "default"
	Variables []string             // name=value, as given on the command line and by the action, in order
	VarFiles  []string             // in order; a relative path is relative to the process's folder
	Environ   []string             // KEY=VALUE; of several with one key the last counts
	Labels    map[string]string    // of the command line; they win over those in the file
	GitHub    map[string]cty.Value // what is known of the github object; the rest of it is ""
	Secrets   *secret.Set          // sensitive values are added to it
	TempDir   string               // where template functions may write; "" for nowhere
}

// Scope is what expressions can refer to: variables, path, workspace, github,
// and, as stages finish, artifact and deploy. It is a value: the With methods
// return a changed copy. The zero Scope knows nothing.
type Scope struct {
	project    *Project
	place      *funcs.Place
	head       *hcl.EvalContext // without variables
	ctx        *hcl.EvalContext
	workspace  string
	labels     map[string]string // of the project
	extra      map[string]string // of the command line
	secrets    *secret.Set
	environ    map[string]string            // of the process
	named      map[string]given             // the values of variables that were given by their own names
	given      map[string]given             // the values of variables that are no defaults
	waiting    map[string]*entry            // of the runner block, by the variables that get their values from it
	answers    map[string]component.Reading // of sources, by Request.ID
	asked      *[]Request                   // where requests are noted; nil for nowhere
	shared     *shared                      // what all apps have in common
	artifact   cty.Value                    // [cty.NilVal] until there is one
	deploy     cty.Value                    // likewise
	deployment string                       // the ID of the deployment that is made; "" before
	unknowns   bool                         // artifact and deploy exist, with unknown values
}

// Scope resolves the project's variables and returns what its apps are
// evaluated in. The scope is usable even where there are problems: a variable
// without a good value is unknown in it, and so is one with a dynamic default,
// until [Scope.WithAnswers].
func (p *Project) Scope(in Inputs) (Scope, hcl.Diagnostics) {
	environ := environment(in.Environ)
	if in.Workspace == "" {
		in.Workspace = "default"
	}
	var diags hcl.Diagnostics
	if problem := badName(in.Workspace); problem != "" {
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError,
			Summary:  "Invalid workspace name",
			Detail:   problem,
		})
	}
	place := &funcs.Place{Dir: p.dir, Root: p.repository, Home: environ["HOME"], TempDir: in.TempDir}
	head := p.context(cty.StringVal(in.Workspace), githubObject(in.GitHub), place)
	scope := Scope{project: p, place: place, head: head, ctx: head, workspace: in.Workspace, extra: in.Labels, secrets: in.Secrets}

	labels, labelDiags := evaluateLabels(p.labels, head, in.Secrets)
	scope.labels = labels
	diags = append(diags, labelDiags...)
	diags = append(diags, checkLabels(in.Labels, nil)...)

	named, givenDiags := p.givenValues(in, environ)
	scope.environ, scope.named = environ, named
	diags = append(diags, givenDiags...)
	scope, valueDiags := scope.settle()
	return scope, sorted(append(diags, valueDiags...))
}

// settle gives every variable its value, and evaluates anew what depends on
// them.
func (s Scope) settle() (Scope, hcl.Diagnostics) {
	// Variables are resolved before they are in a context: none can refer to
	// another.
	s.given, s.waiting = s.project.fromEnvironment(s)
	values, diags := s.project.resolve(s)
	for _, value := range values {
		addSecrets(s.secrets, value)
	}
	ctx := *s.head
	ctx.Variables = maps.Clone(s.head.Variables)
	ctx.Variables["var"] = cty.ObjectVal(values)
	s.ctx = &ctx
	s.shared = &shared{groups: map[string]sharedValues{}}
	return s, append(diags, s.project.validate(s)...)
}

// child returns a context for a part of the file, in which templates can be
// rendered: they see what it sees.
func (s Scope) child(ctx *hcl.EvalContext, variables map[string]cty.Value) *hcl.EvalContext {
	child := ctx.NewChild()
	child.Variables = variables
	child.Functions = s.place.Templates(child)
	return child
}

// context returns what the head of the file is evaluated in.
func (p *Project) context(workspace, github cty.Value, place *funcs.Place) *hcl.EvalContext {
	standard := &hcl.EvalContext{Functions: funcs.Standard()}
	ctx := standard.NewChild()
	ctx.Functions = place.Functions()
	ctx.Variables = map[string]cty.Value{
		"path": cty.ObjectVal(map[string]cty.Value{
			"pwd":     cty.StringVal(p.dir),
			"project": cty.StringVal(p.dir),
		}),
		"workspace": cty.ObjectVal(map[string]cty.Value{"name": workspace}),
		"github":    github,
	}
	return ctx
}

// earlyContext is the context at a time when nobody has said yet in which
// workspace, and for which event, the file is evaluated.
func (p *Project) earlyContext() *hcl.EvalContext {
	return p.context(cty.UnknownVal(cty.String), cty.DynamicVal, &funcs.Place{Dir: p.dir, Root: p.repository})
}

// Runner returns the environment variables that the file sets for this program,
// whatever the app.
func (s Scope) Runner() map[string]component.Setting {
	if s.project == nil || s.project.settings == nil {
		return nil
	}
	return s.runnerValues().settings("env", s.secrets)
}

// runnerValues returns the values of the project's runner block.
func (s Scope) runnerValues() values {
	if s.project.settings == nil {
		return values{}
	}
	groups, _ := s.project.settings.runner.chosen(s.workspace, s.projectLabels())
	found, _ := s.shared.evaluate(groups, s)
	return found
}

// projectLabels returns the labels of what belongs to no app.
func (s Scope) projectLabels() map[string]string {
	return mergeLabels(s.workspace, s.labels, s.extra)
}

// WithArtifact returns s with artifact.NAME for each of vars.
func (s Scope) WithArtifact(vars map[string]cty.Value) Scope {
	s.artifact = cty.ObjectVal(vars)
	return s
}

// WithDeploy returns s with deploy.NAME for each of vars.
func (s Scope) WithDeploy(vars map[string]cty.Value) Scope {
	s.deploy = cty.ObjectVal(vars)
	return s
}

// WithDeployment returns s for the deployment of that ID: stages see it in
// entrypoint.env.
func (s Scope) WithDeployment(id string) Scope {
	s.deployment = id
	return s
}

// WithUnknowns returns s in which artifact and deploy exist: with unknown
// values, where s has none.
func (s Scope) WithUnknowns() Scope {
	if s.artifact == cty.NilVal {
		s.artifact = cty.DynamicVal
	}
	if s.deploy == cty.NilVal {
		s.deploy = cty.DynamicVal
	}
	s.unknowns = true
	return s
}

// entrypoint is the variable of that name. There is no entrypoint in images, so
// its environment says that there is no server: templates that hand it on work.
func (s Scope) entrypoint() cty.Value {
	id := cty.StringVal(s.deployment)
	if s.unknowns && s.deployment == "" {
		id = cty.UnknownVal(cty.String)
	}
	return cty.ObjectVal(map[string]cty.Value{"env": cty.MapVal(map[string]cty.Value{
		"WAYPOINT_DEPLOYMENT_ID":  id,
		"WAYPOINT_SERVER_DISABLE": cty.StringVal("1"),
	})})
}

// githubNames are the attributes of the github object that are always there,
// so that a file evaluates the same on a terminal. As in a workflow's own
// expressions, what does not exist is empty.
var githubNames = []string{
	"actor", "base_ref", "event_name", "head_ref", "job", "ref", "ref_name", "ref_type",
	"repository", "repository_owner", "run_attempt", "run_id", "run_number", "server_url",
	"sha", "triggering_actor", "workflow",
}

// githubObject returns the variable github.
func githubObject(known map[string]cty.Value) cty.Value {
	empty := cty.StringVal("")
	object := map[string]cty.Value{
		"pull_request": cty.ObjectVal(map[string]cty.Value{
			"number": empty, "draft": empty, "head_ref": empty, "head_sha": empty, "base_ref": empty,
		}),
	}
	for _, name := range githubNames {
		object[name] = empty
	}
	maps.Copy(object, known)
	return cty.ObjectVal(object)
}

// App evaluates the head of one app in scope: its path, labels and settings,
// and which variant of each stage the workspace selects. The app is nil only
// where the file has none of that name.
func (p *Project) App(name string, scope Scope) (*App, hcl.Diagnostics) {
	for _, a := range p.apps {
		if a.name == name {
			evaluated, diags := p.evaluate(a, scope)
			return evaluated, sorted(diags)
		}
	}
	return nil, hcl.Diagnostics{{
		Severity: hcl.DiagError,
		Summary:  "Unknown app",
		Detail:   unknownApp(p.path, name, p.Apps()),
	}}
}

// unknownApp says that the file has no app of that name, and what it has.
func unknownApp(path, name string, apps []string) string {
	return fmt.Sprintf("There is no app %q in %s.%s %s", name, path, diag.Suggest(name, apps), listing("It has", apps))
}
