package config_test

import (
	"fmt"
	"testing"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/config"
)

// pipeline is a pipeline as archives show it.
type pipeline struct {
	Name  string
	Steps []pipelineStep
}

type pipelineStep struct {
	Name      string
	DependsOn []string          `json:",omitempty"`
	Workspace string            `json:",omitempty"`
	Labels    map[string]string `json:",omitempty"`
	Action    string
	Command   []string `json:",omitempty"`
	Line      int
}

// evaluatePipelines evaluates all pipelines of a project, after checking them.
func evaluatePipelines(p *config.Project, scope config.Scope) ([]pipeline, hcl.Diagnostics) {
	if diags := p.CheckPipelines(scope); diags.HasErrors() {
		return nil, diags
	}
	var (
		shown []pipeline
		diags hcl.Diagnostics
	)
	for _, name := range p.Pipelines() {
		evaluated, more := p.Pipeline(name, scope)
		diags = append(diags, more...)
		one := pipeline{Name: evaluated.Name}
		for _, s := range evaluated.Steps {
			one.Steps = append(one.Steps, showStep(s))
		}
		shown = append(shown, one)
	}
	return shown, diags
}

func showStep(s config.PipelineStep) pipelineStep {
	shown := pipelineStep{
		Name: s.Name, DependsOn: s.DependsOn, Workspace: s.Workspace, Labels: s.Labels, Line: s.Range.Start.Line,
	}
	switch a := s.Action.(type) {
	case config.NestedStep:
		shown.Action = "pipeline " + a.Pipeline.Name
	case config.ExecStep:
		shown.Action, shown.Command = "exec in "+a.Image, a.Command
	default:
		shown.Action = fmt.Sprintf("%T %+v", a, a)
	}
	return shown
}

func TestUnknownPipelineIsSuggested(t *testing.T) {
	t.Parallel()
	p, scope := load(t, `
project = "shop"
pipeline "release" {
  step "up" {
    use "up" {}
  }
}
`, config.Inputs{})
	evaluated, diags := p.Pipeline("relaese", scope)
	want := `There is no pipeline "relaese" in ` + p.Path() + `. Did you mean "release"? It has "release".`
	if evaluated != nil || len(diags) != 1 || diags[0].Summary != `Unknown pipeline "relaese"` || diags[0].Detail != want {
		t.Errorf("Pipeline = %v, %v, want the problem %q", evaluated, diags, want)
	}
}
