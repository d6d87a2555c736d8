package elb

import (
	"context"
	"errors"
	"slices"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/deploy-action/deploy-action/internal/component"
)

// withdraw takes a target group out of all rules of its app.
func (c *Client) withdraw(ctx context.Context, app component.App, group *types.TargetGroup) error {
	balancers := make([]types.LoadBalancer, 0, len(group.LoadBalancerArns)+1)
	for _, arn := range group.LoadBalancerArns {
		balancers = append(balancers, types.LoadBalancer{LoadBalancerArn: new(arn)})
	}
	// What the group says lags behind a rule that was changed a moment ago.
	own, err := c.elb.DescribeLoadBalancers(ctx, &elbv2.DescribeLoadBalancersInput{Names: []string{Settings{App: app}.name()}})
	if _, none := errors.AsType[*types.LoadBalancerNotFoundException](err); !none {
		if err != nil {
			return err
		}
		balancers = append(balancers, own.LoadBalancers...)
	}
	var seen []string
	for _, balancer := range balancers {
		arn := sdk.ToString(balancer.LoadBalancerArn)
		if slices.Contains(seen, arn) {
			continue
		}
		seen = append(seen, arn)
		listeners, err := c.listeners(ctx, &balancer)
		if err != nil {
			return err
		}
		for _, listener := range listeners {
			if err := c.withdrawFrom(ctx, app, sdk.ToString(listener.ListenerArn), sdk.ToString(group.TargetGroupArn)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Client) withdrawFrom(ctx context.Context, app component.App, listener, group string) error {
	rules, _, err := c.appRules(ctx, app, listener)
	if err != nil {
		return err
	}
	for _, rule := range rules {
		before := shares(rule.Actions)
		after := without(before, group)
		switch {
		case len(after) == len(before):
			continue
		case len(after) == 0:
			err = c.deleteRule(ctx, &rule)
		case total(after) == 0:
			// It had all the traffic. What is left must not get it unasked.
			after[0].weight = 100
			err = c.modify(ctx, &rule, parked(app), after)
		default:
			err = c.modify(ctx, &rule, rule.Conditions, after)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// removeRules removes an app's rules of a listener, and returns how many other
// rules are left.
func (c *Client) removeRules(ctx context.Context, app component.App, listener string) (left int, err error) {
	ours, all, err := c.appRules(ctx, app, listener)
	if err != nil {
		return 0, err
	}
	for _, rule := range ours {
		if err := c.deleteRule(ctx, &rule); err != nil {
			return 0, err
		}
	}
	return len(all) - len(ours), nil
}

func (c *Client) deleteRule(ctx context.Context, rule *types.Rule) error {
	_, err := c.elb.DeleteRule(ctx, &elbv2.DeleteRuleInput{RuleArn: rule.RuleArn})
	if _, gone := errors.AsType[*types.RuleNotFoundException](err); gone {
		return nil
	}
	return err
}

// Retract takes an app's traffic away from the front of settings, and removes
// nothing but the app's rules. What is gone is no error.
func (c *Client) Retract(ctx context.Context, s Settings) error {
	front, err := c.Find(ctx, s)
	if _, gone := errors.AsType[*unknownError](err); gone || front == nil && err == nil {
		return nil
	}
	if err != nil {
		return err
	}
	for _, listener := range append([]string{front.Listener()}, front.former...) {
		if _, err := c.removeRules(ctx, s.App, listener); err != nil {
			return err
		}
	}
	return nil
}
