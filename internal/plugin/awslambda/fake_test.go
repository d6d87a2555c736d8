//go:build servers

package awslambda

import (
	"context"
	"slices"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/deploy-action/deploy-action/internal/component"
)

// quiet shows nothing.
type quiet struct{}

func (quiet) Step(ctx context.Context, _ string, fn func(context.Context, component.Step) error) error {
	return fn(ctx, nothing{})
}

type nothing struct{ component.Step }

func (nothing) Update(string, ...any) {}

// exists lists all that there is in the account.
func (a *account) exists() []string {
	a.t.Helper()
	ctx := context.WithoutCancel(a.t.Context())
	var all []string
	functions, err := a.ListFunctions(ctx, &lambda.ListFunctionsInput{FunctionVersion: types.FunctionVersionAll})
	a.must(err)
	for _, f := range functions.Functions {
		all = append(all, "function "+sdk.ToString(f.FunctionName)+":"+sdk.ToString(f.Version))
	}
	roles, err := a.iam.ListRoles(ctx, &iam.ListRolesInput{})
	a.must(err)
	for _, r := range roles.Roles {
		all = append(all, "role "+sdk.ToString(r.RoleName))
	}
	logs, err := a.logs.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{})
	a.must(err)
	for _, g := range logs.LogGroups {
		all = append(all, "log group "+sdk.ToString(g.LogGroupName))
	}
	groups, err := a.elb.DescribeTargetGroups(ctx, &elbv2.DescribeTargetGroupsInput{})
	a.must(err)
	for _, g := range groups.TargetGroups {
		all = append(all, "target group "+sdk.ToString(g.TargetGroupName))
	}
	slices.Sort(all)
	return all
}

// empty removes all that there is. It takes a second where resetting the server
// takes half a minute.
func (a *account) empty() {
	a.t.Helper()
	ctx := context.WithoutCancel(a.t.Context())
	functions, err := a.ListFunctions(ctx, &lambda.ListFunctionsInput{})
	a.must(err)
	for _, f := range functions.Functions {
		_, err := a.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: f.FunctionName})
		a.must(err)
	}
	roles, err := a.iam.ListRoles(ctx, &iam.ListRolesInput{})
	a.must(err)
	for _, r := range roles.Roles {
		attached, err := a.iam.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{RoleName: r.RoleName})
		a.must(err)
		for _, policy := range attached.AttachedPolicies {
			_, err := a.iam.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: r.RoleName, PolicyArn: policy.PolicyArn})
			a.must(err)
		}
		_, err = a.iam.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: r.RoleName})
		a.must(err)
	}
	logs, err := a.logs.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{})
	a.must(err)
	for _, g := range logs.LogGroups {
		_, err := a.logs.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: g.LogGroupName})
		a.must(err)
	}
	groups, err := a.elb.DescribeTargetGroups(ctx, &elbv2.DescribeTargetGroupsInput{})
	a.must(err)
	for _, g := range groups.TargetGroups {
		_, err := a.elb.DeleteTargetGroup(ctx, &elbv2.DeleteTargetGroupInput{TargetGroupArn: g.TargetGroupArn})
		a.must(err)
	}
}

func (a *account) must(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}
