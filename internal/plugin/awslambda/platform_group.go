package awslambda

import (
	"context"
	"errors"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/deploy-action/deploy-action/internal/cloud/elb"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/retry"
)

// permissionPatience is how long a permission may take to be known everywhere.
const permissionPatience = 30 * time.Second

// ensureGroup makes the target group of a version, through which a load
// balancer calls it, and returns its ARN.
func (p *platform) ensureGroup(ctx context.Context, c *client, in component.DeployInput, d Deployment) (group string, err error) {
	err = p.host.Progress.Step(ctx, "Preparing target group "+d.ID, func(ctx context.Context, _ component.Step) error {
		group, err = c.groups.EnsureGroup(ctx, elb.Group{App: in.App, ID: in.ID, Sequence: in.Sequence, Type: elbtypes.TargetTypeEnumLambda})
		if err != nil {
			return err
		}
		if err := c.permitGroup(ctx, d, group); err != nil {
			return err
		}
		return retry.Patiently(ctx, permissionPatience, func(ctx context.Context) error {
			_, err := c.elb.RegisterTargets(ctx, &elbv2.RegisterTargetsInput{
				TargetGroupArn: &group, Targets: []elbtypes.TargetDescription{{Id: new(d.versionARN())}},
			})
			if err != nil && strings.Contains(err.Error(), "permission to invoke") {
				return retry.Transient(err)
			}
			return err
		})
	})
	return group, err
}

// permitGroup lets a target group call the version. The statement is named for
// the group, since one that is made anew has another ARN.
func (c *client) permitGroup(ctx context.Context, d Deployment, group string) error {
	_, err := c.AddPermission(ctx, &lambda.AddPermissionInput{
		FunctionName: &d.Name, Qualifier: &d.Version,
		StatementId: new("deploy-action-" + group[strings.LastIndexByte(group, '/')+1:]),
		Action:      new("lambda:InvokeFunction"), Principal: new("elasticloadbalancing.amazonaws.com"), SourceArn: &group,
	})
	if _, exists := errors.AsType[*types.ResourceConflictException](err); exists {
		return nil
	}
	return err
}

// registered reports whether a load balancer would find the version in its
// group.
func (c *client) registered(ctx context.Context, d Deployment) (bool, error) {
	answer, err := c.elb.DescribeTargetHealth(ctx, &elbv2.DescribeTargetHealthInput{TargetGroupArn: &d.Group})
	if _, none := errors.AsType[*elbtypes.TargetGroupNotFoundException](err); none {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, target := range answer.TargetHealthDescriptions {
		if target.Target != nil && sdk.ToString(target.Target.Id) == d.versionARN() {
			return true, nil
		}
	}
	return false, nil
}
