package docker

import (
	"context"
	"errors"

	"github.com/moby/moby/client"

	"github.com/deploy-action/deploy-action/internal/component"
)

// Restore implements [component.Platform]. Containers are not updated in
// place, so there is nothing to put back.
func (p *platform) Restore(context.Context, component.RestoreRequest[Deployment]) (Deployment, error) {
	return Deployment{}, errors.ErrUnsupported
}

// Destroy implements [component.Platform]. The container gets its stop signal
// and the time that it was made with to finish; then it is removed with its
// volumes that have no name.
func (p *platform) Destroy(ctx context.Context, t component.Target[Deployment]) error {
	if err := p.sameEngine(t.Deployment); err != nil {
		return err
	}
	c, err := p.find(ctx, t.App, t.ID)
	if err != nil || c == nil {
		return err
	}
	return p.host.Progress.Step(ctx, "Removing container "+t.ID, func(ctx context.Context, _ component.Step) error {
		if c.State.Running {
			_, err := p.engine.ContainerStop(ctx, c.ID, client.ContainerStopOptions{})
			if err != nil && !notFound(err) {
				return p.engine.explain(ctx, "stopping the container", err)
			}
		}
		return p.remove(ctx, c.ID)
	})
}

// remove removes a container, running or not. One that is gone is no error.
func (p *platform) remove(ctx context.Context, id string) error {
	_, err := p.engine.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
	if notFound(err) {
		return nil
	}
	return p.engine.explain(ctx, "removing the container", err)
}

// DestroyShared implements [component.Platform]. Containers share only what
// the engine's owner made: networks, and volumes with names.
func (p *platform) DestroyShared(ctx context.Context, _ component.App) error {
	return context.Cause(ctx)
}
