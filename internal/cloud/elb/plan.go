package elb

import (
	"context"
	"fmt"

	sdk "github.com/aws/aws-sdk-go-v2/aws"

	"github.com/deploy-action/deploy-action/internal/component"
)

// Plan says what [Client.Ensure] would make and [Front.Shift] would change to
// give a deployment percent of the traffic. It changes nothing. The target group
// is "" where it is not made yet.
func (c *Client) Plan(ctx context.Context, s Settings, group string, percent int) (component.Plan, error) {
	front, err := c.Find(ctx, s)
	if err != nil {
		return component.Plan{}, err
	}
	if front == nil {
		return c.planFirst(ctx, s)
	}
	rule, rules, err := front.rule(ctx)
	if err != nil {
		return component.Plan{}, err
	}
	if err := front.unreached(rule, rules); err != nil {
		return component.Plan{}, err
	}
	change := component.Change{
		Action: component.Update, Subject: "rule of listener " + front.URL(),
		Reason: fmt.Sprintf("%d %% of the traffic", percent),
	}
	if rule == nil {
		change.Action = component.Create
	} else if group != "" && front.given(rule, group, percent) {
		change.Action, change.Reason = component.Keep, ""
	}
	return component.Plan{Changes: []component.Change{change}}, nil
}

// planFirst plans what does not exist yet.
func (c *Client) planFirst(ctx context.Context, s Settings) (component.Plan, error) {
	balancer, _, err := c.look(ctx, s)
	if err != nil {
		return component.Plan{}, err
	}
	var changes []component.Change
	if balancer == nil {
		if _, err := c.network.Network(ctx, s.Subnets, s.Attrs.Subnets); err != nil {
			return component.Plan{}, err
		}
		changes = append(changes, component.Change{Action: component.Create, Subject: "load balancer/" + s.name()})
	} else {
		changes = append(changes, component.Change{Action: component.Keep, Subject: "load balancer/" + sdk.ToString(balancer.LoadBalancerName)})
	}
	changes = append(changes, component.Change{Action: component.Create, Subject: fmt.Sprintf("listener/%d", s.port())})
	if s.Zone != "" && s.Domain != "" {
		changes = append(changes, component.Change{Action: component.Create, Subject: "record/" + s.Domain})
	}
	return component.Plan{Changes: changes}, nil
}
