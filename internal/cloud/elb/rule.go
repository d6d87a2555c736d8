package elb

import (
	"context"
	"errors"
	"slices"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/retry"
)

// Attach has the load balancer look after the targets of a group, without any
// traffic for it. One that gets traffic already keeps it.
func (f *Front) Attach(ctx context.Context, group string) error {
	rule, rules, err := f.rule(ctx)
	if err != nil {
		return err
	}
	if err := f.unreached(rule, rules); err != nil {
		return err
	}
	if rule == nil {
		return f.create(ctx, rules, parked(f.settings.App), []share{{group, 100}})
	}
	before := shares(rule.Actions)
	after := attached(before, group)
	if equal(before, after) {
		return nil
	}
	return f.client.modify(ctx, rule, rule.Conditions, after)
}

// Shift gives a group percent of the app's traffic. What serves now keeps the
// rest; where nothing does, the group gets all. Shifting to what is so already
// sends no request that changes anything.
func (f *Front) Shift(ctx context.Context, group string, percent int) error {
	rule, rules, err := f.rule(ctx)
	if err != nil {
		return err
	}
	if err := f.unreached(rule, rules); err != nil {
		return err
	}
	f.changed = nil
	switch {
	case rule == nil:
		f.changed = &change{}
		err = f.create(ctx, rules, f.conditions(), shifted(f.present(), group, percent))
	case !f.given(rule, group, percent):
		f.changed = &change{rule}
		err = f.client.modify(ctx, rule, f.conditions(), f.shift(rule, group, percent))
	}
	if err != nil || percent < 100 {
		return err
	}
	for _, listener := range f.former {
		if err := f.client.deleteListener(ctx, listener); err != nil {
			return err
		}
	}
	f.former = nil
	return nil
}

// change is what a Shift did: the rule as it was; nil where there was none.
type change struct{ before *types.Rule }

// Undo gives the traffic back to what had it before the last Shift.
func (f *Front) Undo(ctx context.Context) error {
	if f.changed == nil {
		return nil
	}
	now, _, err := f.rule(ctx)
	if err != nil || now == nil {
		return err
	}
	if before := f.changed.before; before != nil {
		return f.client.modify(ctx, now, before.Conditions, shares(before.Actions))
	}
	return f.client.modify(ctx, now, parked(f.settings.App), shares(now.Actions))
}

// shift returns the shares after a group was given percent of the traffic.
func (f *Front) shift(rule *types.Rule, group string, percent int) []share {
	serving := shares(rule.Actions)
	if isParked(rule.Conditions) {
		serving = append(f.present(), zeroed(serving)...)
	}
	return shifted(serving, group, percent)
}

// given reports whether a group has its percentage already.
func (f *Front) given(rule *types.Rule, group string, percent int) bool {
	return sameConditions(rule.Conditions, f.conditions()) && equal(shares(rule.Actions), f.shift(rule, group, percent))
}

// Weight returns the percentage of the app's traffic that a group gets.
func (f *Front) Weight(ctx context.Context, group string) (int, error) {
	rule, _, err := f.rule(ctx)
	if err != nil || rule == nil || isParked(rule.Conditions) {
		return 0, err
	}
	all := shares(rule.Actions)
	at := slices.IndexFunc(all, func(s share) bool { return s.group == group })
	if at < 0 || total(all) == 0 {
		return 0, nil
	}
	return all[at].weight * 100 / total(all), nil
}

// present is what serves the app's requests before there is a rule for them: in
// a listener that exists, what its default action forwards to.
func (f *Front) present() []share {
	if f.own {
		return nil
	}
	return shares(f.listener.DefaultActions)
}

// rule returns the app's rule of the listener, if any, and all rules.
func (f *Front) rule(ctx context.Context) (*types.Rule, []types.Rule, error) {
	ours, rules, err := f.client.appRules(ctx, f.settings.App, f.Listener())
	if err != nil || len(ours) == 0 {
		return nil, rules, err
	}
	return &ours[0], rules, nil
}

// rules returns the rules of a listener but for the default one. A listener
// that is gone has none.
func (c *Client) rules(ctx context.Context, listener string) ([]types.Rule, error) {
	var all []types.Rule
	pages := elbv2.NewDescribeRulesPaginator(c.elb, &elbv2.DescribeRulesInput{ListenerArn: &listener})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if _, gone := errors.AsType[*types.ListenerNotFoundException](err); gone {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		all = append(all, page.Rules...)
	}
	return slices.DeleteFunc(all, func(r types.Rule) bool { return sdk.ToBool(r.IsDefault) || sdk.ToString(r.Priority) == "default" }), nil
}

// appRules returns the rules of a listener that are an app's, and all. Rules of
// others may vanish while it looks.
func (c *Client) appRules(ctx context.Context, app component.App, listener string) (ours, all []types.Rule, err error) {
	err = retry.Do(ctx, func(ctx context.Context) error {
		ours, all, err = nil, nil, nil
		if all, err = c.rules(ctx, listener); err != nil {
			return err
		}
		var arns []string
		for _, rule := range all {
			arns = append(arns, sdk.ToString(rule.RuleArn))
		}
		tags, err := c.tags(ctx, arns...)
		if _, gone := errors.AsType[*types.RuleNotFoundException](err); gone {
			return retry.Transient(err)
		}
		for _, rule := range all {
			if aws.Shared(tags[sdk.ToString(rule.RuleArn)], app) {
				ours = append(ours, rule)
			}
		}
		return err
	})
	return ours, all, err
}

// modify changes what differs of a rule.
func (c *Client) modify(ctx context.Context, rule *types.Rule, conditions []types.RuleCondition, want []share) error {
	in := &elbv2.ModifyRuleInput{RuleArn: rule.RuleArn, Actions: forward(want)}
	if !sameConditions(rule.Conditions, conditions) {
		in.Conditions = plain(conditions)
	}
	_, err := c.elb.ModifyRule(ctx, in)
	return err
}

// create makes the app's rule at a free priority. Others may do the same in the
// same listener at the same time.
func (f *Front) create(ctx context.Context, rules []types.Rule, conditions []types.RuleCondition, want []share) error {
	return retry.Do(ctx, func(ctx context.Context) error {
		_, err := f.client.elb.CreateRule(ctx, &elbv2.CreateRuleInput{
			ListenerArn: f.listener.ListenerArn, Priority: new(int32(f.priority(rules))),
			Conditions: conditions, Actions: forward(want), Tags: tagList(aws.AppTags(f.settings.App)),
		})
		if _, taken := errors.AsType[*types.PriorityInUseException](err); !taken {
			return err
		}
		ours, all, unread := f.client.appRules(ctx, f.settings.App, f.Listener())
		if unread != nil || len(ours) > 0 {
			return unread // it was made, and only the answer was lost
		}
		rules = all
		return retry.Transient(err)
	})
}

// Changed reports whether the last Shift changed anything.
func (f *Front) Changed() bool { return f.changed != nil }
