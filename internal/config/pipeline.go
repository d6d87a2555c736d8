package config

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// Pipeline is one pipeline block, evaluated.
type Pipeline struct {
	Name  string
	Range hcl.Range      // of the block's header
	Steps []PipelineStep // in the order in which they run
}

// PipelineStep is one step of a pipeline.
type PipelineStep struct {
	Name      string
	Range     hcl.Range         // of the block's header
	DependsOn []string          // steps of the same pipeline
	Workspace string            // "" for that of what runs the pipeline
	Labels    map[string]string // of the step and its pipeline
	Action    StepAction

	dependsOn *hcl.Attribute // nil when absent
}

// StepAction is what a step does: a [BuildStep], [DeployStep], [ReleaseStep],
// [UpStep], [ExecStep] or [NestedStep].
type StepAction interface{ stepAction() }

// BuildStep builds, and pushes.
type BuildStep struct{ NoPush bool }

// DeployStep deploys the newest artifact that was pushed.
type DeployStep struct{ Release bool }

// ReleaseStep releases a deployment.
type ReleaseStep struct {
	Deployment string // sequence or ID; "" for the newest
	Prune      Prune
}

// UpStep builds, pushes, deploys and releases.
type UpStep struct{ Prune Prune }

// Prune says what becomes of old deployments after a release.
type Prune struct {
	Off    bool // all are kept
	Retain int  // to keep beside the released one; negative for the default
}

// ExecStep runs a command in an image.
type ExecStep struct {
	Image   string
	Command []string  // the program and its arguments
	Range   hcl.Range // of the use block's type
}

// NestedStep runs the steps of another pipeline, or of one in the step itself.
type NestedStep struct{ Pipeline *Pipeline }

func (BuildStep) stepAction()   {}
func (DeployStep) stepAction()  {}
func (ReleaseStep) stepAction() {}
func (UpStep) stepAction()      {}
func (ExecStep) stepAction()    {}
func (NestedStep) stepAction()  {}

// Pipelines returns the names of the pipelines, in the order of the file; one
// that a step embeds comes after the one around it.
func (p *Project) Pipelines() []string {
	names := make([]string, len(p.pipelines))
	for i, known := range p.pipelines {
		names[i] = known.name
	}
	return names
}

// StepOutline is a step as the file names it.
type StepOutline struct{ Name, Type string }

// PipelineSteps returns the steps of a pipeline in the order of the file. It
// evaluates nothing.
func (p *Project) PipelineSteps(name string) []StepOutline {
	known := p.pipeline(name)
	if known == nil {
		return nil
	}
	var steps []StepOutline
	for _, s := range known.steps {
		kind := "pipeline"
		if s.use != nil {
			kind = s.use.Labels[0]
		}
		steps = append(steps, StepOutline{s.name, kind})
	}
	return steps
}

// Pipeline evaluates a pipeline, with those that its steps run. Steps see what
// the head of the file sees, and workspace.name is that of the scope also in a
// step with a workspace of its own. The pipeline is nil only where the file has
// none of that name.
func (p *Project) Pipeline(name string, scope Scope) (*Pipeline, hcl.Diagnostics) {
	known := p.pipeline(name)
	if known == nil {
		return nil, hcl.Diagnostics{{Severity: hcl.DiagError, Summary: fmt.Sprintf("Unknown pipeline %q", name), Detail: p.unknownPipeline(name)}}
	}
	b := p.pipelineBuilder(scope, false)
	return b.pipeline(known), sorted(b.diags)
}

// CheckPipelines reports what is wrong with the pipelines as far as their
// values are known.
func (p *Project) CheckPipelines(scope Scope) hcl.Diagnostics {
	b := p.pipelineBuilder(scope, true)
	for _, known := range p.pipelines {
		b.pipeline(known)
	}
	return sorted(b.diags)
}

// PipelineRequests returns what a pipeline, and those that its steps run, ask of
// sources and have no answer to in scope.
func (p *Project) PipelineRequests(name string, scope Scope) []Request {
	known := p.pipeline(name)
	if known == nil {
		return nil
	}
	b := p.pipelineBuilder(scope, true)
	b.pipeline(known)
	refers := newReferences(scope)
	for _, evaluated := range p.pipelines {
		if b.made[evaluated] != nil {
			refers.body(evaluated.body, b.ctx)
		}
	}
	return distinctRequests(refers.asked)
}

// unknownPipeline says that the file has no pipeline of that name, and what it
// has.
func (p *Project) unknownPipeline(name string) string {
	return fmt.Sprintf("There is no pipeline %q in %s.%s %s", name, p.path, diag.Suggest(name, p.Pipelines()), listing("It has", p.Pipelines()))
}
