package engine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/config"
)

// inOrder returns pipelines with each app after those that it depends on, and
// else as they were, and tells each for which of them it waits. An app that was
// not chosen is not pulled in, but what it depends on counts: what comes before
// it comes before those that depend on it. A circle is a problem, and breaks
// where it was found.
func (e *Engine) inOrder(pipelines []*pipeline) ([]*pipeline, hcl.Diagnostics) {
	o := order{engine: e, apps: map[string]*config.App{}, before: map[string][]string{}}
	chosen := map[string]*pipeline{}
	for _, p := range pipelines {
		o.apps[p.app.Name], chosen[p.app.Name] = p.app, p
	}
	for _, p := range pipelines {
		o.visit(p.app.Name)
	}
	var sorted []*pipeline
	for _, name := range o.done {
		if p := chosen[name]; p != nil {
			p.after = o.before[name]
			sorted = append(sorted, p)
		}
	}
	return sorted, o.diags
}

// dependantsFirst returns pipelines, in the order that inOrder gave them, the
// other way round, and tells each which of them have to be gone before it.
func dependantsFirst(pipelines []*pipeline) []*pipeline {
	reversed := slices.Clone(pipelines)
	slices.Reverse(reversed)
	for _, p := range reversed {
		for _, other := range reversed {
			if slices.Contains(other.after, p.app.Name) {
				p.neededBy = append(p.neededBy, other.app.Name)
			}
		}
	}
	return reversed
}

// order is a walk along the dependencies of apps.
type order struct {
	engine *Engine
	apps   map[string]*config.App // evaluated so far; nil for one that the file lacks
	before map[string][]string    // all that an app depends on, by its name
	done   []string               // visited, each after what it depends on
	path   []string               // from the first app to the one that is visited
	diags  hcl.Diagnostics
}

// visit comes to an app after it has come to all that the app depends on.
func (o *order) visit(name string) {
	if i := slices.Index(o.path, name); i >= 0 {
		o.circle(append(slices.Clone(o.path[i:]), name))
		return
	}
	if slices.Contains(o.done, name) {
		return
	}
	o.path = append(o.path, name)
	var before []string
	for _, other := range o.dependencies(name) {
		o.visit(other)
		before = append(append(before, other), o.before[other]...)
	}
	o.before[name] = before
	o.path = o.path[:len(o.path)-1]
	o.done = append(o.done, name)
}

// dependencies returns what an app itself names. Problems of one that was not
// chosen do not matter here.
func (o *order) dependencies(name string) []string {
	app, known := o.apps[name]
	if !known {
		app, _ = o.engine.Project.App(name, o.engine.Scope)
		o.apps[name] = app
	}
	if app == nil {
		return nil
	}
	return app.DependsOn
}

// circle reports apps that wait for one another.
func (o *order) circle(names []string) {
	o.diags = append(o.diags, &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Apps depend on one another in a circle",
		Detail: fmt.Sprintf("None of them can come first: %s. Remove one of these from \"depends_on\".",
			strings.Join(names, " → ")),
		Subject: o.apps[names[0]].Range.Ptr(),
	})
}
