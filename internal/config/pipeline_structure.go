package config

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/diag"
)

var (
	pipelineGrammar = newGrammar("a pipeline block",
		argument("labels", "Labels of the operations of all steps."),
		block("step", "One step. Steps run in the order of the file, or as `depends_on` says.", "name"),
	)
	stepGrammar = newGrammar("a step block",
		argument("depends_on", "Steps that come before this one; by default the one above it."),
		argument("workspace", "The workspace of the step; by default that of the run."),
		argument("labels", "Labels of the step's operations, over those of the pipeline."),
		argument("image_url", "The image in which an `exec` step runs its command."),
		block("use", "What the step does.", "type"),
		block("pipeline", "A pipeline of its own, which the step runs.", "name"),
	)
	// stepUseGrammars are those of the use blocks in steps, by their type.
	stepUseGrammars = map[string]grammar{
		"build": newGrammar(`use "build"`,
			argument("disable_push", "Leave what was built where it is."),
		),
		"deploy": newGrammar(`use "deploy"`,
			argument("release", "Release what was deployed; by default a `release` step does."),
		),
		"release": newGrammar(`use "release"`, append([]term{
			argument("deployment_ref", "The deployment to release: a sequence or an ID; by default the newest."),
		}, pruneTerms("true")...)...),
		"up": newGrammar(`use "up"`, pruneTerms("false")...),
		"exec": newGrammar(`use "exec"`,
			required("command", "The program. No shell reads it."),
			argument("args", "The program's arguments."),
		),
		"pipeline": newGrammar(`use "pipeline"`,
			argument("project", "This project's name, or nothing."),
			required("name", "The pipeline that the step runs."),
		),
	}
)

// pruneTerms say what becomes of old deployments.
func pruneTerms(standard string) []term {
	return []term{
		argument("prune", "Destroy old deployments afterwards; `"+standard+"` by default."),
		argument("prune_retain", "How many deployments to keep beside the released one."),
		argument("prune_retain_override", "Without `prune_retain`: keep none beside the released one."),
	}
}

// pipeline is a pipeline block, taken apart and not evaluated.
type pipeline struct {
	name   string
	header hcl.Range
	body   hcl.Body
	labels *hcl.Attribute // nil when absent
	steps  []*step
}

// step is a step block, taken apart and not evaluated. Of a good one either use
// or embedded is not nil.
type step struct {
	name     string
	header   hcl.Range
	where    hcl.Range // of the name
	body     hcl.Body
	labels   *hcl.Attribute // nil when absent
	use      *hcl.Block
	embedded *pipeline
}

// readPipelines takes the pipeline blocks of the file apart.
func (p *Project) readPipelines(blocks hcl.Blocks) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, block := range blocks {
		_, more := p.readPipeline(block, nil)
		diags = append(diags, more...)
	}
	return diags
}

// readPipeline takes a pipeline block apart, which may be embedded in a step.
// Either way it is a pipeline of the project, under its name.
func (p *Project) readPipeline(block *hcl.Block, within *step) (*pipeline, hcl.Diagnostics) {
	content, diags := pipelineGrammar.read(block.Body)
	made := &pipeline{name: block.Labels[0], header: block.DefRange, body: block.Body, labels: content.Attributes["labels"]}
	if earlier := p.pipeline(made.name); earlier != nil {
		diags = append(diags, twice("pipeline", made.name, block.LabelRanges[0], earlier.header))
	} else {
		p.pipelines = append(p.pipelines, made)
	}
	first := map[string]hcl.Range{}
	for _, block := range content.Blocks.OfType("step") {
		s, more := p.readStep(block, within)
		diags = append(diags, more...)
		if earlier, found := first[s.name]; found {
			diags = append(diags, twice("step", s.name, s.where, earlier))
			continue
		}
		first[s.name] = s.header
		made.steps = append(made.steps, s)
	}
	if len(made.steps) == 0 && !attempted(block.Body, &pipelineGrammar.schema, "step") {
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError,
			Summary:  "Missing step block",
			Detail:   fmt.Sprintf("The pipeline %q has no step. Add step \"NAME\" { use \"TYPE\" { … } }.", made.name),
			Subject:  &made.header,
		})
	}
	return made, diags
}

// readStep takes a step block apart. The step is never nil.
func (p *Project) readStep(block *hcl.Block, within *step) (*step, hcl.Diagnostics) {
	content, diags := stepGrammar.read(block.Body)
	s := &step{
		name: block.Labels[0], header: block.DefRange, where: block.LabelRanges[0],
		body: block.Body, labels: content.Attributes["labels"],
	}
	use, more := one(content, "use")
	diags = append(diags, more...)
	inner, more := one(content, "pipeline")
	diags = append(diags, more...)
	problem := func(summary, detail string, where hcl.Range) {
		diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &where})
	}
	switch {
	case use != nil && inner != nil:
		problem("A step with both use and pipeline", fmt.Sprintf(
			"The step %q has a use block on line %d, and a pipeline block. It can do one thing: remove one of the two, or make two steps of it.",
			s.name, use.DefRange.Start.Line), inner.DefRange)
	case use != nil:
		s.use = use
		diags = append(diags, readStepUse(use)...)
	case inner != nil && within != nil:
		problem("Pipelines nested too deep", fmt.Sprintf(
			"The step %q is in a pipeline that the step %q embeds, so it cannot embed one itself. Move the pipeline %q to the top of the file, and name it here: use \"pipeline\" { name = %q }.",
			s.name, within.name, inner.Labels[0], inner.Labels[0]), inner.DefRange)
	case inner != nil:
		s.embedded, more = p.readPipeline(inner, s)
		diags = append(diags, more...)
	case !attempted(block.Body, &stepGrammar.schema, "use") && !attempted(block.Body, &stepGrammar.schema, "pipeline"):
		problem("A step that does nothing", fmt.Sprintf(
			"The step %q has neither a use nor a pipeline block. Add use \"TYPE\" { … }. %s", s.name, listing("The types are", stepTypes())), s.header)
	}
	return s, diags
}

// readStepUse checks the use block of a step as far as nothing is evaluated.
func readStepUse(use *hcl.Block) hcl.Diagnostics {
	grammar, known := stepUseGrammars[use.Labels[0]]
	if !known {
		return hcl.Diagnostics{{
			Severity: hcl.DiagError,
			Summary:  "Unknown type of step",
			Detail: fmt.Sprintf("No step is of type %q.%s %s", use.Labels[0],
				diag.Suggest(use.Labels[0], stepTypes()), listing("The types are", stepTypes())),
			Subject: &use.LabelRanges[0],
		}}
	}
	_, diags := grammar.read(use.Body)
	return diags
}

// stepTypes are the types of steps, in order.
func stepTypes() []string { return keys(stepUseGrammars) }

// pipeline returns the pipeline of that name, or nil.
func (p *Project) pipeline(name string) *pipeline {
	for _, known := range p.pipelines {
		if known.name == name {
			return known
		}
	}
	return nil
}
