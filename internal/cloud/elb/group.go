package elb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/retry"
)

// Group is the target group of one deployment, whose ID is its name.
type Group struct {
	App      component.App
	ID       string
	Sequence int

	Type     types.TargetTypeEnum // ip, instance or lambda
	VPC      string               // "" for lambda
	Port     int                  // 0 for lambda
	Protocol string               // between load balancer and targets: "" is HTTP
	Version  string               // of the protocol: "" is HTTP1
	Check    Check

	// Drain is how long a target that leaves may finish requests; 0 is a
	// minute.
	Drain time.Duration
}

// Check is how a load balancer finds out whether a target is well. Zero fields
// are AWS's defaults.
type Check struct {
	Protocol, Path               string
	Interval, Timeout            int // in seconds
	HealthyAfter, UnhealthyAfter int // checks in a row
	HTTPCode, GRPCCode           string
}

// EnsureGroup makes the target group of a deployment, or adopts the one that an
// earlier attempt made, and returns its ARN.
func (c *Client) EnsureGroup(ctx context.Context, g Group) (string, error) {
	found, err := c.FindGroup(ctx, g.App, g.ID)
	if err != nil {
		return "", err
	}
	if found != "" {
		return found, c.setDrain(ctx, g, found)
	}
	made, err := c.elb.CreateTargetGroup(ctx, g.request())
	if _, taken := errors.AsType[*types.DuplicateTargetGroupNameException](err); taken {
		// An answer that was lost is asked for again by the SDK, in vain.
		if found, unread := c.FindGroup(ctx, g.App, g.ID); unread != nil || found != "" {
			return found, unread
		}
		return "", &diag.Problem{
			Summary: "The name of a target group is taken",
			Detail: fmt.Sprintf("The account has a target group %q in this region that this program did not make for %s in the workspace %s. "+
				"Rename or remove it.", g.ID, g.App.Name, g.App.Workspace),
			Err: err,
		}
	}
	if err != nil {
		return "", err
	}
	arn := sdk.ToString(made.TargetGroups[0].TargetGroupArn)
	return arn, c.setDrain(ctx, g, arn)
}

// setDrain sets what cannot be said in the call that makes a group. AWS's own
// five minutes are what every destroy would take.
func (c *Client) setDrain(ctx context.Context, g Group, arn string) error {
	if g.Type == types.TargetTypeEnumLambda {
		return nil
	}
	_, err := c.elb.ModifyTargetGroupAttributes(ctx, &elbv2.ModifyTargetGroupAttributesInput{
		TargetGroupArn: &arn,
		Attributes: []types.TargetGroupAttribute{{
			Key: new("deregistration_delay.timeout_seconds"), Value: new(fmt.Sprintf("%.0f", cmp.Or(g.Drain, time.Minute).Seconds())),
		}},
	})
	return err
}

// request is the call that makes the group.
func (g Group) request() *elbv2.CreateTargetGroupInput {
	in := &elbv2.CreateTargetGroupInput{Name: &g.ID, TargetType: g.Type, Tags: tagList(aws.Tags(g.App, g.ID, g.Sequence))}
	if g.Type == types.TargetTypeEnumLambda {
		return in
	}
	in.VpcId, in.Port = &g.VPC, new(int32(g.Port))
	in.Protocol = types.ProtocolEnum(cmp.Or(g.Protocol, "HTTP"))
	in.ProtocolVersion = text(g.Version)
	in.HealthCheckEnabled = new(true)
	in.HealthCheckProtocol = types.ProtocolEnum(g.Check.Protocol)
	in.HealthCheckPath = text(g.Check.Path)
	in.HealthCheckIntervalSeconds = number(g.Check.Interval)
	in.HealthCheckTimeoutSeconds = number(g.Check.Timeout)
	in.HealthyThresholdCount = number(g.Check.HealthyAfter)
	in.UnhealthyThresholdCount = number(g.Check.UnhealthyAfter)
	if g.Check.HTTPCode != "" || g.Check.GRPCCode != "" {
		in.Matcher = &types.Matcher{HttpCode: text(g.Check.HTTPCode), GrpcCode: text(g.Check.GRPCCode)}
	}
	return in
}

// FindGroup returns the ARN of the target group of a deployment; "" where there
// is none that carries its tags.
func (c *Client) FindGroup(ctx context.Context, app component.App, id string) (string, error) {
	group, err := c.group(ctx, app, id)
	if group == nil {
		return "", err
	}
	return sdk.ToString(group.TargetGroupArn), nil
}

func (c *Client) group(ctx context.Context, app component.App, id string) (*types.TargetGroup, error) {
	answer, err := c.elb.DescribeTargetGroups(ctx, &elbv2.DescribeTargetGroupsInput{Names: []string{id}})
	if _, gone := errors.AsType[*types.TargetGroupNotFoundException](err); gone {
		return nil, nil
	}
	if err != nil || len(answer.TargetGroups) == 0 {
		return nil, err
	}
	group := answer.TargetGroups[0]
	arn := sdk.ToString(group.TargetGroupArn)
	tags, err := c.tags(ctx, arn)
	if _, gone := errors.AsType[*types.TargetGroupNotFoundException](err); gone {
		return nil, nil
	}
	if err != nil || !aws.OfDeployment(tags[arn], app, id) {
		return nil, err
	}
	return &group, nil
}

// RemoveGroup takes the target group of a deployment out of all rules of its
// app, and deletes it. What is gone, or does not carry the deployment's tags, is
// no error. The targets must be gone, or on their way.
func (c *Client) RemoveGroup(ctx context.Context, app component.App, id string) error {
	group, err := c.group(ctx, app, id)
	if err != nil || group == nil {
		return err
	}
	arn := sdk.ToString(group.TargetGroupArn)
	// A rule that was changed a moment ago may still hold the group.
	return retry.Do(ctx, func(ctx context.Context) error {
		if err := c.withdraw(ctx, app, group); err != nil {
			return err
		}
		_, err := c.elb.DeleteTargetGroup(ctx, &elbv2.DeleteTargetGroupInput{TargetGroupArn: &arn})
		if _, gone := errors.AsType[*types.TargetGroupNotFoundException](err); gone {
			return nil
		}
		if _, used := errors.AsType[*types.ResourceInUseException](err); used {
			return retry.Transient(&diag.Problem{
				Summary: fmt.Sprintf("The target group %s is still in use", id),
				Detail: fmt.Sprintf("A listener or a rule that this program did not make forwards to %s. "+
					"Take the target group out of it, and run the same command again.", arn),
				Err: err,
			})
		}
		return err
	})
}

// text is nil for "".
func text(value string) *string {
	if value == "" {
		return nil
	}
	return &value
}

// number is nil for 0.
func number(value int) *int32 {
	if value == 0 {
		return nil
	}
	return new(int32(value))
}
