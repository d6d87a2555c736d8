package awsecr

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"golang.org/x/sync/errgroup"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// imageRegistry pushes images to ECR.
type imageRegistry struct {
	host    component.Host
	cfg     RegistryConfig
	session *aws.Session
}

var _ component.Registry[artifact.Image] = (*imageRegistry)(nil)

func openRegistry(h component.Host, c RegistryConfig) (component.Registry[artifact.Image], error) {
	session, err := aws.Open(h, c.Region)
	if err := errors.Join(c.check(), at("region", err)); err != nil {
		return nil, err
	}
	return &imageRegistry{h, c, session}, nil
}

// Repository implements [component.Registry]. It is nil where the account is
// known only after signing in.
func (g *imageRegistry) Repository(ctx context.Context, app component.App) (*artifact.Repository, error) {
	name, err := g.cfg.name(app)
	if err != nil {
		return nil, err
	}
	account := cmp.Or(g.cfg.RegistryID, g.session.Account())
	if account == "" {
		return nil, nil
	}
	region, err := g.session.Region(ctx)
	if err != nil {
		return nil, at("region", err)
	}
	return g.at(aws.ImageHost(account, region) + "/" + name), nil
}

// at is a repository of that full name, with a login that renews itself.
func (g *imageRegistry) at(name string) *artifact.Repository {
	return &artifact.Repository{Name: name, Tag: g.cfg.Tag, Login: func(ctx context.Context) (string, secret.Text, error) {
		login, err := g.session.ImageLogin(ctx)
		return login.Username, login.Password, err
	}}
}

// place is where an image goes.
type place struct {
	api    *api
	has    *repository // nil where there is none yet
	to     *artifact.Repository
	client oci.Client
}

// look asks what there is, and changes nothing.
func (g *imageRegistry) look(ctx context.Context, req component.PushRequest[artifact.Image]) (*place, error) {
	name, err := g.cfg.name(req.App)
	if err != nil {
		return nil, err
	}
	loaded, err := g.session.Config(ctx)
	if err != nil {
		return nil, at("region", err)
	}
	p := &place{api: &api{ecr.NewFromConfig(loaded), g.cfg, req.App, name}}
	var login aws.ImageLogin
	group, inner := errgroup.WithContext(ctx)
	group.Go(func() (err error) { p.has, err = p.api.find(inner); return err })
	group.Go(func() (err error) { login, err = g.session.ImageLogin(inner); return err })
	group.Go(func() (err error) { p.client, err = g.reading(inner, req.Artifact, loaded.Region); return err })
	if err := group.Wait(); err != nil {
		return nil, at("repository", err)
	}
	host := login.Host
	if g.cfg.RegistryID != "" {
		host = aws.ImageHost(g.cfg.RegistryID, loaded.Region)
	}
	p.to = g.at(host + "/" + name)
	return p, nil
}

// reading returns a client that may read an image, if it is in a registry of
// AWS. The same identity reads it, in the region that it is in.
func (g *imageRegistry) reading(ctx context.Context, image artifact.Image, region string) (oci.Client, error) {
	credentials := oci.Credentials{Getenv: g.host.Getenv, Environ: g.host.Environ, DockerConfig: g.host.DockerConfig}
	client := oci.Client{HTTP: g.host.HTTP, Credentials: credentials}
	host := oci.Host(image.Repository)
	from := aws.ImageRegion(host)
	if image.Local() || from == "" {
		return client, nil
	}
	session := g.session
	if from != region {
		var err error
		if session, err = aws.Open(g.host, from); err != nil {
			return client, err
		}
	}
	login, err := session.ImageLogin(ctx)
	client.Credentials.Logins = map[string]oci.Login{host: {Username: login.Username, Password: login.Password}}
	return client, err
}

// Plan implements [component.Registry].
func (g *imageRegistry) Plan(ctx context.Context, req component.PushRequest[artifact.Image]) (artifact.Image, component.Plan, error) {
	p, err := g.look(ctx, req)
	if err != nil {
		return artifact.Image{}, component.Plan{}, err
	}
	changes, err := g.planRepository(ctx, p)
	if err != nil {
		return artifact.Image{}, component.Plan{}, at("repository", err)
	}
	planned, err := p.client.PlanPush(ctx, g.push(req, p))
	if err != nil {
		return artifact.Image{}, component.Plan{}, at("repository", err)
	}
	change := component.Change{Action: component.Create, Subject: p.to.Name + ":" + g.cfg.Tag, Reason: planned.Summary()}
	switch {
	case planned.Exists:
		change.Action = component.Keep
	case planned.Replace != "" && p.immutable():
		return artifact.Image{}, component.Plan{}, oci.TagTaken(p.to.Name, g.cfg.Tag, planned.Replace, nil)
	case planned.Replace != "":
		change.Action = component.Update
	}
	return planned.Image, component.Plan{Changes: append(changes, change)}, nil
}

