package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/hashicorp/hcl/v2"
)

// pipelineBuilder evaluates pipelines and gathers their problems.
type pipelineBuilder struct {
	project *Project
	scope   Scope
	ctx     *hcl.EvalContext
	partial bool // what is unknown is left out, instead of a problem
	made    map[*pipeline]*Pipeline
	open    []string // the pipelines that are being evaluated, outermost first
	diags   hcl.Diagnostics
}

func (p *Project) pipelineBuilder(scope Scope, partial bool) *pipelineBuilder {
	return &pipelineBuilder{
		project: p, scope: scope, ctx: scope.child(scope.ctx, nil), partial: partial, made: map[*pipeline]*Pipeline{},
	}
}

// pipeline evaluates known, once.
func (b *pipelineBuilder) pipeline(known *pipeline) *Pipeline {
	if made := b.made[known]; made != nil {
		return made
	}
	made := &Pipeline{Name: known.name, Range: known.header}
	b.made[known] = made
	b.open = append(b.open, known.name)
	labels := b.labels(known.labels)
	var steps []PipelineStep
	for i, s := range known.steps {
		evaluated := b.step(s)
		if evaluated.DependsOn == nil && i > 0 {
			evaluated.DependsOn = []string{known.steps[i-1].name}
		}
		evaluated.Labels = maps.Clone(labels)
		maps.Copy(evaluated.Labels, b.labels(s.labels))
		steps = append(steps, evaluated)
	}
	b.open = b.open[:len(b.open)-1]
	var diags hcl.Diagnostics
	made.Steps, diags = ordered(steps)
	b.diags = append(b.diags, diags...)
	return made
}

// labels evaluates the labels of a pipeline or of a step.
func (b *pipelineBuilder) labels(attribute *hcl.Attribute) map[string]string {
	labels, diags := evaluateLabels(attribute, b.ctx, b.scope.secrets)
	b.diags = append(b.diags, diags...)
	return labels
}

// stepBody is a step block as it is written, but for its labels.
type stepBody struct {
	DependsOn []string `hcl:"depends_on,optional"`
	Workspace string   `hcl:"workspace,optional"`
	Image     string   `hcl:"image_url,optional"`
	Rest      hcl.Body `hcl:",remain"`
}

// step evaluates a step. Its DependsOn is nil where the file does not say it.
func (b *pipelineBuilder) step(s *step) PipelineStep {
	var body stepBody
	complete := b.decode(s.body, stepGrammar.what, &body)
	evaluated := PipelineStep{Name: s.name, Range: s.header, Workspace: body.Workspace, DependsOn: body.DependsOn}
	attributes, _ := parts(s.body)
	evaluated.dependsOn = attributes["depends_on"]
	if workspace := attributes["workspace"]; body.Workspace != "" {
		b.diags = append(b.diags, badWorkspace(body.Workspace, workspace.Expr.Range())...)
	}
	switch {
	case s.embedded != nil:
		evaluated.Action = NestedStep{b.pipeline(s.embedded)}
	case s.use != nil:
		evaluated.Action = b.action(s.use)
	}
	b.image(&evaluated, attributes["image_url"], body.Image, complete)
	return evaluated
}

// image gives a command its image. That there is none is a problem only where
// all of the step is known.
func (b *pipelineBuilder) image(s *PipelineStep, written *hcl.Attribute, image string, complete bool) {
	command, isCommand := s.Action.(ExecStep)
	switch {
	case isCommand && image != "":
		command.Image = image
		s.Action = command
	case isCommand && complete:
		b.problem("A command without an image", fmt.Sprintf(
			"The step %q runs a command, and its step block does not say in which image. Add image_url = \"IMAGE\" beside the use block.", s.Name), s.Range)
	case !isCommand && s.Action != nil && written != nil:
		b.diags = append(b.diags, &hcl.Diagnostic{
			Severity: hcl.DiagWarning,
			Summary:  `"image_url" has no effect`,
			Detail:   fmt.Sprintf("The step %q is not of type \"exec\", so it runs no command in an image. Remove image_url.", s.Name),
			Subject:  &written.NameRange,
		})
	}
}

