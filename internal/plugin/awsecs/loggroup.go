package awsecs

import (
	"context"
	"errors"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

// hasLogGroup reports whether the log group exists.
func (w *work) hasLogGroup(ctx context.Context) (bool, error) {
	name := w.cfg.logGroup()
	pages := cloudwatchlogs.NewDescribeLogGroupsPaginator(w.logs, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: &name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return false, err
		}
		for _, g := range page.LogGroups {
			if sdk.ToString(g.LogGroupName) == name {
				return true, nil
			}
		}
	}
	return false, nil
}

// makeLogGroup makes the log group.
func (w *work) makeLogGroup(ctx context.Context) error {
	_, err := w.logs.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: new(w.cfg.logGroup()), Tags: w.projectTags()})
	if _, exists := errors.AsType[*types.ResourceAlreadyExistsException](err); exists {
		return nil
	}
	return err
}
