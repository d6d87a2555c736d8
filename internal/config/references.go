package config

import (
	"bytes"
	"strings"

	"github.com/hashicorp/hcl/v2"
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
	refers := references{project: p, names: map[string]bool{}}
	evaluated, _ := p.evaluate(a, scope)
	refers.attribute(p.labels)
	refers.attribute(a.path)
	refers.attribute(a.labels)
	groups := evaluated.runnerGroups
	for _, name := range stages {
		if name == Settings {
			groups = append(groups, evaluated.groups...)
		}
		name, alone := strings.CutSuffix(name, useOnly)
		s := evaluated.named(name)
		if s == nil {
			continue
		}
		refers.attribute(s.labels)
		if alone {
			refers.body(s.Body)
		} else {
			refers.body(s.variant.body)
		}
	}
	for _, g := range groups {
		refers.attribute(g.env)
		refers.attribute(g.file)
		refers.attribute(g.internal)
	}

	var asked []Request
	scope.asked = &asked
	for _, g := range groups {
		_, _ = g.evaluate(values{}, evaluated.ctx, scope)
	}
	refers.ask(scope)
	for _, r := range asked { // the block of a source may refer to variables, too
		if block := p.sources[r.Source]; block != nil {
			refers.body(block.Body)
		}
	}
	refers.ask(scope)
	return distinctRequests(asked)
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

// references are the variables that parts of a file refer to.
type references struct {
	project *Project
	names   map[string]bool
	every   bool // a template, or a computed name, may refer to any
}

// ask evaluates the dynamic defaults of the variables, for scope to note what
// they ask for.
func (r *references) ask(scope Scope) {
	for _, v := range r.project.variables {
		if _, given := scope.given[v.name]; v.dynamic && !given && (r.every || r.names[v.name]) {
			_, _ = v.fallback(v.context(scope))
		}
	}
}

// attribute adds what an argument refers to. Nil is no argument.
func (r *references) attribute(attribute *hcl.Attribute) {
	if attribute == nil {
		return
	}
	for _, traversal := range attribute.Expr.Variables() {
		if traversal.RootName() != "var" {
			continue
		}
		if name := stepName(traversal, 1); name != "" {
			r.names[name] = true
		} else {
			r.every = true
		}
	}
	// What a template refers to is known only when it is rendered.
	if bytes.Contains(r.project.sourceOf(attribute.Expr.Range()), []byte("template")) {
		r.every = true
	}
}

// body adds what the arguments of a body, and of the blocks in it, refer to,
// but for those of further variants and stages.
func (r *references) body(body hcl.Body) {
	attributes, blocks := parts(body)
	for _, attribute := range attributes {
		r.attribute(attribute)
	}
	for _, block := range blocks {
		switch block.Type {
		case "workspace", "label", "registry":
		default:
			r.body(block.Body)
		}
	}
}

// sourceOf returns the text at a range.
func (p *Project) sourceOf(where hcl.Range) []byte {
	file := p.files[where.Filename]
	if file == nil || !where.CanSliceBytes(file.Bytes) {
		return nil
	}
	return where.SliceBytes(file.Bytes)
}
