package awsec2

import (
	"context"
	"fmt"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"golang.org/x/sync/errgroup"

	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/cloud/elb"
	"github.com/deploy-action/deploy-action/internal/cloud/vpc"
	"github.com/deploy-action/deploy-action/internal/component"
)

// Find implements [component.Platform].
func (p *platform) Find(ctx context.Context, app component.App) ([]component.Target[Deployment], error) {
	c, err := p.open(ctx)
	if err != nil {
		return nil, err
	}
	all, err := templates(ctx, c, app, "")
	if err != nil {
		return nil, err
	}
	found := make([]component.Target[Deployment], len(all))
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(4)
	for i, template := range all {
		id := sdk.ToString(template.LaunchTemplateName)
		found[i] = component.Target[Deployment]{
			App: app, ID: id, Sequence: aws.Sequence(vpc.Tags(template.Tags)), Deployment: Deployment{Name: id, Region: p.cfg.Region},
		}
		work.Go(func() (err error) {
			found[i].Deployment.TargetGroupARN, err = c.elb.FindGroup(ctx, app, id)
			return err
		})
	}
	return found, work.Wait()
}

// Status implements [component.Platform].
func (p *platform) Status(ctx context.Context, t component.Target[Deployment]) (component.Health, error) {
	c, err := p.open(ctx)
	if err != nil {
		return component.Health{}, err
	}
	var (
		scaling *astypes.AutoScalingGroup
		starts  *types.ResponseLaunchTemplateData
		targets elb.Health
	)
	work, within := errgroup.WithContext(ctx)
	work.Go(func() (err error) {
		scaling, err = group(within, c, t.App, t.ID)
		return err
	})
	work.Go(func() (err error) {
		starts, err = version(within, c, t.ID)
		return err
	})
	work.Go(func() (err error) {
		if t.Deployment.TargetGroupARN != "" {
			targets, err = c.elb.Health(within, t.Deployment.TargetGroupARN)
		}
		return err
	})
	if err := work.Wait(); err != nil {
		return component.Health{}, err
	}
	if scaling == nil {
		return component.Health{State: component.Missing, Message: fmt.Sprintf("there is no Auto Scaling group %s", t.ID)}, nil
	}
	health := judge(scaling, targets)
	health.Drift = drift(t.Deployment, scaling, starts)
	return health, nil
}

// judge sums up how instances fare.
func judge(g *astypes.AutoScalingGroup, targets elb.Health) component.Health {
	serving, want := len(inService(g)), int(sdk.ToInt32(g.DesiredCapacity))
	health := component.Health{State: component.Ready, Message: fmt.Sprintf("%d of %d instances in service", serving, want)}
	switch {
	case sdk.ToString(g.Status) != "":
		health.State, health.Message = component.Down, "being removed"
	case want == 0:
		health.State = component.Down
	case serving == 0:
		health.State = component.Starting
	case serving < want:
		health.State = component.Degraded
	case targets.Exists && !targets.Unused && targets.Healthy < targets.Total:
		health.State, health.Message = component.Degraded, targets.Message()
	}
	return health
}

// drift compares with what Deploy made, as far as the record knows it.
func drift(d Deployment, g *astypes.AutoScalingGroup, starts *types.ResponseLaunchTemplateData) []component.Change {
	var changes []component.Change
	note := func(subject, was, is string) {
		if was != "" && was != is {
			changes = append(changes, component.Change{Action: component.Update, Subject: subject, Reason: fmt.Sprintf("is %s, was deployed as %s", is, was)})
		}
	}
	if starts != nil {
		note("image", d.Image, sdk.ToString(starts.ImageId))
		note("instance type", d.InstanceType, string(starts.InstanceType))
	} else if d.Image != "" {
		changes = append(changes, component.Change{Action: component.Delete, Subject: "launch template/" + d.Name, Reason: "is gone"})
	}
	if d.Desired > 0 {
		note("number of instances", fmt.Sprint(d.Desired), fmt.Sprint(sdk.ToInt32(g.DesiredCapacity)))
	}
	return changes
}
