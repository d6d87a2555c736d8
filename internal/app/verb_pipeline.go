package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/config"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/engine"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/container"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/ui"
)

// pipelineFlags are those of the verb that its steps have, too.
func pipelineFlags(c *cobra.Command, f *flags) {
	c.Flags().BoolVar(&f.prune, "prune", true, "destroy old deployments where a step says so")
	c.Flags().IntVar(&f.Retain, "prune-retain", 1, "keep this `number` of deployments beside the released one, whatever a step says")
}

// pipelineWords explains what pipeline takes.
func pipelineWords(_ *cobra.Command, words []string) error {
	if slices.Equal(words, []string{"list"}) || len(words) == 2 && words[0] == "run" {
		return nil
	}
	usage := "pipeline takes `run NAME` or `list`, as in: deploy-action pipeline run release"
	if slices.ContainsFunc(words, func(word string) bool { return strings.ContainsAny(word, " \t") }) {
		usage += "; in the input `flags` each word has a line of its own"
	}
	return errors.New(usage)
}

// runPipelineVerb lists the pipelines, or runs one.
func runPipelineVerb(ctx context.Context, s *session, f *flags, words []string) error {
	if words[0] == "list" {
		return s.listPipelines(f.session.json)
	}
	if err := s.openState(ctx, f.session, verb{use: "pipeline", changes: true}); err != nil {
		return err
	}
	results, err := s.engine.RunPipeline(ctx, words[1], f.Options)
	return errors.Join(err, s.conclude(results, f.session.json))
}

// jsonPipeline is one element of pipeline list --json.
type jsonPipeline struct {
	Name  string     `json:"name"`
	Steps []jsonStep `json:"steps"`
}

type jsonStep struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

func (s *session) listPipelines(asJSON bool) error {
	shown := []jsonPipeline{}
	var rows [][]string
	for _, name := range s.project.Pipelines() {
		one := jsonPipeline{Name: name}
		var steps []string
		for _, step := range s.project.PipelineSteps(name) {
			one.Steps = append(one.Steps, jsonStep(step))
			if step.Name != step.Type {
				step.Name += " (" + step.Type + ")"
			}
			steps = append(steps, step.Name)
		}
		shown = append(shown, one)
		rows = append(rows, []string{name, strings.Join(steps, ", ")})
	}
	switch {
	case asJSON:
		return s.printJSON(shown)
	case len(rows) == 0:
		s.ui.Print("%s declares no pipeline.", s.project.Path())
	default:
		s.ui.Print("%s", ui.Table([]string{"PIPELINE", "STEPS"}, rows))
	}
	return nil
}

// title names a result among others: by its app, and with its workspace where
// the steps of a pipeline ran in several.
func title(r engine.Result, among []engine.Result) string {
	if slices.ContainsFunc(among, func(other engine.Result) bool { return other.Workspace != r.Workspace }) {
		return r.App + " (" + r.Workspace + ")"
	}
	return r.App
}

// scopeIn evaluates the head of the file for another workspace. Labels of the
// command line win over the given ones.
func (s *session) scopeIn(workspace string, labels map[string]string) (config.Scope, hcl.Diagnostics) {
	inputs := s.inputs
	inputs.Workspace, inputs.Labels = workspace, map[string]string{}
	maps.Copy(inputs.Labels, labels)
	maps.Copy(inputs.Labels, s.inputs.Labels)
	scope, diags := s.project.Scope(inputs)
	return scope, append(diags, s.forbidden(workspace)...)
}

// checkCommand reports that there is no Docker engine for a command, and gets
// its image, unless that is for later.
func (s *session) checkCommand(ctx context.Context, app *config.App, c config.ExecStep, later bool) error {
	if _, err := oci.ParseReference(c.Image); err != nil {
		return err
	}
	docker, done, err := s.containers(ctx, app)
	if err != nil {
		return err
	}
	defer done()
	if later {
		return nil
	}
	return s.provide(ctx, docker, c.Image)
}

// runCommand runs the command of a step in its image. Of the environment it
// sees what the file sets for this program, and nothing else.
func (s *session) runCommand(ctx context.Context, app *config.App, c config.ExecStep, step component.Step) error {
	if err := s.machine.fence.check(); err != nil {
		return err
	}
	docker, done, err := s.containers(ctx, app)
	if err != nil {
		return err
	}
	defer done()
	if err := s.provide(ctx, docker, c.Image); err != nil {
		return err
	}
	task := container.Task{
		Image: c.Image, Command: c.Command, Env: map[string]secret.Text{},
		Labels: map[string]string{"deploy-action.dev/managed-by": "deploy-action", "deploy-action.dev/project": app.Project},
	}
	for name, setting := range app.Runner {
		task.Env[name] = setting.Text
	}
	status, err := docker.Run(ctx, task, step.Output())
	if err != nil || status == 0 {
		return err
	}
	return &diag.Problem{
		Summary: fmt.Sprintf("Command %q failed", c.Command[0]),
		Detail:  fmt.Sprintf("It ended with exit status %d in the image %q. Its output stands above.", status, c.Image),
	}
}

// containers connects to the Docker engine that commands of an app run in. The
// caller calls done when it needs it no more.
func (s *session) containers(ctx context.Context, app *config.App) (docker *container.Engine, done func(), err error) {
	host, remove, err := s.host(app, component.Plugin{Name: "exec"}, true)
	if err != nil {
		return nil, nil, err
	}
	credentials := oci.Credentials{Getenv: host.Getenv, Environ: host.Environ, DockerConfig: host.DockerConfig}
	docker, err = container.Open(ctx, host.Getenv, credentials, container.Need{
		Summary: "Docker engine not reachable", Purpose: "A command in an image needs a Docker engine", Instead: "remove the step",
	})
	if err != nil {
		remove()
		return nil, nil, err
	}
	return docker, func() {
		_ = docker.Close() // nothing is under way any more
		remove()
	}, nil
}

// provide makes an engine have an image.
func (s *session) provide(ctx context.Context, docker *container.Engine, image string) error {
	if has, err := docker.Has(ctx, image); has || err != nil {
		return err
	}
	return s.ui.Step(ctx, "Pulling image "+image, func(ctx context.Context, _ component.Step) error {
		return docker.Pull(ctx, image)
	})
}
