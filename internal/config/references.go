package config

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/config/bounded"
)

// Settings stands, among the stages that [Project.Requests] is given, for what
// the config blocks deliver to the app.
const Settings = "settings"

// UseOf stands, among the stages that [Project.Requests] is given, for the use
// block of a stage alone: without its hooks.
func UseOf(stage string) string { return stage + useOnly }

const useOnly = " use"

// Requests returns what the named stages of an app ask of sources and have no
// answer to in scope. Answers can lead to further requests, so ask until there
// are none.
func (p *Project) Requests(name string, scope Scope, stages ...string) []Request {
	if !p.asks {
		return nil
	}
	for _, a := range p.apps {
		if a.name == name {
			return p.requests(a, scope, stages)
		}
	}
	return nil
}

func (p *Project) requests(a *app, scope Scope, stages []string) []Request {
	refers := newReferences(scope)
	evaluated, _ := p.evaluate(a, scope)
	refers.settings(evaluated.runner, "env")
	if slices.Contains(stages, Settings) {
		refers.settings(evaluated.delivered, "env", "file")
	}
	refers.attribute(p.labels)
	refers.attribute(a.path)
	refers.attribute(a.labels)
	for _, name := range stages {
		name, alone := strings.CutSuffix(name, useOnly)
		if s := evaluated.named(name); s != nil {
			refers.stage(s, alone)
		}
	}
	return distinctRequests(refers.asked)
}

// distinctRequests leaves out those that were asked for before.
func distinctRequests(asked []Request) []Request {
	seen := map[string]bool{}
	var open []Request
	for _, r := range asked {
		if !seen[r.ID()] {
			seen[r.ID()] = true
			open = append(open, r)
		}
	}
	return open
}

// references gathers what parts of a file ask of sources, and what that which
// they refer to asks.
type references struct {
	scope Scope
	asked []Request

	// What was looked at already.
	variables map[string]bool
	entries   map[*entry]bool
	sources   map[string]bool
}

func newReferences(scope Scope) *references {
	return &references{scope: scope, variables: map[string]bool{}, entries: map[*entry]bool{}, sources: map[string]bool{}}
}

// ask adds requests. The block of a source may refer to variables, too.
func (r *references) ask(requests []Request) {
	for _, request := range requests {
		r.asked = append(r.asked, request)
		block := r.scope.project.sources[request.Source]
		if block != nil && !r.sources[request.Source] {
			r.sources[request.Source] = true
			r.body(block.Body, r.scope.ctx)
		}
	}
}

// settings adds the values of the named kinds. What lies under another value,
// and what only other values see, counts where one of these refers to it.
func (r *references) settings(v values, kinds ...string) {
	for _, kind := range kinds {
		for _, e := range v.matching(kind, "") {
			r.entry(e)
		}
	}
}

// entry adds a value of a config block.
func (r *references) entry(e *entry) {
	if r.entries[e] {
		return
	}
	r.entries[e] = true
	r.ask(e.asked)
	if e.taken != nil {
		r.expression(e.taken)
	}
	for _, other := range e.refers {
		r.entry(other)
	}
}

// variable adds the one of that name: where its value comes from, and the
// conditions on it.
func (r *references) variable(v *variable) {
	if r.variables[v.name] {
		return
	}
	r.variables[v.name] = true
	_, given := r.scope.given[v.name]
	switch open := r.scope.waiting[v.name]; {
	case open != nil:
		r.entry(open)
	case v.dynamic && !given:
		var asked []Request
		scope := r.scope
		scope.asked = &asked
		ctx := v.context(scope)
		_, _ = evaluate(bounded.Taken(v.standard.Expr, ctx), ctx)
		r.ask(asked)
	}
	for _, condition := range v.validations {
		r.attribute(condition.condition)
		r.attribute(condition.message)
	}
}

// attribute adds what an argument refers to. Nil is no argument.
func (r *references) attribute(attribute *hcl.Attribute) {
	if attribute != nil {
		r.expression(attribute.Expr)
	}
}

// expression adds what an expression refers to. What a template refers to is
// known only when it is rendered: it may be any variable.
func (r *references) expression(expr hcl.Expression) {
	every := calls(expr, templateNames)
	names := map[string]bool{}
	for _, traversal := range expr.Variables() {
		if traversal.RootName() == "var" {
			name := stepName(traversal, 1)
			names[name] = true
			every = every || name == "" // it is computed
		}
	}
	for _, v := range r.scope.project.variables {
		if every || names[v.name] {
			r.variable(v)
		}
	}
}

// stage adds a stage of one workspace: only the variant that it selects.
// Alone is its use block.
func (r *references) stage(s *Stage, alone bool) {
	r.attribute(s.labels)
	ctx := s.context(r.scope.WithUnknowns())
	if s.variant.use != nil {
		r.body(s.variant.use.Body, ctx)
	}
	if alone {
		return
	}
	for _, hook := range s.variant.hooks {
		r.body(hook.Body, ctx)
	}
	if s.variant.body == nil {
		return
	}
	// A release block has the arguments of all stages.
	schema := &hcl.BodySchema{Attributes: stageGrammars["release"].schema.Attributes}
	content, _, _ := s.variant.body.PartialContent(schema)
	for _, name := range keys(content.Attributes) {
		r.attribute(content.Attributes[name])
	}
}

// body adds what the arguments of a body, and of the blocks in it, refer to when
// they are evaluated in ctx.
func (r *references) body(body hcl.Body, ctx *hcl.EvalContext) {
	attributes, blocks := parts(body)
	for _, name := range keys(attributes) {
		r.expression(bounded.Taken(attributes[name].Expr, ctx))
	}
	for _, block := range blocks {
		r.body(block.Body, ctx)
	}
}
