package local

import (
	"context"
	"errors"
	"io/fs"

	"github.com/deploy-action/deploy-action/internal/component"
)

// Destroy implements [component.Platform]. Requests in flight are waited for
// before the process is told to end.
func (p *platform) Destroy(ctx context.Context, t component.Target[Deployment]) error {
	c, err := p.card(t.App, t.ID)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return p.host.Progress.Step(ctx, "Removing process "+t.ID, func(ctx context.Context, step component.Step) error {
		step.Update("waiting for requests in flight")
		if err := frontOf(p.host.DataDir, t.App).drop(ctx, c.Deployment, c.StopTimeout); err != nil {
			return err
		}
		at := homeOf(p.host.DataDir, t.App, t.ID)
		step.Update("waiting for its end")
		if err := at.supervisor().stop(ctx, c.StopTimeout+supervisorGrace); err != nil {
			return err
		}
		leftovers(c.Mark)
		return removeFolder(at.dir, cardFile)
	})
}

// DestroyShared implements [component.Platform]: what the deployments of an app
// share is the front, and the folder around them.
func (p *platform) DestroyShared(ctx context.Context, app component.App) error {
	if err := frontOf(p.host.DataDir, app).remove(ctx, app); err != nil {
		return err
	}
	return removeEmpty(appDir(p.host.DataDir, app))
}
