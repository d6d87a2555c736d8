package awsecs

import (
	"cmp"
	"context"
	"fmt"

	lb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/cloud/elb"
	"github.com/deploy-action/deploy-action/internal/cloud/vpc"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
)

// Front says where the traffic of an app comes in.
type Front struct {
	LoadBalancer string `json:"load_balancer,omitempty"` // ARN of one that is not the app's own
	Port         int    `json:"port,omitempty"`
	Certificate  string `json:"certificate,omitempty"`
	Domain       string `json:"domain,omitempty"`
	Zone         string `json:"zone,omitempty"`
}

// front returns where the file says that traffic comes in; nil where there is
// none.
func (c Config) front() *Front {
	switch {
	case !c.balanced():
		return nil
	case c.ALB == nil:
		return &Front{}
	}
	return &Front{c.ALB.LoadBalancerARN, c.ALB.IngressPort, c.ALB.Certificate, c.ALB.DomainName, c.ALB.ZoneID}
}

// settings are how package elb knows a front.
func (f Front) settings(app component.App) elb.Settings {
	return elb.Settings{
		App: app, LoadBalancer: f.LoadBalancer, Port: f.Port, Certificate: f.Certificate, Domain: f.Domain, Zone: f.Zone,
		Attrs: elb.Attrs{Subnets: "alb.subnets", Domain: "alb.domain_name", Listener: "alb.ingress_port", LoadBalancer: "alb.load_balancer_arn"},
	}
}

// settings are those of the app's front with all that is needed to make it.
func (w *work) settings() elb.Settings {
	s := w.cfg.front().settings(w.app)
	s.Subnets = w.cfg.Subnets
	if a := w.cfg.ALB; a != nil {
		s.Internal, s.SecurityGroups = a.Internal, a.SecurityGroupIDs
		if len(a.Subnets) > 0 {
			s.Subnets = a.Subnets
		}
	}
	return s
}

// tasksGroup is the name of the security group that tasks get by default.
func (w *work) tasksGroup() string { return aws.Name(w.app, 60) + "-tasks" }

// prepareNetwork makes the load balancer, and the tasks' security group, which
// lets it in.
func (w *work) prepareNetwork(ctx context.Context, f *found) (err error) {
	var ingress []vpc.Ingress
	if w.cfg.balanced() {
		if f.front, err = w.elb.Ensure(ctx, w.settings()); err != nil {
			return err
		}
		if other := f.front.VPC(); other != "" && other != f.network.VPC {
			return &diag.Problem{
				Summary: "Tasks and load balancer are in different networks",
				Detail:  fmt.Sprintf("The tasks' subnets are in %s, the load balancer is in %s. Name subnets of the latter.", f.network.VPC, other),
				Attr:    "subnets",
			}
		}
		for _, group := range f.front.SecurityGroups() {
			ingress = append(ingress, vpc.Ingress{Port: int(w.cfg.port()), From: group})
		}
	}
	if f.groups = w.cfg.SecurityGroupIDs; len(f.groups) > 0 {
		return nil
	}
	id, err := w.vpc.Ensure(ctx, vpc.SecurityGroup{App: w.app, Name: w.tasksGroup(), VPC: f.network.VPC, Ingress: ingress})
	f.groups = []string{id}
	return err
}

// attach makes the deployment's target group and has the load balancer look
// after it, without which ECS takes it for no service. It gets no traffic yet.
func (w *work) attach(ctx context.Context, f *found, in component.DeployInput) (group string, err error) {
	target := elb.Group{
		App: w.app, ID: in.ID, Sequence: in.Sequence, Type: lb.TargetTypeEnumIp, VPC: f.network.VPC, Port: int(w.cfg.port()),
		Protocol: w.cfg.TargetGroupProtocol, Version: w.cfg.TargetGroupProtocolVersion,
	}
	if h := w.cfg.HealthCheck; h != nil {
		target.Check = elb.Check{
			Protocol: h.Protocol, Path: h.Path, Interval: cmp.Or(h.Interval, defaultInterval), Timeout: cmp.Or(h.Timeout, defaultTimeout),
			HealthyAfter: h.HealthyThresholdCount, UnhealthyAfter: h.UnhealthyThresholdCount, HTTPCode: h.HTTPCode, GRPCCode: h.GRPCCode,
		}
	}
	if group, err = w.elb.EnsureGroup(ctx, target); err != nil {
		return "", err
	}
	return group, f.front.Attach(ctx, group)
}
