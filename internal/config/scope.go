package config

import (
	"fmt"
	"maps"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

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
	TempDir   string               // where template functions may write; this version has none
}

// Scope is what expressions can refer to: variables, path, workspace, github,
// and, as stages finish, artifact and deploy. It is a value: the With methods
// return a changed copy. The zero Scope knows nothing.
type Scope struct {
	ctx       *hcl.EvalContext
	workspace string
	labels    map[string]string // of the project
	extra     map[string]string // of the command line
	settings  delivered         // of the project's config block
	secrets   *secret.Set
	artifact  cty.Value // [cty.NilVal] until there is one
	deploy    cty.Value // likewise
	unknowns  bool      // artifact and deploy exist, with unknown values
}

// Scope resolves the project's variables and returns what its apps are
// evaluated in. The scope is usable even where there are problems: a variable
// without a good value is unknown in it.
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

	ctx := p.context(cty.StringVal(in.Workspace), githubObject(in.GitHub), environ["HOME"])
	scope := Scope{ctx: ctx, workspace: in.Workspace, extra: in.Labels, secrets: in.Secrets}

	labels, labelDiags := evaluateLabels(p.labels, ctx, in.Secrets)
	scope.labels = labels
	diags = append(diags, labelDiags...)
	diags = append(diags, checkLabels(in.Labels, nil)...)

	// Variables are resolved before they are in ctx: none can refer to another.
	values, valueDiags := p.resolve(in, environ, ctx)
	ctx.Variables["var"] = cty.ObjectVal(values)
	diags = append(diags, valueDiags...)
	for _, value := range values {
		addSecrets(in.Secrets, value)
	}
	settings, settingDiags := p.settings.evaluate(delivered{}, ctx, in.Secrets)
	scope.settings = settings
	return scope, sorted(append(diags, settingDiags...))
}

// context returns what the head of the file is evaluated in.
func (p *Project) context(workspace, github cty.Value, home string) *hcl.EvalContext {
	standard := &hcl.EvalContext{Functions: funcs.Standard()}
	ctx := standard.NewChild()
	ctx.Functions = funcs.Place{Dir: p.dir, Root: p.repository, Home: home}.Functions()
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
	return p.context(cty.UnknownVal(cty.String), cty.DynamicVal, "")
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
