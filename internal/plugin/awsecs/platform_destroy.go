package awsecs

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"golang.org/x/sync/errgroup"

	"github.com/deploy-action/deploy-action/internal/component"
)

// Destroy implements [component.Platform]. The revision of the task definition
// goes last, since Find knows a deployment by it.
func (p *platform) Destroy(ctx context.Context, t component.Target[Deployment]) error {
	w, err := p.begin(ctx, t.App, t.Deployment)
	if err != nil {
		return err
	}
	if p.existing(t.Deployment) {
		return w.destroyExisting(ctx, t)
	}
	return w.progress.Step(ctx, "Removing service "+t.ID, func(ctx context.Context, _ component.Step) error {
		return w.destroy(ctx, t.ID, w.cfg.balanced() || t.Deployment.Target != "")
	})
}

// destroy removes what belongs to a deployment alone: of a balanced one also its
// target group.
func (w *work) destroy(ctx context.Context, id string, balanced bool) error {
	if err := w.removeService(ctx, id); err != nil {
		return err
	}
	group, inner := errgroup.WithContext(ctx)
	if balanced {
		group.Go(func() error { return w.elb.RemoveGroup(inner, w.app, id) })
	}
	group.Go(func() error { return w.removeSecret(inner, id) })
	group.Go(func() error { return w.forbidSecrets(inner, id) })
	if err := group.Wait(); err != nil {
		return err
	}
	own, err := w.ownRevisions(ctx, w.family())
	if err != nil {
		return err
	}
	for _, r := range own {
		if r.id(w) == id {
			if err := w.removeRevision(ctx, r.arn); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeService has a deployment's service end its tasks and go.
func (w *work) removeService(ctx context.Context, id string) error {
	s, err := w.ownService(ctx, id)
	if err != nil || s == nil {
		return err
	}
	_, err = w.ecs.DeleteService(ctx, &ecs.DeleteServiceInput{Cluster: &w.cluster, Service: s.ServiceArn, Force: new(true)})
	if _, gone := errors.AsType[*types.ServiceNotFoundException](err); gone {
		return nil
	}
	if _, gone := errors.AsType[*types.ServiceNotActiveException](err); gone {
		return nil
	}
	return err
}

// DestroyShared implements [component.Platform]. The tasks' security group goes
// before the load balancer, whose own it names.
func (p *platform) DestroyShared(ctx context.Context, app component.App) error {
	w, err := p.begin(ctx, app, Deployment{})
	if err != nil {
		return err
	}
	if p.cfg.Service != "" {
		return w.destroyExistingShared(ctx)
	}
	group, inner := errgroup.WithContext(ctx)
	group.Go(func() error { return w.removeNetwork(inner) })
	group.Go(func() error { return w.removeRole(inner, w.executionRole().name) })
	if r := w.taskRole(); r != nil {
		group.Go(func() error { return w.removeRole(inner, r.name) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return w.removeCluster(ctx)
}

// removeNetwork removes the tasks' security group and the load balancer.
func (w *work) removeNetwork(ctx context.Context) error {
	if len(w.cfg.SecurityGroupIDs) == 0 {
		title := "Removing security group " + w.tasksGroup()
		err := w.progress.Step(ctx, title, func(ctx context.Context, step component.Step) error {
			return w.vpc.Remove(ctx, w.app, w.tasksGroup(), step)
		})
		if err != nil {
			return err
		}
	}
	if !w.cfg.balanced() {
		return nil
	}
	return w.elb.Destroy(ctx, w.settings())
}
