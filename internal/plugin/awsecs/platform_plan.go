package awsecs

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
)

// Plan implements [component.Platform].
func (p *platform) Plan(ctx context.Context, req component.DeployRequest[artifact.Image]) (component.Plan, error) {
	if err := deliverable(req); err != nil {
		return component.Plan{}, err
	}
	w, err := p.begin(ctx, req.App, Deployment{})
	if err != nil {
		return component.Plan{}, err
	}
	if p.cfg.Service != "" {
		return w.planExisting(ctx, req)
	}
	var (
		f       *found
		balance component.Plan
	)
	group, inner := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		f, err = w.look(inner, req.ID)
		return err
	})
	if w.cfg.balanced() {
		group.Go(func() (err error) {
			balance, err = w.elb.Plan(inner, w.settings(), "", 100)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return component.Plan{}, err
	}
	return w.plan(f, req, balance), nil
}

// plan says what is missing of what was looked for.
func (w *work) plan(f *found, req component.DeployRequest[artifact.Image], balance component.Plan) component.Plan {
	var changes []component.Change
	missing := func(is bool, subject, reason string) {
		if is {
			changes = append(changes, component.Change{Action: component.Create, Subject: subject, Reason: reason})
		}
	}
	missing(!f.cluster, "cluster/"+w.cluster, "")
	missing(!f.logGroup, "log group/"+w.cfg.logGroup(), "")
	for _, r := range []*role{f.execution, f.task} {
		if r == nil || !r.lacks() {
			continue
		}
		change := component.Change{Action: component.Create, Subject: "role/" + r.name}
		if r.arn != "" {
			change.Action, change.Reason = component.Update, "its policies are not complete"
		}
		changes = append(changes, change)
	}
	// What the release changes is the releaser's to say.
	for _, c := range balance.Changes {
		if c.Action == component.Create {
			changes = append(changes, c)
		}
	}
	name := req.ID
	if name == "" {
		name = component.Label(req.App.Name, 19) // how an ID that a deploy makes begins
	}
	missing(len(sensitive(req.Env)) > 0, "secret/"+w.secretPrefix()+name, counted(len(sensitive(req.Env)), "sensitive variable"))
	missing(true, "task definition/"+w.family(), pinned(req.Artifact))
	missing(w.cfg.balanced(), "target group/"+name, "")
	missing(true, "service/"+name, counted(int(w.cfg.count()), "task"))
	return component.Plan{Changes: changes}
}
