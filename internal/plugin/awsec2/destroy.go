package awsec2

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/retry"
)

// Restore implements [component.Platform]. Groups are not updated in place, so
// there is nothing to put back.
func (p *platform) Restore(context.Context, component.RestoreRequest[Deployment]) (Deployment, error) {
	return Deployment{}, errors.ErrUnsupported
}

// Exec implements [component.Platform].
func (p *platform) Exec(context.Context, component.Target[Deployment], component.ExecRequest) (int, error) {
	return 0, errors.ErrUnsupported
}

// Destroy implements [component.Platform]. The launch template goes last, for
// Find goes by it.
func (p *platform) Destroy(ctx context.Context, t component.Target[Deployment]) error {
	c, err := p.open(ctx)
	if err != nil {
		return err
	}
	return p.host.Progress.Step(ctx, "Removing instances of "+t.ID, func(ctx context.Context, step component.Step) error {
		if err := removeScaling(ctx, c, t, step); err != nil {
			return err
		}
		if err := c.elb.RemoveGroup(ctx, t.App, t.ID); err != nil {
			return err
		}
		return removeTemplate(ctx, c, t.App, t.ID)
	})
}

// removeScaling removes the Auto Scaling group with its instances, and waits
// until it is gone.
func removeScaling(ctx context.Context, c clients, t component.Target[Deployment], step component.Step) error {
	asked := false
	return retry.Poll(ctx, lookInterval, func(ctx context.Context) (bool, error) {
		g, err := group(ctx, c, t.App, t.ID)
		if err != nil || g == nil {
			return g == nil, err
		}
		if !asked {
			asked = true
			_, err := c.scaling.DeleteAutoScalingGroup(ctx, &autoscaling.DeleteAutoScalingGroupInput{AutoScalingGroupName: &t.ID, ForceDelete: new(true)})
			// It is being removed already, by an attempt whose answer was lost; or
			// it is gone, which the next look shows.
			if code := aws.Code(err); code != "ResourceInUse" && code != "ValidationError" && err != nil {
				return false, err
			}
			if g, err = group(ctx, c, t.App, t.ID); err != nil || g == nil {
				return g == nil, err
			}
		}
		step.Update("%d instances are shutting down", len(g.Instances))
		return false, nil
	})
}

// DestroyShared implements [component.Platform].
func (p *platform) DestroyShared(ctx context.Context, app component.App) error {
	c, err := p.open(ctx)
	if err != nil {
		return err
	}
	name := groupName(app)
	return p.host.Progress.Step(ctx, "Removing security group "+name, func(ctx context.Context, step component.Step) error {
		return c.network.Remove(ctx, app, name, step)
	})
}
