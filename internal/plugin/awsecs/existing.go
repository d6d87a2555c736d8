package awsecs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
)

// An existing service is somebody else's, and carries none of our tags. That it
// runs another revision is the one thing that is changed of it, because the file
// names it; the revisions carry our tags, and nothing without them is removed.

// current is an existing service with what it runs.
type current struct {
	service   *types.Service
	revision  *revision
	container int // which container of the revision gets the image
}

// lookExisting returns the service that the file names, and refuses one that
// cannot be deployed to by a new revision.
func (w *work) lookExisting(ctx context.Context) (*current, error) {
	s, err := w.describeService(ctx, w.cfg.Service)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return nil, w.noService(ctx)
	}
	if err := deployable(s); err != nil {
		return nil, err
	}
	r, err := w.describeRevision(ctx, sdk.ToString(s.TaskDefinition))
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, fmt.Errorf("reading the task definition %q: ECS knows it no longer", sdk.ToString(s.TaskDefinition))
	}
	at, err := w.containerOf(r)
	return &current{s, r, at}, err
}

// noService says that there is no service of the name in the file.
func (w *work) noService(ctx context.Context) error {
	hint := ""
	list, err := w.ecs.ListServices(ctx, &ecs.ListServicesInput{Cluster: &w.cluster, MaxResults: new(int32(100))})
	if err == nil { // a hint that cannot be given is no failure of its own
		var names []string
		for _, arn := range list.ServiceArns {
			names = append(names, short(arn))
		}
		hint = diag.Suggest(w.cfg.Service, names)
	}
	return &diag.Problem{
		Summary: fmt.Sprintf("There is no service %q", w.cfg.Service),
		Detail: fmt.Sprintf("The cluster %q in %s has no service %q. Correct the name, cluster or region, or leave `service` out to have one made.%s",
			w.cluster, w.region, w.cfg.Service, hint),
		Attr: "service",
	}
}

// deployable refuses services whose revisions are not rolled out by ECS itself.
func deployable(s *types.Service) error {
	name := sdk.ToString(s.ServiceName)
	refuse := func(how, remedy string) error {
		return &diag.Problem{
			Summary: fmt.Sprintf("Service %q is deployed by %s", name, how),
			Detail:  fmt.Sprintf("Nothing was registered and nothing was changed: a new revision of %q would not be rolled out by ECS itself. %s", name, remedy),
			Attr:    "service",
		}
	}
	if c := s.DeploymentController; c != nil && c.Type != "" && c.Type != types.DeploymentControllerTypeEcs {
		return refuse("the controller "+string(c.Type), "Make a service with the controller ECS, or deploy to this one by its own tool.")
	}
	if c := s.DeploymentConfiguration; c != nil && c.Strategy != "" && c.Strategy != types.DeploymentStrategyRolling {
		return refuse("the strategy "+string(c.Strategy), "Set the service's deployment strategy to ROLLING, or leave `service` out: "+
			"this program then makes a service for each deployment and moves the traffic, in steps with `canary`.")
	}
	return nil
}

// containerOf returns which container of a revision gets the image.
func (w *work) containerOf(r *revision) (int, error) {
	var names []string
	for _, c := range r.def.ContainerDefinitions {
		names = append(names, sdk.ToString(c.Name))
	}
	want := w.cfg.Container
	if want == "" {
		if len(names) == 1 {
			return 0, nil
		}
		for _, name := range []string{w.app.Name, w.containerName()} {
			if at := slices.Index(names, name); at >= 0 {
				return at, nil
			}
		}
		return 0, &diag.Problem{
			Summary: "Several containers",
			Detail:  fmt.Sprintf("The service %q runs the containers %s. Say with `container` which of them gets the image.", w.cfg.Service, quoted(names)),
			Attr:    "container",
		}
	}
	if at := slices.Index(names, want); at >= 0 {
		return at, nil
	}
	return 0, &diag.Problem{
		Summary: fmt.Sprintf("There is no container %q", want),
		Detail:  fmt.Sprintf("The service %q runs the containers %s.%s", w.cfg.Service, quoted(names), diag.Suggest(want, names)),
		Attr:    "container",
	}
}

// quoted joins names for people.
func quoted(names []string) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprintf("%q", names), `" "`, `", "`), "[]")
}

// planExisting plans a deploy to an existing service.
func (w *work) planExisting(ctx context.Context, req component.DeployRequest[artifact.Image]) (component.Plan, error) {
	c, err := w.lookExisting(ctx)
	if err != nil {
		return component.Plan{}, err
	}
	if err := c.readable(req.DeployInput); err != nil {
		return component.Plan{}, err
	}
	was := sdk.ToString(c.revision.def.ContainerDefinitions[c.container].Image)
	changes := []component.Change{
		{Action: component.Create, Subject: "task definition/" + sdk.ToString(c.revision.def.Family), Reason: pinned(req.Artifact)},
		{Action: component.Update, Subject: "service/" + w.cfg.Service, Reason: "runs " + was + " so far"},
	}
	if n := len(sensitive(req.Env)); n > 0 {
		secret := component.Change{Action: component.Create, Subject: "secret/" + w.secretPrefix() + req.ID, Reason: counted(n, "sensitive variable")}
		changes = append([]component.Change{secret}, changes...)
	}
	return component.Plan{Changes: changes}, nil
}

