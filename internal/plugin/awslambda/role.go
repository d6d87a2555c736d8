package awslambda

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/retry"
)

// roleName returns the name of the role that is made for an app's function.
func roleName(app component.App) string { return "lambda-" + aws.Name(app, 57) }

// trust lets Lambda take a role.
const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`

// basicPolicy lets a function write logs.
const basicPolicy = "policy/service-role/AWSLambdaBasicExecutionRole"

// ensureRole makes the role of an app's function, or completes the one that an
// earlier attempt made, and returns its ARN.
func (c *client) ensureRole(ctx context.Context, app component.App) (string, error) {
	name := roleName(app)
	made, err := c.iam.CreateRole(ctx, &iam.CreateRoleInput{
		RoleName: &name, AssumeRolePolicyDocument: new(trust), Tags: roleTags(app),
		Description: new(fmt.Sprintf("What the function of %s in the workspace %s runs as", app.Name, app.Workspace)),
	})
	var role *iamtypes.Role
	if _, exists := errors.AsType[*iamtypes.EntityAlreadyExistsException](err); exists {
		role, err = c.role(ctx, app)
		if err == nil && role == nil {
			return "", &diag.Problem{
				Summary: fmt.Sprintf("There is another role %q", name),
				Detail:  "It does not carry this program's tags for the app, and is not touched. Rename it, or name the role of the function with iam_role.",
				Attr:    "iam_role",
			}
		}
	} else if err == nil {
		role = made.Role
	}
	if err != nil {
		return "", err
	}
	parsed, err := arn.Parse(sdk.ToString(role.Arn))
	if err != nil {
		return "", fmt.Errorf("reading the ARN of the role %s: %w", name, err)
	}
	policy := arn.ARN{Partition: parsed.Partition, Service: "iam", AccountID: "aws", Resource: basicPolicy}
	_, err = c.iam.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: &name, PolicyArn: new(policy.String())})
	return sdk.ToString(role.Arn), err
}

func roleTags(app component.App) []iamtypes.Tag {
	var tags []iamtypes.Tag
	for key, value := range aws.AppTags(app) {
		tags = append(tags, iamtypes.Tag{Key: &key, Value: &value})
	}
	slices.SortFunc(tags, func(a, b iamtypes.Tag) int { return strings.Compare(*a.Key, *b.Key) })
	return tags
}

// role returns the role that was made for an app's function; nil where there is
// none with the app's tags.
func (c *client) role(ctx context.Context, app component.App) (*iamtypes.Role, error) {
	found, err := c.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: new(roleName(app))})
	if noRole(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	tags := map[string]string{}
	for _, tag := range found.Role.Tags {
		tags[sdk.ToString(tag.Key)] = sdk.ToString(tag.Value)
	}
	if !aws.Shared(tags, app) {
		return nil, nil
	}
	return found.Role, nil
}

func noRole(err error) bool {
	_, none := errors.AsType[*iamtypes.NoSuchEntityException](err)
	return none
}

// destroyRole removes the role that was made for an app's function, with what
// people attached to it.
func (c *client) destroyRole(ctx context.Context, app component.App) error {
	role, err := c.role(ctx, app)
	if err != nil || role == nil {
		return err
	}
	attached, err := c.iam.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{RoleName: role.RoleName})
	if err != nil {
		return ignore(err, noRole)
	}
	for _, policy := range attached.AttachedPolicies {
		_, err := c.iam.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: role.RoleName, PolicyArn: policy.PolicyArn})
		if ignore(err, noRole) != nil {
			return err
		}
	}
	own, err := c.iam.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: role.RoleName})
	if err != nil {
		return ignore(err, noRole)
	}
	for _, policy := range own.PolicyNames {
		_, err := c.iam.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: role.RoleName, PolicyName: &policy})
		if ignore(err, noRole) != nil {
			return err
		}
	}
	_, err = c.iam.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: role.RoleName})
	return ignore(err, noRole)
}

// ignore returns nil for an error that does not matter.
func ignore(err error, harmless func(error) bool) error {
	if harmless(err) {
		return nil
	}
	return err
}

// Until a role that was made a moment ago is known everywhere, Lambda refuses
// it. One that somebody else made is rarely that new.
const (
	ownRolePatience   = time.Minute
	givenRolePatience = 0
)

// withRole makes a call that names a role.
func (p *platform) withRole(ctx context.Context, step component.Step, role string, call func(context.Context) error) error {
	wait := ownRolePatience
	if p.cfg.IAMRole != "" {
		wait = givenRolePatience
	}
	err := retry.Patiently(ctx, wait, func(ctx context.Context) error {
		err := call(ctx)
		if refusedRole(err) {
			step.Update("waiting until Lambda knows the role")
			return retry.After(err, time.Second)
		}
		return err
	})
	if !refusedRole(err) {
		return err
	}
	return &diag.Problem{
		Summary: "Lambda cannot run the function as its role",
		Detail: fmt.Sprintf("AWS says: %s. The role %s must exist, and its trust policy must name Lambda:\n\n%s",
			said(err), role, trust),
		Attr: "iam_role", Err: err,
	}
}

// refusedRole reports whether Lambda cannot use a role, now or ever.
func refusedRole(err error) bool {
	_, invalid := errors.AsType[*types.InvalidParameterValueException](err)
	return invalid && strings.Contains(err.Error(), "assumed by Lambda")
}

// said returns what AWS said, without a period.
func said(err error) string {
	if invalid, ok := errors.AsType[*types.InvalidParameterValueException](err); ok {
		return strings.TrimRight(invalid.ErrorMessage(), ". ")
	}
	return err.Error()
}
