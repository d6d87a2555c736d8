package component_test

import (
	"context"
	"errors"
	"iter"

	"github.com/zclconf/go-cty/cty"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
)

// settings is the configuration of every fake.
type settings struct {
	Name string `hcl:"name"`
}

// deployment is a fake's deployment; the zero value stands for nothing.
type deployment struct {
	Group string `json:"group"`
}

func (deployment) Vars() map[string]cty.Value { return nil }
func (deployment) URL() string                { return "" }
func (deployment) Generation() string         { return "" }

// TargetGroup makes a deployment one that the fake releaser can serve.
func (d deployment) TargetGroup() string { return d.Group }

// grouped is what the fake releaser needs of a deployment.
type grouped interface {
	component.Deployment
	TargetGroup() string
}

// plain is a deployment without a target group.
type plain struct{ ID string }

func (plain) Vars() map[string]cty.Value { return nil }
func (plain) URL() string                { return "" }
func (plain) Generation() string         { return "" }

type release struct {
	Group string `json:"group"`
}

func (r release) URL() string { return "https://" + r.Group }

// platform deploys what deploy says and remembers what it was asked.
type platform[A artifact.Artifact, D component.Deployment] struct {
	component.Unsupported[D]
	deploy func(component.DeployRequest[A]) (D, error)
	found  []component.Target[D]
	asked  *component.Target[D] // the last target
}

func (p platform[A, D]) Plan(_ context.Context, req component.DeployRequest[A]) (component.Plan, error) {
	return component.Plan{Changes: []component.Change{{Action: component.Create, Subject: req.ID}}}, nil
}

func (p platform[A, D]) Deploy(_ context.Context, req component.DeployRequest[A]) (D, error) {
	return p.deploy(req)
}

func (p platform[A, D]) Find(context.Context, component.App) ([]component.Target[D], error) {
	if p.found == nil {
		return nil, errors.ErrUnsupported
	}
	return p.found, nil
}

func (p platform[A, D]) Status(_ context.Context, t component.Target[D]) (component.Health, error) {
	*p.asked = t
	return component.Health{State: component.Ready}, nil
}

func (p platform[A, D]) Logs(_ context.Context, t component.Target[D], _ component.LogRequest) iter.Seq2[component.LogLine, error] {
	return func(yield func(component.LogLine, error) bool) { yield(component.LogLine{Text: t.ID}, nil) }
}

func (p platform[A, D]) Destroy(_ context.Context, t component.Target[D]) error {
	*p.asked = t
	return nil
}

// releaser serves deployments of target groups.
type releaser struct{}

func (releaser) Plan(_ context.Context, req component.ReleaseRequest[grouped]) (component.Plan, error) {
	if req.Planned != (req.Target.Deployment == nil) {
		return component.Plan{}, errors.New("a planned release has a deployment")
	}
	return component.Plan{}, nil
}

func (releaser) Release(_ context.Context, req component.ReleaseRequest[grouped]) (release, error) {
	if req.Percent < 100 {
		return release{}, errors.ErrUnsupported
	}
	return release{req.Target.Deployment.TargetGroup()}, nil
}

func (releaser) Destroy(_ context.Context, _ component.App, r release) error {
	if r.Group == "" {
		return errors.New("a zero release")
	}
	return nil
}

// builder builds what it holds.
type builder[A artifact.Artifact] struct {
	artifact A
	err      error
}

func (b builder[A]) Build(context.Context, component.BuildRequest) (A, error) {
	return b.artifact, b.err
}

// registry returns what it was given.
type registry[A artifact.Artifact] struct{ err error }

func (r registry[A]) Plan(_ context.Context, req component.PushRequest[A]) (A, component.Plan, error) {
	return req.Artifact, component.Plan{}, r.err
}

func (r registry[A]) Push(_ context.Context, req component.PushRequest[A]) (A, error) {
	return req.Artifact, r.err
}

func (registry[A]) Repository(context.Context, component.App) (*artifact.Repository, error) {
	return &artifact.Repository{Name: "registry.test/web"}, nil
}