// readable refuses sensitive variables where no role could read them.
func (c *current) readable(in component.DeployInput) error {
	if len(sensitive(in.Env)) == 0 || sdk.ToString(c.revision.def.ExecutionRoleArn) != "" {
		return nil
	}
	return &diag.Problem{
		Summary: "No role to read secrets with",
		Detail: fmt.Sprintf("The config block has sensitive variables, which are kept in Secrets Manager, and the task definition of service %q has no execution role to read them with. "+
			"Give it one that may use secretsmanager:GetSecretValue on secrets whose names begin with \"deploy-action/\".", sdk.ToString(c.service.ServiceName)),
		Attr: "service",
	}
}

// deployExisting has an existing service run a revision with the image.
func (w *work) deployExisting(ctx context.Context, req component.DeployRequest[artifact.Image]) (Deployment, error) {
	c, err := w.lookExisting(ctx)
	if err != nil {
		return Deployment{}, err
	}
	if err := c.readable(req.DeployInput); err != nil {
		return Deployment{}, err
	}
	made := w.recordExisting(c, pinned(req.Artifact))
	own, err := w.ownRevisions(ctx, sdk.ToString(c.revision.def.Family))
	if err != nil {
		return made, err
	}
	if r := w.ofDeployment(own, req.ID); r != nil {
		made.TaskDefinition = r.arn
	} else {
		secret, err := w.putSecret(ctx, req.DeployInput)
		if err != nil {
			return made, err
		}
		made.TaskDefinition, err = w.register(ctx, w.replaced(c, req, secret))
		if err != nil {
			return made, err
		}
	}
	if err := w.rollOut(ctx, c.service, made.TaskDefinition); err != nil {
		return made, err
	}
	if len(own) < mostRevisions {
		return made, nil
	}
	return made, w.trim(ctx)
}

// recordExisting begins the record of a deployment to an existing service.
func (w *work) recordExisting(c *current, image string) Deployment {
	d := Deployment{
		Region: w.region, Cluster: w.cluster, Service: w.cfg.Service, ServiceARN: sdk.ToString(c.service.ServiceArn),
		Image: image, Existing: true,
	}
	container := c.revision.def.ContainerDefinitions[c.container]
	if l := container.LogConfiguration; l != nil && l.LogDriver == types.LogDriverAwslogs && l.Options["awslogs-stream-prefix"] != "" {
		d.LogGroup, d.LogPrefix = l.Options["awslogs-group"], l.Options["awslogs-stream-prefix"]+"/"+sdk.ToString(container.Name)
	}
	return d
}

// register registers a revision and returns its ARN.
func (w *work) register(ctx context.Context, in *ecs.RegisterTaskDefinitionInput) (string, error) {
	out, err := w.ecs.RegisterTaskDefinition(ctx, in)
	if err != nil {
		return "", err
	}
	return sdk.ToString(out.TaskDefinition.TaskDefinitionArn), nil
}

// rollOut has a service run a revision, and waits until it does.
func (w *work) rollOut(ctx context.Context, s *types.Service, taskDefinition string) error {
	name := sdk.ToString(s.ServiceName)
	if sdk.ToString(s.TaskDefinition) != taskDefinition {
		_, err := w.ecs.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: &w.cluster, Service: &name, TaskDefinition: &taskDefinition})
		if err != nil {
			return err
		}
	}
	return w.progress.Step(ctx, fmt.Sprintf("Waiting for service %s to run %s", name, short(taskDefinition)), func(ctx context.Context, step component.Step) error {
		return w.await(ctx, rollout{service: name, taskDefinition: taskDefinition}, step)
	})
}

// Restore implements [component.Platform]. It has an existing service run a
// copy of an earlier revision, which needs neither a build nor the values of
// secrets.
func (p *platform) Restore(ctx context.Context, req component.RestoreRequest[Deployment]) (Deployment, error) {
	if !req.From.Deployment.Existing || p.cfg.Service == "" {
		return Deployment{}, errors.ErrUnsupported
	}
	w, err := p.begin(ctx, req.App, Deployment{})
	if err != nil {
		return Deployment{}, err
	}
	c, err := w.lookExisting(ctx)
	if err != nil {
		return Deployment{}, err
	}
	own, err := w.ownRevisions(ctx, sdk.ToString(c.revision.def.Family))
	if err != nil {
		return Deployment{}, err
	}
	from := w.ofDeployment(own, req.From.ID)
	if from == nil {
		return Deployment{}, errors.ErrUnsupported // the engine deploys the recorded image again
	}
	made := w.recordExisting(c, req.From.Deployment.Image)
	if r := w.ofDeployment(own, req.ID); r != nil {
		made.TaskDefinition = r.arn
	} else if made.TaskDefinition, err = w.register(ctx, w.copied(from.def, from.tags, req.ID, req.Sequence)); err != nil {
		return made, err
	}
	return made, w.rollOut(ctx, c.service, made.TaskDefinition)
}
