package elb

import (
	"context"
	"errors"
	"fmt"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/cloud/vpc"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
)

// Ensure returns the front of settings, and makes what is missing of it: the
// load balancer with its security group, the listener, the record. It does not
// wait for the load balancer; see [Front.Await].
func (c *Client) Ensure(ctx context.Context, s Settings) (*Front, error) {
	balancer, listeners, err := c.look(ctx, s)
	if err != nil {
		return nil, err
	}
	if balancer == nil {
		title := "Making load balancer " + s.name()
		err := c.progress.Step(ctx, title, func(ctx context.Context, _ component.Step) (err error) {
			balancer, err = c.create(ctx, s)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	listener, err := c.listener(ctx, s, balancer, choose(listeners, s))
	if err != nil {
		return nil, err
	}
	front, err := c.front(ctx, s, balancer, listener, listeners)
	if err != nil {
		return nil, err
	}
	return front, front.record(ctx)
}

// create makes the app's own load balancer.
func (c *Client) create(ctx context.Context, s Settings) (*types.LoadBalancer, error) {
	network, err := c.network.Network(ctx, s.Subnets, s.Attrs.Subnets)
	if err != nil {
		return nil, err
	}
	groups := s.SecurityGroups
	if len(groups) == 0 {
		id, err := c.network.Ensure(ctx, vpc.SecurityGroup{
			App: s.App, Name: groupName(s.App), VPC: network.VPC, Ingress: []vpc.Ingress{{Port: s.port()}},
		})
		if err != nil {
			return nil, err
		}
		groups = []string{id}
	}
	scheme := types.LoadBalancerSchemeEnumInternetFacing
	if s.Internal {
		scheme = types.LoadBalancerSchemeEnumInternal
	}
	made, err := c.elb.CreateLoadBalancer(ctx, &elbv2.CreateLoadBalancerInput{
		Name: new(s.name()), Type: types.LoadBalancerTypeEnumApplication, Scheme: scheme,
		Subnets: network.Subnets, SecurityGroups: groups, Tags: tagList(aws.AppTags(s.App)),
	})
	if _, taken := errors.AsType[*types.DuplicateLoadBalancerNameException](err); taken {
		// An answer that was lost is asked for again by the SDK, in vain.
		if balancer, _, unread := c.look(ctx, s); unread != nil || balancer != nil {
			return balancer, unread
		}
	}
	if err != nil {
		return nil, err
	}
	return &made.LoadBalancers[0], nil
}

// groupName names the security group of an app's own load balancer.
func groupName(app component.App) string { return aws.Name(app, 60) + "-alb" }

// listener makes the listener, or brings its certificate up to date if it is
// ours.
func (c *Client) listener(ctx context.Context, s Settings, balancer *types.LoadBalancer, existing *types.Listener) (*types.Listener, error) {
	protocol := types.ProtocolEnumHttp
	var certificates []types.Certificate
	if s.Certificate != "" {
		protocol = types.ProtocolEnumHttps
		certificates = []types.Certificate{{CertificateArn: &s.Certificate}}
	}
	if existing == nil {
		made, err := c.elb.CreateListener(ctx, &elbv2.CreateListenerInput{
			LoadBalancerArn: balancer.LoadBalancerArn, Port: new(int32(s.port())), Protocol: protocol, Certificates: certificates,
			DefaultActions: []types.Action{{
				Type: types.ActionTypeEnumFixedResponse,
				FixedResponseConfig: &types.FixedResponseActionConfig{
					StatusCode: new("503"), ContentType: new("text/plain"), MessageBody: new("Nothing is released here.\n"),
				},
			}},
			Tags: tagList(aws.AppTags(s.App)),
		})
		if _, there := errors.AsType[*types.DuplicateListenerException](err); there {
			all, unread := c.listeners(ctx, balancer)
			if found := choose(all, s); unread != nil || found != nil {
				return found, unread
			}
		}
		if err != nil {
			return nil, refusedListener(s, err)
		}
		return &made.Listeners[0], nil
	}
	if s.Listener != "" || existing.Protocol == protocol && hasCertificate(existing, s.Certificate) {
		return existing, nil
	}
	arn := sdk.ToString(existing.ListenerArn)
	tags, err := c.tags(ctx, arn)
	if err != nil || !aws.Shared(tags[arn], s.App) {
		return existing, err
	}
	changed, err := c.elb.ModifyListener(ctx, &elbv2.ModifyListenerInput{ListenerArn: &arn, Protocol: protocol, Certificates: certificates})
	if err != nil {
		return nil, refusedListener(s, err)
	}
	return &changed.Listeners[0], nil
}

// hasCertificate reports whether a listener shows a certificate; "" is none.
func hasCertificate(listener *types.Listener, arn string) bool {
	if len(listener.Certificates) == 0 {
		return arn == ""
	}
	return sdk.ToString(listener.Certificates[0].CertificateArn) == arn
}

// refusedListener explains what AWS says of a listener's settings.
func refusedListener(s Settings, err error) error {
	_, missing := errors.AsType[*types.CertificateNotFoundException](err)
	if _, unfit := errors.AsType[*types.UnsupportedProtocolException](err); !missing && !unfit {
		return err
	}
	return &diag.Problem{
		Summary: "The certificate cannot be used",
		Detail:  fmt.Sprintf("The load balancer does not find %s. A certificate must be in the region of the load balancer, and have been issued.", s.Certificate),
		Attr:    "certificate", Err: err,
	}
}

// Destroy takes an app's traffic away from the front of settings, and removes
// what was made for the app: its rule, the record, the listener, the load
// balancer, the security group. What is gone or is not the app's is left, and is
// no error.
func (c *Client) Destroy(ctx context.Context, s Settings) error {
	if err := c.removeRecord(ctx, s); err != nil {
		return err
	}
	balancer, listeners, err := c.look(ctx, s)
	if _, gone := errors.AsType[*unknownError](err); err != nil && !gone {
		return err
	}
	if balancer != nil {
		if err := c.destroyBalancer(ctx, s, balancer, listeners); err != nil {
			return err
		}
	}
	if !s.own() {
		return nil
	}
	title := "Removing security group " + groupName(s.App)
	return c.progress.Step(ctx, title, func(ctx context.Context, step component.Step) error {
		return c.network.Remove(ctx, s.App, groupName(s.App), step)
	})
}

// destroyBalancer removes a load balancer that is the app's, or else what is the
// app's of it.
func (c *Client) destroyBalancer(ctx context.Context, s Settings, balancer *types.LoadBalancer, listeners []types.Listener) error {
	arns := []string{sdk.ToString(balancer.LoadBalancerArn)}
	for _, listener := range listeners {
		arns = append(arns, sdk.ToString(listener.ListenerArn))
	}
	tags, err := c.tags(ctx, arns...)
	if err != nil {
		return err
	}
	if aws.Shared(tags[arns[0]], s.App) {
		if err := c.unused(ctx, s, balancer, arns[1:]); err != nil {
			return err
		}
		title := "Removing load balancer " + sdk.ToString(balancer.LoadBalancerName)
		return c.progress.Step(ctx, title, func(ctx context.Context, _ component.Step) error {
			_, err := c.elb.DeleteLoadBalancer(ctx, &elbv2.DeleteLoadBalancerInput{LoadBalancerArn: balancer.LoadBalancerArn})
			if _, gone := errors.AsType[*types.LoadBalancerNotFoundException](err); gone {
				return nil
			}
			return err
		})
	}
	for _, listener := range arns[1:] {
		left, err := c.removeRules(ctx, s.App, listener)
		if err != nil {
			return err
		}
		if left > 0 || !aws.Shared(tags[listener], s.App) {
			continue
		}
		if err := c.deleteListener(ctx, listener); err != nil {
			return err
		}
	}
	return nil
}

// unused reports that others have rules in a load balancer of the app.
func (c *Client) unused(ctx context.Context, s Settings, balancer *types.LoadBalancer, listeners []string) error {
	for _, listener := range listeners {
		left, err := c.removeRules(ctx, s.App, listener)
		if err != nil {
			return err
		}
		if left > 0 {
			return &diag.Problem{
				Summary: fmt.Sprintf("The load balancer %s serves others too", sdk.ToString(balancer.LoadBalancerName)),
				Detail: fmt.Sprintf("It was made for %s in the workspace %s, which gets no traffic from it any more, but its listener %s has %s of others. "+
					"Destroy those first, and run the same command again.", s.App.Name, s.App.Workspace, listener, plural(left, "rule")),
			}
		}
	}
	return nil
}

func (c *Client) deleteListener(ctx context.Context, arn string) error {
	_, err := c.elb.DeleteListener(ctx, &elbv2.DeleteListenerInput{ListenerArn: &arn})
	if _, gone := errors.AsType[*types.ListenerNotFoundException](err); gone {
		return nil
	}
	return err
}
