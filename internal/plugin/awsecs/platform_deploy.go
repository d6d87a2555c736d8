package awsecs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"
	"golang.org/x/sync/errgroup"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/cloud/elb"
	"github.com/deploy-action/deploy-action/internal/cloud/vpc"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/retry"
)

// found is what there is of what a deployment needs.
type found struct {
	cluster   bool
	logGroup  bool
	execution *role
	task      *role // nil where the app has no role
	network   vpc.Network
	service   *types.Service // the deployment's own; nil while it is missing
	revision  *revision      // of its task definition; nil while it is missing

	// What prepare and create make known.
	front  *elb.Front // nil without a load balancer
	groups []string   // the tasks' security groups
	secret string     // ARN of the deployment's secret; "" without one
	target string     // ARN of its target group; "" without a load balancer
}

// look asks for everything at once.
func (w *work) look(ctx context.Context, id string) (*found, error) {
	f := &found{execution: w.executionRole(), task: w.taskRole()}
	group, inner := errgroup.WithContext(ctx)
	group.Go(func() error {
		c, err := w.findCluster(inner)
		if err == nil && c == nil && w.cfg.EC2Cluster {
			err = w.noCluster()
		}
		f.cluster = c != nil
		return err
	})
	group.Go(func() (err error) {
		f.service, err = w.freeService(inner, id)
		return err
	})
	group.Go(func() error {
		own, err := w.ownRevisions(inner, w.family())
		f.revision = w.ofDeployment(own, id)
		return err
	})
	group.Go(func() (err error) {
		f.logGroup, err = w.hasLogGroup(inner)
		return err
	})
	group.Go(func() error { return w.lookRole(inner, f.execution) })
	if f.task != nil {
		group.Go(func() error { return w.lookRole(inner, f.task) })
	}
	group.Go(func() (err error) {
		f.network, err = w.vpc.Network(inner, w.cfg.Subnets, "subnets")
		return err
	})
	return f, group.Wait()
}

// freeService returns the service of a deployment, or nil. A service of that
// name which is not ours is a problem.
func (w *work) freeService(ctx context.Context, id string) (*types.Service, error) {
	s, err := w.describeService(ctx, id)
	if err == nil && s != nil && !w.owns(s, id) {
		return nil, &diag.Problem{
			Summary: fmt.Sprintf("Service %q is not ours", id),
			Detail:  fmt.Sprintf("The cluster %q has a service %q that was not made for this deployment. Rename or remove it.", w.cluster, id),
		}
	}
	return s, err
}

// owns reports whether a service was made for a deployment.
func (w *work) owns(s *types.Service, id string) bool {
	return aws.OfDeployment(readECS(s.Tags), w.app, id)
}

// ownService returns the service of a deployment; nil where there is none that
// is ours.
func (w *work) ownService(ctx context.Context, id string) (*types.Service, error) {
	s, err := w.describeService(ctx, id)
	if err != nil || s == nil || !w.owns(s, id) {
		return nil, err
	}
	return s, nil
}

