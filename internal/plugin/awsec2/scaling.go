package awsec2

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/component"
)

// group returns the Auto Scaling group of a deployment; nil where there is none
// that carries its tags.
func group(ctx context.Context, c clients, app component.App, id string) (*types.AutoScalingGroup, error) {
	if id == "" {
		return nil, nil
	}
	answer, err := c.scaling.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{id}})
	if err != nil || len(answer.AutoScalingGroups) == 0 {
		return nil, err
	}
	found := answer.AutoScalingGroups[0]
	tags := map[string]string{}
	for _, tag := range found.Tags {
		tags[sdk.ToString(tag.Key)] = sdk.ToString(tag.Value)
	}
	if !aws.OfDeployment(tags, app, id) {
		return nil, nil
	}
	return &found, nil
}

// ensureScaling makes the Auto Scaling group of a deployment, unless an earlier
// attempt did.
func (p *platform) ensureScaling(
	ctx context.Context, c clients, req component.DeployRequest[artifact.MachineImage], targets string, subnets []string,
) error {
	existing, err := group(ctx, c, req.App, req.ID)
	if err != nil || existing != nil {
		return err
	}
	n := p.cfg.count()
	_, err = c.scaling.CreateAutoScalingGroup(ctx, &autoscaling.CreateAutoScalingGroupInput{
		AutoScalingGroupName: &req.ID,
		LaunchTemplate:       &types.LaunchTemplateSpecification{LaunchTemplateName: &req.ID, Version: new("$Latest")},
		MinSize:              new(int32(n.Min)), MaxSize: new(int32(n.Max)), DesiredCapacity: new(int32(n.Desired)),
		VPCZoneIdentifier: new(strings.Join(subnets, ",")), TargetGroupARNs: []string{targets},
		Tags: tagList(aws.Tags(req.App, req.ID, req.Sequence)),
	})
	if _, taken := errors.AsType[*types.AlreadyExistsFault](err); !taken {
		return err
	}
	if existing, unread := group(ctx, c, req.App, req.ID); unread != nil || existing != nil {
		return unread
	}
	return nameTaken("an Auto Scaling group", req.ID, err)
}

// tagList returns tags for the group alone: instances and disks get theirs by
// the launch template.
func tagList(tags map[string]string) []types.Tag {
	var list []types.Tag
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, types.Tag{Key: new(key), Value: new(tags[key]), PropagateAtLaunch: new(false)})
	}
	return list
}

// inService returns the group's instances that run for it.
func inService(g *types.AutoScalingGroup) []types.Instance {
	return slices.DeleteFunc(slices.Clone(g.Instances), func(i types.Instance) bool {
		return i.LifecycleState != types.LifecycleStateInService || sdk.ToString(i.HealthStatus) == "Unhealthy"
	})
}

// mostActivities is how many scaling activities are looked at.
const mostActivities = 50

// activities returns what the group did, the newest first.
func activities(ctx context.Context, c clients, id string) ([]types.Activity, error) {
	answer, err := c.scaling.DescribeScalingActivities(ctx, &autoscaling.DescribeScalingActivitiesInput{
		AutoScalingGroupName: &id, MaxRecords: new(int32(mostActivities)),
	})
	if err != nil {
		return nil, err
	}
	return answer.Activities, nil
}
