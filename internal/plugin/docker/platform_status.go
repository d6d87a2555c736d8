package docker

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
)

// Status implements [component.Platform].
func (p *platform) Status(ctx context.Context, t component.Target[Deployment]) (component.Health, error) {
	if err := p.sameEngine(t.Deployment); err != nil {
		return component.Health{}, err
	}
	c, err := p.find(ctx, t.App, t.ID)
	if err != nil {
		return component.Health{}, err
	}
	if c == nil {
		return component.Health{State: component.Missing, Message: "the engine has no such container"}, nil
	}
	health := healthOf(c)
	// A container that was restarted has another free port.
	if address := p.address(c); c.State.Running && t.Deployment.Address != "" && address != t.Deployment.Address {
		health.Drift = []component.Change{{
			Action:  component.Update,
			Subject: "container/" + t.ID,
			Reason:  fmt.Sprintf("published at %q, no longer at %q", address, t.Deployment.Address),
		}}
	}
	return health, nil
}

// healthOf sums up the state of a container.
func healthOf(c *container.InspectResponse) component.Health {
	state := c.State
	switch {
	case state.Restarting:
		return component.Health{State: component.Degraded, Message: "restarts again and again"}
	case state.Paused:
		return component.Health{State: component.Down, Message: "paused"}
	case state.Running && state.Health != nil && state.Health.Status == container.Unhealthy:
		return component.Health{State: component.Degraded, Message: "runs, but its health check fails"}
	case state.Running && state.Health != nil && state.Health.Status == container.Starting:
		return component.Health{State: component.Starting, Message: "its health check has not passed yet"}
	case state.Running:
		return component.Health{State: component.Ready, Message: "running"}
	case state.Status == container.StateCreated:
		return component.Health{State: component.Starting, Message: "created, but not started"}
	}
	return component.Health{State: component.Down, Message: howItEnded(state)}
}

// howItEnded says why a container no longer runs.
func howItEnded(state *container.State) string {
	text := fmt.Sprintf("ended with status %d", state.ExitCode)
	if state.OOMKilled {
		text += ", out of memory"
	}
	if state.Error != "" {
		text += ": " + state.Error
	}
	return text
}

// sameEngine refuses to look for a deployment on another engine than the one
// it was made on: not finding it there would pass for its being gone.
func (p *platform) sameEngine(d Deployment) error {
	if d.Engine == "" || d.Engine == p.engine.remote {
		return nil
	}
	return &diag.Problem{
		Summary: "Deployed to another Docker engine",
		Detail: fmt.Sprintf("The container %q was made by the engine at %q, but %q is configured now. "+
			"Name the former in client_config or the variable DOCKER_HOST.", d.Name, d.Engine, p.engine.address),
		Attr: "client_config.host",
	}
}

// running returns the container of a target, which must exist.
func (p *platform) running(ctx context.Context, t component.Target[Deployment]) (*container.InspectResponse, error) {
	if err := p.sameEngine(t.Deployment); err != nil {
		return nil, err
	}
	c, err := p.find(ctx, t.App, t.ID)
	if err != nil {
		return nil, err
	}
	if c == nil {
		return nil, &diag.Problem{
			Summary: "No such container",
			Detail:  fmt.Sprintf("The Docker engine at %q has no container %q with this app's labels. It may have been removed, or be on another engine.", p.engine.address, t.ID),
		}
	}
	return c, nil
}

// Find implements [component.Platform].
func (p *platform) Find(ctx context.Context, app component.App) ([]component.Target[Deployment], error) {
	if err := p.engine.connect(ctx); err != nil {
		return nil, err
	}
	list, err := p.engine.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: filters(appLabels(app))})
	if err != nil {
		return nil, p.engine.explain(ctx, "listing containers", err)
	}
	slices.SortStableFunc(list.Items, func(a, b container.Summary) int {
		return cmp.Or(cmp.Compare(b.Created, a.Created), cmp.Compare(sequence(b), sequence(a)))
	})
	var found []component.Target[Deployment]
	for _, c := range list.Items {
		id := c.Labels[labelDeployment]
		if id == "" {
			continue // not one that Deploy made, whatever it says
		}
		deployment := Deployment{Name: id, Engine: p.engine.remote}
		for _, port := range c.Ports {
			if int(port.PrivatePort) == p.servicePort() && port.PublicPort != 0 {
				deployment.Address = p.publishedAt(int(port.PublicPort))
			}
		}
		found = append(found, component.Target[Deployment]{App: app, ID: id, Sequence: sequence(c), Deployment: deployment})
	}
	return found, nil
}

// sequence reads a container's label; 0 where it has none.
func sequence(c container.Summary) int {
	number, err := strconv.Atoi(c.Labels[labelSequence])
	if err != nil {
		return 0
	}
	return number
}
