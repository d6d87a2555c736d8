package docker

import (
	"context"
	"errors"
	"fmt"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
)

// platform runs each deployment as one container of a Docker engine.
type platform struct {
	host   component.Host
	cfg    PlatformConfig
	engine *engine
}

var _ component.Platform[artifact.Image, Deployment] = (*platform)(nil)

func openPlatform(h component.Host, c PlatformConfig) (component.Platform[artifact.Image, Deployment], error) {
	var settings ClientConfig
	if c.ClientConfig != nil {
		settings = *c.ClientConfig
	}
	docker, err := openEngine(h.Getenv, settings)
	if err != nil {
		return nil, err
	}
	p := &platform{host: h, cfg: c, engine: docker}
	if number := p.servicePort(); number < 0 || number > 65535 {
		return nil, invalidPort("service_port", number)
	}
	for _, number := range c.ExtraPorts {
		if number < 1 || number > 65535 {
			return nil, invalidPort("extra_ports", number)
		}
	}
	return p, nil
}

func invalidPort(attr string, number int) error {
	return &diag.Problem{
		Summary: "No such port",
		Detail:  fmt.Sprintf("%d is not the number of a port. Ports are numbered from 1 to 65535.", number),
		Attr:    attr,
	}
}

// Plan implements [component.Platform].
func (p *platform) Plan(ctx context.Context, req component.DeployRequest[artifact.Image]) (component.Plan, error) {
	if _, err := p.spec(req); err != nil {
		return component.Plan{}, err
	}
	if err := p.engine.connect(ctx); err != nil {
		return component.Plan{}, err
	}
	if err := p.checkNetworks(ctx); err != nil {
		return component.Plan{}, err
	}
	image, err := p.planImage(ctx, req.Artifact)
	if err != nil {
		return component.Plan{}, err
	}
	subject := "container/" + req.ID
	if req.ID == "" {
		subject = "container/" + component.Label(req.App.Name, 19) // the ID that a deploy makes begins so
	}
	change := component.Change{Action: component.Create, Subject: subject}
	if port := p.servicePort(); port > 0 {
		change.Reason = fmt.Sprintf("serves at port %d, published at a free one", port)
	}
	return component.Plan{Changes: []component.Change{image, change}}, nil
}

// Deploy implements [component.Platform]. A container that an earlier attempt
// left is adopted if it runs, and made anew if it never did or has ended.
func (p *platform) Deploy(ctx context.Context, req component.DeployRequest[artifact.Image]) (Deployment, error) {
	spec, err := p.spec(req)
	if err != nil {
		return Deployment{}, err
	}
	existing, err := p.find(ctx, req.App, req.ID)
	if err != nil {
		return Deployment{}, err
	}
	made := Deployment{Name: req.ID, Engine: p.engine.remote}
	if existing != nil && !existing.State.Running {
		if err := p.remove(ctx, existing.ID); err != nil {
			return made, err
		}
		existing = nil
	}
	if existing == nil {
		if err := p.checkNetworks(ctx); err != nil {
			return Deployment{}, err
		}
		if spec.Image, err = p.ensureImage(ctx, req); err != nil {
			return Deployment{}, err
		}
		err := p.host.Progress.Step(ctx, "Starting container "+req.ID, func(ctx context.Context, _ component.Step) error {
			return p.start(ctx, spec, req.Files)
		})
		if _, taken := errors.AsType[*nameTakenError](err); taken {
			return Deployment{}, err
		}
		if err != nil {
			return made, err
		}
	}
	err = p.host.Progress.Step(ctx, "Waiting for container "+req.ID, func(ctx context.Context, step component.Step) (err error) {
		made.Address, err = p.await(ctx, req.App, req.ID, step)
		return err
	})
	return made, err
}

// checkNetworks reports a network that does not exist. An engine may find out
// only when the container starts, and not say which attribute it concerns.
func (p *platform) checkNetworks(ctx context.Context) error {
	for _, name := range p.cfg.Networks {
		_, err := p.engine.NetworkInspect(ctx, name, client.NetworkInspectOptions{})
		if notFound(err) {
			return &diag.Problem{
				Summary: "No such network",
				Detail:  fmt.Sprintf("The Docker engine at %q has no network %q. Make it before a deploy, or correct the name.", p.engine.address, name),
				Attr:    "networks",
			}
		}
		if err != nil {
			return p.engine.explain(ctx, "looking for a network", err)
		}
	}
	return nil
}

// nameTakenError says that a container which is not ours has the name.
type nameTakenError struct{ *diag.Problem }

// Unwrap returns the problem.
func (e *nameTakenError) Unwrap() error { return e.Problem }

// start creates the container, completes it and starts it. After an error it
// may exist all the same, but for a [nameTakenError].
func (p *platform) start(ctx context.Context, spec client.ContainerCreateOptions, files map[string]component.Setting) error {
	created, err := p.engine.ContainerCreate(ctx, spec)
	if cerrdefs.IsConflict(err) {
		return &nameTakenError{&diag.Problem{
			Summary: "Container name taken",
			Detail:  fmt.Sprintf("The engine has a container %q that this program did not make for this app. Rename or remove it.", spec.Name),
			Err:     err,
		}}
	}
	if err != nil {
		return p.refused(ctx, "The engine does not accept the container.", "", err)
	}
	for _, name := range p.cfg.Networks {
		_, err := p.engine.NetworkConnect(ctx, name, client.NetworkConnectOptions{Container: created.ID})
		if err != nil {
			return p.refused(ctx, fmt.Sprintf("The container cannot be connected to the network %q.", name), "networks", err)
		}
	}
	if len(files) > 0 {
		if err := p.copyFiles(ctx, created.ID, files); err != nil {
			return err
		}
	}
	if _, err := p.engine.ContainerStart(ctx, created.ID, client.ContainerStartOptions{}); err != nil {
		attr := ""
		if len(p.cfg.Command) > 0 {
			attr = "command"
		}
		return p.refused(ctx, "The container was created, but its command does not start.", attr, err)
	}
	return nil
}

// refused makes a problem of what the engine answered to a part of the
// configuration. An error that is no answer stays what it is.
func (p *platform) refused(ctx context.Context, detail, attr string, err error) error {
	err = p.engine.explain(ctx, "starting the container", err)
	if _, known := errors.AsType[*diag.Problem](err); known || ctx.Err() != nil {
		return err
	}
	return &diag.Problem{Summary: "Container cannot be started", Detail: detail, Attr: attr, Err: err}
}