// planRepository says what would happen to the repository itself.
func (g *imageRegistry) planRepository(ctx context.Context, p *place) ([]component.Change, error) {
	subject := "repository " + p.to.Name
	if p.has == nil {
		return []component.Change{{Action: component.Create, Subject: subject, Reason: g.cfg.settings()}}, nil
	}
	if !p.has.ours && g.cfg.settles() {
		return []component.Change{{Action: component.Keep, Subject: subject, Reason: notOurs}}, nil
	}
	mends, err := p.api.mends(ctx, p.has)
	var what []string
	for _, m := range mends {
		what = append(what, m.what)
	}
	if err != nil || len(what) == 0 {
		return nil, err
	}
	return []component.Change{{Action: component.Update, Subject: subject, Reason: strings.Join(what, "; ")}}, nil
}

// notOurs is said of a repository whose settings are left alone.
const notOurs = "it was not made by this plugin for this app, so its settings stay as they are"

// Push implements [component.Registry].
func (g *imageRegistry) Push(ctx context.Context, req component.PushRequest[artifact.Image]) (artifact.Image, error) {
	p, err := g.look(ctx, req)
	if err != nil {
		return artifact.Image{}, err
	}
	if err := g.prepare(ctx, p); err != nil {
		return artifact.Image{}, at("repository", err)
	}
	var pushed artifact.Image
	title := "Pushing image " + p.to.Name + ":" + g.cfg.Tag
	err = g.host.Progress.Step(ctx, title, func(ctx context.Context, step component.Step) error {
		if err := g.movable(ctx, p, req.Artifact.Digest); err != nil {
			return err
		}
		var err error
		if pushed, err = p.client.Push(ctx, g.push(req, p)); err != nil {
			return err
		}
		if p.has.ours {
			err = p.client.Tag(ctx, *p.to, pushed.Digest, lastingTag(pushed.Digest))
		}
		step.Update("%s", pushed.Digest)
		return err
	})
	return pushed, at("repository", err)
}

// lastingTag is the tag of an image that names it for ever, so that it is never
// without one.
func lastingTag(digest string) string {
	return "deploy-action-" + digest[strings.IndexByte(digest, ':')+1:]
}

// prepare makes the repository, or mends the settings of one of ours.
func (g *imageRegistry) prepare(ctx context.Context, p *place) error {
	if p.has == nil {
		err := g.host.Progress.Step(ctx, "Creating repository "+p.to.Name, func(ctx context.Context, _ component.Step) (err error) {
			p.has, err = p.api.create(ctx)
			return err
		})
		if err != nil {
			return err
		}
	}
	if !p.has.ours && g.cfg.settles() {
		return g.host.Progress.Step(ctx, "Looking at repository "+p.api.name, func(_ context.Context, step component.Step) error {
			_, err := fmt.Fprintln(step.Output(), notOurs)
			return err
		})
	}
	mends, err := p.api.mends(ctx, p.has)
	for _, m := range mends {
		err := g.host.Progress.Step(ctx, "Setting up repository "+p.api.name+": "+m.what, func(ctx context.Context, _ component.Step) error {
			return m.apply(ctx)
		})
		if err != nil {
			return err
		}
	}
	return err
}

// immutable reports whether no tag of the repository moves, once the block's
// settings are in place.
func (p *place) immutable() bool {
	if p.has == nil {
		return false
	}
	if p.has.ours && p.api.cfg.TagMutability != "" {
		return p.api.cfg.TagMutability == "immutable"
	}
	return p.has.ImageTagMutability == types.ImageTagMutabilityImmutable
}

// movable reports a tag that names another image than the one of that digest and
// cannot be moved, before anything is sent.
func (g *imageRegistry) movable(ctx context.Context, p *place, digest string) error {
	if !p.immutable() || digest == "" {
		return nil
	}
	current, err := p.client.Tagged(ctx, *p.to, g.cfg.Tag)
	if err != nil || current == "" || current == digest {
		return err
	}
	return oci.TagTaken(p.to.Name, g.cfg.Tag, current, nil)
}

func (g *imageRegistry) push(req component.PushRequest[artifact.Image], p *place) oci.PushRequest {
	return oci.PushRequest{Image: req.Artifact, To: *p.to, Tag: g.cfg.Tag}
}