// action evaluates the use block of a step.
func (b *pipelineBuilder) action(use *hcl.Block) StepAction {
	kind := use.Labels[0]
	read := func(into any) (complete bool) { return b.decode(use.Body, "use "+quote(kind), into) }
	switch kind {
	case "build":
		var body struct {
			NoPush bool `hcl:"disable_push,optional"`
		}
		read(&body)
		return BuildStep{body.NoPush}
	case "deploy":
		var body struct {
			Release bool `hcl:"release,optional"`
		}
		read(&body)
		return DeployStep{body.Release}
	case "release":
		var body struct {
			Deployment string   `hcl:"deployment_ref,optional"`
			Rest       hcl.Body `hcl:",remain"`
		}
		read(&body)
		if body.Deployment == "0" { // Waypoint's word for the newest
			body.Deployment = ""
		}
		if number, err := strconv.Atoi(body.Deployment); err == nil && number < 0 {
			b.negative(use, "deployment_ref", number, "Write the sequence or the ID of a deployment, or remove it for the newest")
		}
		return ReleaseStep{body.Deployment, b.prune(use, true)}
	case "up":
		return UpStep{b.prune(use, false)}
	case "exec":
		var body struct {
			Command string   `hcl:"command"`
			Args    []string `hcl:"args,optional"`
		}
		if read(&body) && body.Command == "" {
			b.problem("Missing command", "The argument \"command\" is empty. Name the program that the step runs.", use.DefRange)
		}
		return ExecStep{Command: append([]string{body.Command}, body.Args...), Range: use.LabelRanges[0]}
	case "pipeline":
		return b.other(use)
	}
	return nil // Load has reported it
}

// prune evaluates what a use block says of old deployments.
func (b *pipelineBuilder) prune(use *hcl.Block, standard bool) Prune {
	var body struct {
		Prune    *bool    `hcl:"prune"`
		Retain   *int     `hcl:"prune_retain"`
		Override bool     `hcl:"prune_retain_override,optional"`
		Rest     hcl.Body `hcl:",remain"`
	}
	b.decode(use.Body, "use "+quote(use.Labels[0]), &body)
	p := Prune{Off: !standard, Retain: -1}
	if body.Prune != nil {
		p.Off = !*body.Prune
	}
	switch {
	case body.Retain != nil && *body.Retain < 0:
		b.negative(use, "prune_retain", *body.Retain, "Write how many deployments to keep; 0 keeps the released one alone")
	case body.Retain != nil:
		p.Retain = *body.Retain
	case body.Override:
		p.Retain = 0
	}
	return p
}

// negative reports a number below zero.
func (b *pipelineBuilder) negative(use *hcl.Block, attribute string, number int, remedy string) {
	attributes, _ := parts(use.Body)
	b.problem(fmt.Sprintf("Invalid %q", attribute), fmt.Sprintf("It is %d, which is below zero. %s.", number, remedy), attributes[attribute].Expr.Range())
}

// other evaluates a use block that names another pipeline; nil where there is
// none to run.
func (b *pipelineBuilder) other(use *hcl.Block) StepAction {
	var body struct {
		Project string `hcl:"project,optional"`
		Name    string `hcl:"name"`
	}
	if !b.decode(use.Body, `use "pipeline"`, &body) {
		return nil
	}
	attributes, _ := parts(use.Body)
	if body.Project != "" && body.Project != b.project.name {
		b.problem("A pipeline of another project", fmt.Sprintf(
			"The pipeline %q is said to be in project %q, and this is project %q. There is no server that knows others. Run that pipeline from its own repository, or copy it to this file.",
			body.Name, body.Project, b.project.name), attributes["project"].Expr.Range())
		return nil
	}
	where := attributes["name"].Expr.Range()
	known := b.project.pipeline(body.Name)
	if known == nil {
		b.problem("Unknown pipeline", b.project.unknownPipeline(body.Name), where)
		return nil
	}
	if i := slices.Index(b.open, body.Name); i >= 0 {
		b.problem("Pipelines that run one another", fmt.Sprintf(
			"The pipeline %s: each runs the next. Remove one of the steps.", arrows(append(slices.Clone(b.open[i:]), body.Name))), where)
		return nil
	}
	return NestedStep{b.pipeline(known)}
}

// decode reads a body into a struct; complete says that all of it was known
// and good.
func (b *pipelineBuilder) decode(body hcl.Body, what string, into any) (complete bool) {
	r := &reader{ctx: b.ctx, secrets: b.scope.secrets, what: what, partial: b.partial}
	diags := r.decode(body, into)
	b.diags = append(b.diags, diags...)
	return !r.incomplete && !diags.HasErrors()
}

func (b *pipelineBuilder) problem(summary, detail string, where hcl.Range) {
	b.diags = append(b.diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &where})
}