// describeService returns a service of the cluster that is no memory of one;
// nil where there is none.
func (w *work) describeService(ctx context.Context, name string) (*types.Service, error) {
	out, err := w.ecs.DescribeServices(ctx, &ecs.DescribeServicesInput{
		Cluster: &w.cluster, Services: []string{name}, Include: []types.ServiceField{types.ServiceFieldTags},
	})
	if _, missing := errors.AsType[*types.ClusterNotFoundException](err); missing {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, s := range out.Services {
		if sdk.ToString(s.Status) == "ACTIVE" {
			return &s, nil
		}
	}
	return nil, nil
}

// deployOwn makes a service for the deployment, or completes it.
func (w *work) deployOwn(ctx context.Context, req component.DeployRequest[artifact.Image]) (Deployment, error) {
	made := Deployment{
		Region: w.region, Cluster: w.cluster, Service: req.ID, Image: pinned(req.Artifact), Count: w.cfg.count(),
		LogGroup: w.cfg.logGroup(), LogPrefix: w.logPrefix(req.ID), Front: w.cfg.front(),
	}
	f, err := w.look(ctx, req.ID)
	if err != nil {
		return made, err
	}
	if f.service == nil {
		err = w.progress.Step(ctx, "Preparing cluster "+w.cluster, func(ctx context.Context, _ component.Step) error {
			return w.prepare(ctx, f, req)
		})
		if err != nil {
			return made, err
		}
		err = w.progress.Step(ctx, "Creating service "+req.ID, func(ctx context.Context, step component.Step) error {
			return w.create(ctx, f, req, step)
		})
		if err != nil {
			return made, err
		}
	}
	if f.front == nil && w.cfg.balanced() { // the service was there already
		if f.front, err = w.elb.Find(ctx, w.settings()); err != nil {
			return made, err
		}
	}
	made.describe(f.service, f.front)
	return made, w.awaitOwn(ctx, made, f.front)
}

// awaitOwn waits for the tasks, and for the load balancer if it is new.
func (w *work) awaitOwn(ctx context.Context, made Deployment, front *elb.Front) error {
	group, inner := errgroup.WithContext(ctx)
	if front != nil {
		group.Go(func() error { return front.Await(inner) })
	}
	group.Go(func() error {
		return w.progress.Step(inner, "Waiting for service "+made.Service, func(ctx context.Context, step component.Step) error {
			err := w.await(ctx, rollout{service: made.Service, taskDefinition: made.TaskDefinition}, step)
			if err != nil || made.Target == "" {
				return err
			}
			return w.elb.AwaitHealthy(ctx, made.Target, int(made.Count), step, nil)
		})
	})
	return group.Wait()
}

// describe fills in what a service and a front, which may be nil, say of the
// deployment.
func (d *Deployment) describe(s *types.Service, front *elb.Front) {
	d.ServiceARN, d.TaskDefinition = sdk.ToString(s.ServiceArn), sdk.ToString(s.TaskDefinition)
	if len(s.LoadBalancers) > 0 {
		d.Target = sdk.ToString(s.LoadBalancers[0].TargetGroupArn)
	}
	if front != nil {
		d.LoadBalancer, d.Listener = front.LoadBalancer(), front.Listener()
	}
}

// prepare makes what the service needs and lacks, all at once. The secret is all
// of it that belongs to the deployment alone.
func (w *work) prepare(ctx context.Context, f *found, req component.DeployRequest[artifact.Image]) error {
	group, inner := errgroup.WithContext(ctx)
	if !f.cluster {
		group.Go(func() error { return w.makeCluster(inner) })
	}
	if !f.logGroup {
		group.Go(func() error { return w.makeLogGroup(inner) })
	}
	group.Go(func() error { return w.completeRole(inner, f.execution) })
	if f.task != nil {
		group.Go(func() error { return w.completeRole(inner, f.task) })
	}
	group.Go(func() error { return w.prepareNetwork(inner, f) })
	group.Go(func() (err error) {
		f.secret, err = w.putSecret(inner, req.DeployInput)
		return err
	})
	return group.Wait()
}

// create registers the task definition and makes the service. The revision comes
// first of what is the deployment's alone, and goes last: Find goes by it.
func (w *work) create(ctx context.Context, f *found, req component.DeployRequest[artifact.Image], step component.Step) error {
	if f.revision == nil {
		p := parts{execution: f.execution.arn, secret: f.secret}
		if f.task != nil {
			p.task = f.task.arn
		}
		err := w.settled(ctx, step, func(ctx context.Context) error {
			out, err := w.ecs.RegisterTaskDefinition(ctx, w.definition(req, p))
			if err == nil {
				f.revision = &revision{arn: sdk.ToString(out.TaskDefinition.TaskDefinitionArn)}
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	group, inner := errgroup.WithContext(ctx)
	group.Go(func() error { return w.permitSecrets(inner, f.execution, req.ID) })
	if f.front != nil {
		group.Go(func() (err error) {
			f.target, err = w.attach(inner, f, req.DeployInput)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return w.settled(ctx, step, func(ctx context.Context) error {
		out, err := w.ecs.CreateService(ctx, w.service(f, req))
		if err == nil {
			f.service = out.Service
		}
		return err
	})
}

// service returns the service of a deployment.
func (w *work) service(f *found, req component.DeployRequest[artifact.Image]) *ecs.CreateServiceInput {
	in := &ecs.CreateServiceInput{
		ServiceName: &req.ID, Cluster: &w.cluster, ClientToken: &req.ID, TaskDefinition: &f.revision.arn,
		DesiredCount: new(w.cfg.count()), LaunchType: types.LaunchTypeFargate, PropagateTags: types.PropagateTagsService,
		Tags: tagsECS(aws.Tags(w.app, req.ID, req.Sequence)),
		// It has nothing to go back to: it stops trying, and we say why.
		DeploymentConfiguration: &types.DeploymentConfiguration{DeploymentCircuitBreaker: &types.DeploymentCircuitBreaker{Enable: true}},
		NetworkConfiguration: &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{
			Subnets: f.network.Subnets, SecurityGroups: f.groups, AssignPublicIp: types.AssignPublicIpEnabled,
		}},
	}
	if f.target != "" {
		in.LoadBalancers = []types.LoadBalancer{{ContainerName: new(w.containerName()), ContainerPort: new(w.cfg.port()), TargetGroupArn: &f.target}}
	}
	if w.cfg.EC2Cluster {
		in.LaunchType = types.LaunchTypeEc2
	}
	if w.cfg.EC2Cluster || w.cfg.AssignPublicIP != nil && !*w.cfg.AssignPublicIP {
		in.NetworkConfiguration.AwsvpcConfiguration.AssignPublicIp = types.AssignPublicIpDisabled
	}
	return in
}

// settleTime is how long AWS may take to know everywhere what was just made.
const settleTime = 90 * time.Second

// settled repeats what ECS refuses because it does not know yet what was just
// made: a role, the cluster.
func (w *work) settled(ctx context.Context, step component.Step, fn func(context.Context) error) error {
	return retry.Patiently(ctx, settleTime, func(ctx context.Context) error {
		err := fn(ctx)
		if unsettled(err) {
			step.Update("AWS does not know everywhere yet what was just made")
			return retry.Transient(err)
		}
		return err
	})
}

// unsettled reports whether an error may go by itself within moments. ECS has no
// code of its own for most of it.
func unsettled(err error) bool {
	refused, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return false
	}
	message := strings.ToLower(refused.ErrorMessage())
	switch refused.ErrorCode() {
	case "ClusterNotFoundException":
		return true
	case "ClientException", "InvalidParameterException":
		return strings.Contains(message, "role is not valid") || strings.Contains(message, "unable to assume") ||
			strings.Contains(message, "verify that the ecs service role") || strings.Contains(message, "associated load balancer") ||
			strings.Contains(message, "does not exist") && strings.Contains(message, "security group")
	}
	return false
}
