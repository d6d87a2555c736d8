package awsecs

import (
	"context"
	"errors"
	"fmt"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
)

// releaser gives a deployment the traffic of the load balancer.
type releaser struct {
	host component.Host
	cfg  ReleaserConfig
}

var _ component.Releaser[Deployment, Release] = (*releaser)(nil)

func openReleaser(h component.Host, c ReleaserConfig) (component.Releaser[Deployment, Release], error) {
	return &releaser{h, c}, nil
}

// Release is where users reach a deployment.
type Release struct {
	Region  string `json:"region"`
	Cluster string `json:"cluster"`
	Address string `json:"url,omitempty"`
	Front   *Front `json:"front,omitempty"` // nil for a deployment without a load balancer
}

// URL implements [component.Release].
func (r Release) URL() string { return r.Address }

// Plan implements [component.Releaser].
func (r *releaser) Plan(ctx context.Context, req component.ReleaseRequest[Deployment]) (component.Plan, error) {
	d := req.Target.Deployment
	if req.Planned && (r.cfg.DisableALB || r.cfg.Service != "") || !req.Planned && d.Front == nil {
		return component.Plan{}, whole(req)
	}
	if req.Planned {
		return component.Plan{Changes: []component.Change{{
			Action: component.Update, Subject: "load balancer's weights", Reason: fmt.Sprintf("%d %% of the traffic to the new deployment", req.Percent),
		}}}, nil
	}
	c, err := connect(ctx, r.host, d.Region)
	if err != nil {
		return component.Plan{}, err
	}
	return c.elb.Plan(ctx, d.Front.settings(req.Target.App), d.Target, req.Percent)
}

// whole refuses to give a part of the traffic to what has no load balancer.
func whole(req component.ReleaseRequest[Deployment]) error {
	if req.Percent == 100 {
		return nil
	}
	return &diag.Problem{
		Summary: "No shares without a load balancer of ours",
		Detail: "Only with a load balancer that the use block describes can a deployment get a part of the traffic. " +
			"Remove `canary`, or remove `disable_alb` or `service`.",
		Err: errors.ErrUnsupported,
	}
}

// Release implements [component.Releaser].
func (r *releaser) Release(ctx context.Context, req component.ReleaseRequest[Deployment]) (Release, error) {
	d := req.Target.Deployment
	made := Release{Region: d.Region, Cluster: d.Cluster, Front: d.Front}
	if d.Front == nil {
		return made, whole(req)
	}
	c, err := connect(ctx, r.host, d.Region)
	if err != nil {
		return Release{}, err
	}
	front, err := c.elb.Find(ctx, d.Front.settings(req.Target.App))
	if err != nil {
		return Release{}, err
	}
	// The record says which target group it was, and the tags whose it is.
	group, err := c.elb.FindGroup(ctx, req.Target.App, req.Target.ID)
	if err != nil {
		return Release{}, err
	}
	if front == nil || group == "" {
		return Release{}, &diag.Problem{
			Summary: "Nothing to release",
			Detail:  fmt.Sprintf("The load balancer or the target group of deployment %s is gone. Deploy again.", req.Target.ID),
		}
	}
	made.Address = front.URL()
	title := fmt.Sprintf("Giving %s %d %% of the traffic", req.Target.ID, req.Percent)
	return made, r.host.Progress.Step(ctx, title, func(ctx context.Context, step component.Step) error {
		if err := c.elb.AwaitHealthy(ctx, group, int(min(d.Count, 1)), step, nil); err != nil {
			return err
		}
		return front.Shift(ctx, group, req.Percent)
	})
}

// Destroy implements [component.Releaser]. The load balancer itself is the
// platform's.
func (r *releaser) Destroy(ctx context.Context, app component.App, made Release) error {
	if made.Front == nil {
		return nil
	}
	c, err := connect(ctx, r.host, made.Region)
	if err != nil {
		return err
	}
	return c.elb.Retract(ctx, made.Front.settings(app))
}
