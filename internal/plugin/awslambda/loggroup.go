package awslambda

import (
	"context"
	"errors"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/component"
)

// logGroup returns the name of the group that a function writes to.
func logGroup(function string) string { return "/aws/lambda/" + function }

// ensureLogGroup makes the group that a function writes to. Lambda would make
// one by itself, without tags, and nobody would remove it. One that exists stays
// as it is.
func (c *client) ensureLogGroup(ctx context.Context, app component.App, function string) error {
	_, err := c.logs.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{
		LogGroupName: new(logGroup(function)), Tags: aws.AppTags(app),
	})
	if _, exists := errors.AsType[*types.ResourceAlreadyExistsException](err); exists {
		return nil
	}
	return err
}

// destroyLogGroup removes the group that a function wrote to, if it is the
// app's.
func (c *client) destroyLogGroup(ctx context.Context, app component.App, function string) error {
	name := logGroup(function)
	found, err := c.logs.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: &name})
	if err != nil {
		return err
	}
	for _, group := range found.LogGroups {
		if sdk.ToString(group.LogGroupName) != name {
			continue
		}
		arn := strings.TrimSuffix(sdk.ToString(group.Arn), ":*")
		tags, err := c.logs.ListTagsForResource(ctx, &cloudwatchlogs.ListTagsForResourceInput{ResourceArn: &arn})
		if err != nil {
			return ignore(err, noLogs)
		}
		if !aws.Shared(tags.Tags, app) {
			continue
		}
		_, err = c.logs.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: &name})
		if err != nil {
			return ignore(err, noLogs)
		}
	}
	return nil
}

func noLogs(err error) bool {
	_, none := errors.AsType[*types.ResourceNotFoundException](err)
	return none
}
