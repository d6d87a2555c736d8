package awsecs

import (
	"cmp"
	"maps"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/component"
)

// family is the name that the revisions of an app's task definition share.
func (w *work) family() string { return aws.Name(w.app, 60) }

// containerName is the name of the app's own container.
func (w *work) containerName() string { return component.Label(w.app.Name, 60) }

// parts are what a task definition refers to.
type parts struct {
	execution, task string // ARNs of roles; task may be ""
	secret          string // ARN of the deployment's secret; "" without one
}

// definition returns the task definition of a deployment.
func (w *work) definition(req component.DeployRequest[artifact.Image], p parts) *ecs.RegisterTaskDefinitionInput {
	in := &ecs.RegisterTaskDefinitionInput{
		Family: new(w.family()), NetworkMode: types.NetworkModeAwsvpc,
		ExecutionRoleArn: &p.execution, Tags: tagsECS(aws.Tags(w.app, req.ID, req.Sequence)),
		RequiresCompatibilities: []types.Compatibility{types.CompatibilityFargate},
		ContainerDefinitions:    []types.ContainerDefinition{w.container(req, p.secret)},
	}
	if p.task != "" {
		in.TaskRoleArn = &p.task
	}
	if w.cfg.EC2Cluster {
		in.RequiresCompatibilities = []types.Compatibility{types.CompatibilityEc2}
	} else {
		in.Memory = new(strconv.Itoa(w.cfg.Memory))
		in.Cpu = new(strconv.Itoa(cmp.Or(w.cfg.CPU, units(w.cfg.Memory)[0])))
	}
	if a := architectureOf(cmp.Or(w.cfg.Architecture, req.Artifact.Architecture)); a != "" {
		in.RuntimePlatform = &types.RuntimePlatform{CpuArchitecture: a}
		if !w.cfg.EC2Cluster {
			in.RuntimePlatform.OperatingSystemFamily = types.OSFamilyLinux
		}
	}
	for _, s := range w.cfg.Sidecars {
		in.ContainerDefinitions = append(in.ContainerDefinitions, w.sidecar(s, req.ID))
	}
	return in
}

// container returns the app's own container.
func (w *work) container(req component.DeployRequest[artifact.Image], secret string) types.ContainerDefinition {
	env := map[string]string{"PORT": strconv.Itoa(int(w.cfg.port()))}
	maps.Copy(env, w.cfg.StaticEnvironment)
	references := maps.Clone(w.cfg.Secrets)
	if references == nil {
		references = map[string]string{}
	}
	for name, setting := range req.Env {
		delete(env, name)
		delete(references, name)
		if setting.Sensitive {
			references[name] = reference(secret, name)
		} else {
			env[name] = setting.Text.Reveal()
		}
	}
	c := types.ContainerDefinition{
		Name: new(w.containerName()), Image: new(pinned(req.Artifact)), Essential: new(true),
		Environment: environment(env), Secrets: referenced(references), LogConfiguration: w.logging(req.ID),
		PortMappings: []types.PortMapping{{ContainerPort: new(w.cfg.port()), Protocol: types.TransportProtocolTcp}},
	}
	if w.cfg.EC2Cluster {
		c.Memory, c.Cpu = new(int32(w.cfg.Memory)), int32(w.cfg.CPU)
	}
	if w.cfg.MemoryReservation > 0 {
		c.MemoryReservation = new(int32(w.cfg.MemoryReservation))
	}
	return c
}

// sidecar returns a container beside the app's.
func (w *work) sidecar(s Sidecar, id string) types.ContainerDefinition {
	c := types.ContainerDefinition{
		Name: &s.Name, Image: &s.Image, Essential: new(false), LogConfiguration: w.logging(id),
		Environment: environment(s.StaticEnvironment), Secrets: referenced(s.Secrets),
	}
	if s.Memory > 0 {
		c.Memory = new(int32(s.Memory))
	}
	if s.MemoryReservation > 0 {
		c.MemoryReservation = new(int32(s.MemoryReservation))
	}
	if s.ContainerPort > 0 {
		c.PortMappings = []types.PortMapping{{
			ContainerPort: new(int32(s.ContainerPort)), Protocol: types.TransportProtocol(cmp.Or(s.Protocol, "tcp")),
		}}
	}
	if h := s.HealthCheck; h != nil {
		command := h.Command
		if len(command) > 0 && command[0] != "CMD" && command[0] != "CMD-SHELL" && command[0] != "NONE" {
			command = append([]string{"CMD-SHELL"}, command...)
		}
		c.HealthCheck = &types.HealthCheck{
			Command: command, Interval: given(h.Interval), Timeout: given(h.Timeout),
			Retries: given(h.Retries), StartPeriod: given(h.StartPeriod),
		}
	}
	return c
}

// given leaves a number that the file does not give to ECS.
func given(n int) *int32 {
	if n == 0 {
		return nil
	}
	return new(int32(n))
}

// logging sends a container's output to the log group.
func (w *work) logging(id string) *types.LogConfiguration {
	options := map[string]string{
		"awslogs-group": w.cfg.logGroup(), "awslogs-region": w.region, "awslogs-stream-prefix": w.logPrefix(id),
	}
	if l := w.cfg.Logging; l != nil {
		for name, value := range map[string]string{
			"awslogs-datetime-format": l.DatetimeFormat, "awslogs-multiline-pattern": l.MultilinePattern,
			"mode": l.Mode, "max-buffer-size": l.MaxBufferSize,
		} {
			if value != "" {
				options[name] = value
			}
		}
		if l.CreateGroup {
			options["awslogs-create-group"] = "true"
		}
	}
	return &types.LogConfiguration{LogDriver: types.LogDriverAwslogs, Options: options}
}

// logPrefix is how the names of the log streams of a deployment begin; a
// container and a task follow.
func (w *work) logPrefix(id string) string {
	if l := w.cfg.Logging; l != nil && l.StreamPrefix != "" {
		return l.StreamPrefix + "/" + id
	}
	return id
}

// pinned returns an image as ECS is told of it: by its digest if that is known,
// so that all tasks of a deployment run the same.
func pinned(image artifact.Image) string {
	if image.Digest != "" {
		return image.Repository + "@" + image.Digest
	}
	return image.Reference()
}

// reference names a value of a deployment's secret.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html
func reference(secret, name string) string { return secret + ":" + name + "::" }

// environment returns variables as ECS has them, in a fixed order.
func environment(env map[string]string) []types.KeyValuePair {
	var all []types.KeyValuePair
	for _, name := range slices.Sorted(maps.Keys(env)) {
		all = append(all, types.KeyValuePair{Name: &name, Value: new(env[name])})
	}
	return all
}

// referenced returns variables with the places of their values.
func referenced(places map[string]string) []types.Secret {
	var all []types.Secret
	for _, name := range slices.Sorted(maps.Keys(places)) {
		all = append(all, types.Secret{Name: &name, ValueFrom: new(places[name])})
	}
	return all
}
