package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// ordered returns steps in the order in which they run: each after those that
// it depends on, and otherwise as in the file.
func ordered(steps []PipelineStep) ([]PipelineStep, hcl.Diagnostics) {
	var names []string
	for _, s := range steps {
		names = append(names, s.Name)
	}
	for _, s := range steps {
		for _, other := range s.DependsOn {
			if !slices.Contains(names, other) {
				return steps, hcl.Diagnostics{badDependency(s, fmt.Sprintf("There is no step %q in this pipeline.%s %s",
					other, diag.Suggest(other, names), listing("It has", names)))}
			}
		}
	}
	var order []PipelineStep
	waiting, done := slices.Clone(steps), map[string]bool{}
	for len(waiting) > 0 {
		i := slices.IndexFunc(waiting, func(s PipelineStep) bool { return firstMissing(s, done) == "" })
		if i < 0 {
			return steps, hcl.Diagnostics{circle(waiting, done)}
		}
		done[waiting[i].Name] = true
		order = append(order, waiting[i])
		waiting = slices.Delete(waiting, i, i+1)
	}
	return order, nil
}

// firstMissing returns a step that s depends on and that is not done, or "".
func firstMissing(s PipelineStep, done map[string]bool) string {
	for _, other := range s.DependsOn {
		if !done[other] {
			return other
		}
	}
	return ""
}

// circle names steps that wait for one another. Each of waiting depends on
// another one of them, so going from one to the next must come back.
func circle(waiting []PipelineStep, done map[string]bool) *hcl.Diagnostic {
	named := map[string]PipelineStep{}
	for _, s := range waiting {
		named[s.Name] = s
	}
	var path []string
	for name := waiting[0].Name; ; name = firstMissing(named[name], done) {
		if i := slices.Index(path, name); i >= 0 {
			return badDependency(named[name], fmt.Sprintf("The step %s: each waits for the next. Remove one of the dependencies.", arrows(append(path[i:], name))))
		}
		path = append(path, name)
	}
}

// arrows shows a way from name to name.
func arrows(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = quote(name)
	}
	return strings.Join(quoted, " → ")
}

// badDependency reports what a step cannot depend on.
func badDependency(s PipelineStep, detail string) *hcl.Diagnostic {
	where := s.Range
	if s.dependsOn != nil {
		where = s.dependsOn.Expr.Range()
	}
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Invalid dependency", Detail: detail, Subject: &where}
}
