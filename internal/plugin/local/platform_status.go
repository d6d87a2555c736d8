package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/deploy-action/deploy-action/internal/component"
)

// Status implements [component.Platform].
func (p *platform) Status(ctx context.Context, t component.Target[Deployment]) (component.Health, error) {
	c, err := p.card(t.App, t.ID)
	if errors.Is(err, fs.ErrNotExist) {
		return component.Health{State: component.Missing, Message: "this machine has no such deployment"}, nil
	}
	if err != nil {
		return component.Health{}, err
	}
	state, err := supervisorOf(homeOf(p.host.DataDir, t.App, t.ID))
	if err != nil {
		return component.Health{}, err
	}
	switch state.Phase {
	case phaseEnded:
		return component.Health{State: component.Down, Message: "does not run: " + state.Message}, nil
	case phaseWaiting:
		return component.Health{State: component.Down, Message: "starts again soon; " + state.Message}, nil
	}
	if reason := checkHealth(ctx, p.host.HTTP, c.Port, c.HealthPath); reason != nil {
		health := component.Health{State: component.Starting, Message: "does not serve yet: " + reason.Error()}
		if c.Served && state.Phase == phaseRunning {
			health = component.Health{State: component.Down, Message: "runs but does not serve: " + reason.Error()}
		}
		return health, ctx.Err()
	}
	return p.behindFront(t.App, c)
}

// behindFront is the health of a deployment that serves on its own port: if it
// is released, its front must live.
func (p *platform) behindFront(app component.App, c card) (component.Health, error) {
	front := frontOf(p.host.DataDir, app)
	to, err := front.route()
	if err != nil {
		return component.Health{}, err
	}
	if to.Deployment == c.Deployment {
		pid, err := front.pid()
		if err != nil {
			return component.Health{}, err
		}
		if pid == 0 {
			return component.Health{
				State:   component.Degraded,
				Message: fmt.Sprintf("serves at %s, but its front is gone; release it again", c.deployment().URL()),
			}, nil
		}
	}
	return component.Health{State: component.Ready, Message: "serves at " + c.deployment().URL()}, nil
}
