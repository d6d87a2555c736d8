package docker

import (
	"context"
	"errors"
	"fmt"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// imageRegistry pushes images to a registry.
type imageRegistry struct {
	host  component.Host
	cfg   RegistryConfig
	login *oci.Login // as configuration gives it; nil without one
}

var _ component.Registry[artifact.Image] = (*imageRegistry)(nil)

func openRegistry(h component.Host, c RegistryConfig) (component.Registry[artifact.Image], error) {
	if err := errors.Join(at("image", oci.CheckRepository(c.Image)), at("tag", oci.CheckTag(c.Tag))); err != nil {
		return nil, err
	}
	g := &imageRegistry{host: h, cfg: c}
	if c.Auth != nil && c.Auth.Hostname != "" {
		return nil, &diag.Problem{
			Summary: "Login for another registry",
			Detail:  fmt.Sprintf("The auth block here is for the registry of the image %q. Remove hostname.", c.Image),
			Attr:    "auth.hostname",
		}
	}
	var err error
	g.login, err = configuredLogin(c)
	return g, err
}

// configuredLogin returns the login that the block names, in Waypoint's order.
func configuredLogin(c RegistryConfig) (*oci.Login, error) {
	var (
		login oci.Login
		err   error
	)
	switch {
	case c.EncodedAuth != "":
		login, err = oci.ParseEncodedAuth(c.EncodedAuth)
	case c.Password != "":
		login = oci.Login{Username: c.Username, Password: c.Password}
	case c.Auth != nil:
		login, err = c.Auth.login()
	default:
		return nil, nil
	}
	return &login, err
}

// Plan implements [component.Registry].
func (g *imageRegistry) Plan(ctx context.Context, req component.PushRequest[artifact.Image]) (artifact.Image, component.Plan, error) {
	if image, done, err := g.withoutPush(req.Artifact); done || err != nil {
		keep := component.Change{Action: component.Keep, Subject: g.subject(), Reason: "nothing is pushed"}
		return image, component.Plan{Changes: []component.Change{keep}}, err
	}
	plan, err := g.client().PlanPush(ctx, g.push(req.Artifact))
	if err != nil {
		return artifact.Image{}, component.Plan{}, at("image", err)
	}
	return plan.Image, component.Plan{Changes: []component.Change{g.change(plan)}}, nil
}

// change tells what a push would do in one line.
func (g *imageRegistry) change(plan oci.PushPlan) component.Change {
	change := component.Change{Action: component.Create, Subject: g.subject(), Reason: plan.Summary()}
	switch {
	case plan.Exists:
		change.Action = component.Keep
	case plan.Replace != "":
		change.Action = component.Update
	}
	return change
}

// Push implements [component.Registry].
func (g *imageRegistry) Push(ctx context.Context, req component.PushRequest[artifact.Image]) (artifact.Image, error) {
	if image, done, err := g.withoutPush(req.Artifact); done || err != nil {
		return image, err
	}
	var pushed artifact.Image
	err := g.host.Progress.Step(ctx, "Pushing image "+g.subject(), func(ctx context.Context, step component.Step) error {
		var err error
		if pushed, err = g.client().Push(ctx, g.push(req.Artifact)); err == nil {
			step.Update("%s", pushed.Digest)
		}
		return at("image", err)
	})
	return pushed, err
}

// withoutPush handles what needs no registry: an image that only gets its name,
// and one that has this very name there already.
func (g *imageRegistry) withoutPush(image artifact.Image) (result artifact.Image, done bool, err error) {
	switch {
	case g.cfg.Local:
		image.Repository, image.Tag = g.cfg.Image, g.cfg.Tag
		return image, true, nil
	case image.Daemon:
		return artifact.Image{}, false, &diag.Problem{
			Summary: "Pushing from the Docker engine is not supported yet",
			Detail:  fmt.Sprintf("The image %s is only in the Docker engine. Build it with use \"docker\", or set local = true.", image.Reference()),
		}
	case !image.Local() && image.Repository == g.cfg.Image && image.Tag == g.cfg.Tag:
		return image, true, nil
	}
	return artifact.Image{}, false, nil
}

// Repository implements [component.Registry].
func (g *imageRegistry) Repository(context.Context, component.App) (*artifact.Repository, error) {
	if g.cfg.Local {
		return nil, nil
	}
	repository := g.repository()
	return &repository, nil
}

func (g *imageRegistry) repository() artifact.Repository {
	repository := artifact.Repository{Name: g.cfg.Image, Insecure: g.cfg.Insecure, Tag: g.cfg.Tag}
	if g.login != nil && g.login.Password != "" {
		repository.Login = func(context.Context) (string, secret.Text, error) {
			return g.login.Username, g.login.Password, nil
		}
	}
	return repository
}

func (g *imageRegistry) push(image artifact.Image) oci.PushRequest {
	// The client has the login in all its forms.
	return oci.PushRequest{
		Image: image,
		To:    artifact.Repository{Name: g.cfg.Image, Insecure: g.cfg.Insecure},
		Tag:   g.cfg.Tag,

		ReferrersTag: g.cfg.ReferrersTag,
	}
}

func (g *imageRegistry) client() oci.Client {
	credentials := oci.Credentials{Getenv: g.host.Getenv, Environ: g.host.Environ, DockerConfig: g.host.DockerConfig}
	if g.login != nil {
		credentials.Logins = map[string]oci.Login{oci.Host(g.cfg.Image): *g.login}
	}
	return oci.Client{HTTP: g.host.HTTP, Credentials: credentials}
}

func (g *imageRegistry) subject() string { return g.cfg.Image + ":" + g.cfg.Tag }

// at points a problem at an attribute, unless it names one itself.
func at(attr string, err error) error {
	if problem, ok := errors.AsType[*diag.Problem](err); ok && problem.Attr == "" {
		problem.Attr = attr
	}
	return err
}

// insteadAt points a problem at another attribute than the one it names.
func insteadAt(attr string, err error) error {
	problem, ok := errors.AsType[*diag.Problem](err)
	if !ok {
		return err
	}
	located := *problem
	located.Attr = attr
	return &located
}
