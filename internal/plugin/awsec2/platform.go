package awsec2

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/cloud/elb"
	"github.com/deploy-action/deploy-action/internal/cloud/vpc"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
)

// platform runs each deployment as one Auto Scaling group.
type platform struct {
	host    component.Host
	cfg     Config
	session *aws.Session
}

var _ component.Platform[artifact.MachineImage, Deployment] = (*platform)(nil)

func openPlatform(h component.Host, c Config) (component.Platform[artifact.MachineImage, Deployment], error) {
	ports := map[string][]int{"service_port": {c.ServicePort}, "extra_ports": c.ExtraPorts}
	for attr, numbers := range ports {
		for _, number := range numbers {
			if number < 1 || number > 65535 {
				return nil, &diag.Problem{
					Summary: "No such port", Detail: fmt.Sprintf("%d is not the number of a port. Ports are numbered from 1 to 65535.", number), Attr: attr,
				}
			}
		}
	}
	if c.Subnet != "" && len(c.Subnets) > 0 {
		return nil, &diag.Problem{Summary: "Two ways to name subnets", Detail: "Both subnet and subnets are set. Remove the former.", Attr: "subnet"}
	}
	if n := c.count(); n.Min < 0 || n.Min > n.Desired || n.Desired > n.Max {
		return nil, &diag.Problem{
			Summary: "No such number of instances",
			Detail:  fmt.Sprintf("min is %d, desired is %d and max is %d. Desired must be between the other two.", n.Min, n.Desired, n.Max),
			Attr:    "count",
		}
	}
	session, err := aws.Open(h, c.Region)
	if err != nil {
		return nil, err
	}
	return &platform{h, c, session}, nil
}

// count fills in what the block leaves out.
func (c Config) count() Count {
	var n Count
	if c.Count != nil {
		n = *c.Count
	}
	n.Min = cmp.Or(n.Min, 1)
	n.Max = cmp.Or(n.Max, n.Desired, n.Min)
	n.Desired = cmp.Or(n.Desired, n.Max)
	return n
}

// subnets are those that the block names.
func (c Config) subnets() (ids []string, attr string) {
	if c.Subnet != "" {
		return []string{c.Subnet}, "subnet"
	}
	return c.Subnets, "subnets"
}

// clients are the services that a deployment is made of.
type clients struct {
	ec2     *ec2.Client
	scaling *autoscaling.Client
	elb     *elb.Client
	network *vpc.Client
}

func (p *platform) open(ctx context.Context) (clients, error) {
	cfg, err := p.session.Config(ctx)
	if err != nil {
		return clients{}, err
	}
	return clients{ec2.NewFromConfig(cfg), autoscaling.NewFromConfig(cfg), elb.New(cfg, p.host.Progress), vpc.New(cfg)}, nil
}

// check reports what is wrong with a request before anything is made.
func (p *platform) check(req component.DeployRequest[artifact.MachineImage]) error {
	if region := req.Artifact.Region; region != "" && region != p.cfg.Region {
		return &diag.Problem{
			Summary: "The machine image is in another region",
			Detail:  fmt.Sprintf("%s is in %s, and the deployment in %s. Copy the image there, or deploy where it is.", req.Artifact.ID, region, p.cfg.Region),
			Attr:    "region",
		}
	}
	_, err := p.userData(req.DeployInput)
	return err
}

// Plan implements [component.Platform].
func (p *platform) Plan(ctx context.Context, req component.DeployRequest[artifact.MachineImage]) (component.Plan, error) {
	if err := p.check(req); err != nil {
		return component.Plan{}, err
	}
	c, err := p.open(ctx)
	if err != nil {
		return component.Plan{}, err
	}
	ids, attr := p.cfg.subnets()
	if _, err := c.network.Network(ctx, ids, attr); err != nil {
		return component.Plan{}, err
	}
	name := cmp.Or(req.ID, component.Label(req.App.Name, 19))
	n := p.cfg.count()
	return component.Plan{Changes: []component.Change{
		{Action: component.Create, Subject: "launch template/" + name, Reason: fmt.Sprintf("%s on %s", cmp.Or(req.Artifact.ID, "the image"), p.cfg.InstanceType)},
		{Action: component.Create, Subject: "target group/" + name, Reason: fmt.Sprintf("port %d", p.cfg.ServicePort)},
		{Action: component.Create, Subject: "auto scaling group/" + name, Reason: fmt.Sprintf("%d of %d to %d instances", n.Desired, n.Min, n.Max)},
	}}, nil
}

// Deploy implements [component.Platform]. The launch template is made first and
// removed last, so that it stands for a deployment in any state.
func (p *platform) Deploy(ctx context.Context, req component.DeployRequest[artifact.MachineImage]) (Deployment, error) {
	if err := p.check(req); err != nil {
		return Deployment{}, err
	}
	c, err := p.open(ctx)
	if err != nil {
		return Deployment{}, err
	}
	made := Deployment{
		Name: req.ID, Region: p.cfg.Region, Image: req.Artifact.ID, InstanceType: p.cfg.InstanceType, Desired: p.cfg.count().Desired,
	}
	err = p.host.Progress.Step(ctx, "Starting instances of "+req.ID, func(ctx context.Context, _ component.Step) error {
		return p.start(ctx, c, req, &made)
	})
	if _, taken := errors.AsType[*nameTakenError](err); taken {
		return Deployment{}, err
	}
	if err != nil {
		return made, err
	}
	err = p.host.Progress.Step(ctx, "Waiting for instances of "+req.ID, func(ctx context.Context, step component.Step) error {
		return p.await(ctx, c, req.App, &made, step)
	})
	return made, err
}

// start makes what is missing of a deployment.
func (p *platform) start(ctx context.Context, c clients, req component.DeployRequest[artifact.MachineImage], made *Deployment) error {
	ids, attr := p.cfg.subnets()
	network, err := c.network.Network(ctx, ids, attr)
	if err != nil {
		return err
	}
	groups, err := p.securityGroups(ctx, c, req.App, network.VPC)
	if err != nil {
		return err
	}
	if err := p.ensureTemplate(ctx, c, req, groups); err != nil {
		return err
	}
	made.TargetGroupARN, err = c.elb.EnsureGroup(ctx, elb.Group{
		App: req.App, ID: req.ID, Sequence: req.Sequence, Type: elbtypes.TargetTypeEnumInstance,
		VPC: network.VPC, Port: p.cfg.ServicePort, Check: elb.Check{Path: p.cfg.HealthCheckPath},
	})
	if err != nil {
		return err
	}
	return p.ensureScaling(ctx, c, req, made.TargetGroupARN, network.Subnets)
}

// securityGroups returns the instances' security groups: those of the block, or
// the one that the deployments of the app share.
func (p *platform) securityGroups(ctx context.Context, c clients, app component.App, network string) ([]string, error) {
	if len(p.cfg.SecurityGroups) > 0 {
		return p.cfg.SecurityGroups, nil
	}
	group := vpc.SecurityGroup{App: app, Name: groupName(app), VPC: network, Ingress: []vpc.Ingress{{Port: p.cfg.ServicePort}}}
	for _, port := range p.cfg.ExtraPorts {
		group.Ingress = append(group.Ingress, vpc.Ingress{Port: port})
	}
	id, err := c.network.Ensure(ctx, group)
	return []string{id}, err
}

func groupName(app component.App) string { return aws.Name(app, 60) + "-ec2" }
