package awsecs

import (
	"maps"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/component"
)

// labelVariables is the label of a container that names the variables which the
// config block gave it, so that the next deploy can take away what is there no
// more.
const labelVariables = "deploy-action.dev/variables"

// replaced returns the revision that a service runs, with the image and the
// variables of the config block replaced.
func (w *work) replaced(c *current, req component.DeployRequest[artifact.Image], secret string) *ecs.RegisterTaskDefinitionInput {
	in := w.copied(c.revision.def, c.revision.tags, req.ID, req.Sequence)
	container := in.ContainerDefinitions[c.container]
	container.Image = new(pinned(req.Artifact))

	var former []string
	if names := container.DockerLabels[labelVariables]; names != "" {
		former = strings.Split(names, ",")
	}
	gone := func(name *string) bool {
		_, set := req.Env[sdk.ToString(name)]
		return set || slices.Contains(former, sdk.ToString(name))
	}
	container.Environment = slices.DeleteFunc(slices.Clone(container.Environment), func(v types.KeyValuePair) bool { return gone(v.Name) })
	container.Secrets = slices.DeleteFunc(slices.Clone(container.Secrets), func(s types.Secret) bool { return gone(s.Name) })

	plain, kept := map[string]string{}, map[string]string{}
	for name, setting := range req.Env {
		if setting.Sensitive {
			kept[name] = reference(secret, name)
		} else {
			plain[name] = setting.Text.Reveal()
		}
	}
	container.Environment = append(container.Environment, environment(plain)...)
	container.Secrets = append(container.Secrets, referenced(kept)...)

	container.DockerLabels = maps.Clone(container.DockerLabels)
	delete(container.DockerLabels, labelVariables)
	if len(req.Env) > 0 {
		if container.DockerLabels == nil {
			container.DockerLabels = map[string]string{}
		}
		container.DockerLabels[labelVariables] = strings.Join(slices.Sorted(maps.Keys(req.Env)), ",")
	}
	in.ContainerDefinitions[c.container] = container
	return in
}

// copied returns a request for another revision like one that exists. Its owner's
// tags stay on it, beside ours.
func (w *work) copied(def *types.TaskDefinition, tags map[string]string, id string, sequence int) *ecs.RegisterTaskDefinitionInput {
	all := maps.Clone(tags)
	maps.DeleteFunc(all, func(key, _ string) bool { return strings.HasPrefix(key, "aws:") })
	return &ecs.RegisterTaskDefinitionInput{
		Family:                  def.Family,
		ContainerDefinitions:    slices.Clone(def.ContainerDefinitions),
		Cpu:                     def.Cpu,
		EnableFaultInjection:    def.EnableFaultInjection,
		EphemeralStorage:        def.EphemeralStorage,
		ExecutionRoleArn:        def.ExecutionRoleArn,
		IpcMode:                 def.IpcMode,
		Memory:                  def.Memory,
		NetworkMode:             def.NetworkMode,
		PidMode:                 def.PidMode,
		PlacementConstraints:    def.PlacementConstraints,
		ProxyConfiguration:      def.ProxyConfiguration,
		RequiresCompatibilities: def.RequiresCompatibilities,
		RuntimePlatform:         def.RuntimePlatform,
		TaskRoleArn:             def.TaskRoleArn,
		Volumes:                 def.Volumes,
		Tags:                    tagsECS(aws.With(all, aws.Tags(w.app, id, sequence))),
	}
}
