package app_test

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/builtin"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/plugin/null"
)

// gate is a plugin, named "gate", whose work waits at one of its calls until it
// is let go on. It keeps a list of its calls.
type gate struct {
	at       string // the call that waits; "" for none
	ignorant bool   // it does not look at its context
	arrived  chan struct{}
	let      chan struct{}

	mu    sync.Mutex
	calls []string
}

// newGate returns a gate at a call: build, deploy, status or release N, with the
// percentage.
func newGate(at string, ignorant bool) *gate {
	return &gate{at: at, ignorant: ignorant, arrived: make(chan struct{}), let: make(chan struct{})}
}

// pass is one call of the plugin.
func (g *gate) pass(ctx context.Context, call string) error {
	g.mu.Lock()
	first := !slices.Contains(g.calls, call)
	g.calls = append(g.calls, call)
	g.mu.Unlock()
	if call != g.at || !first {
		return context.Cause(ctx)
	}
	close(g.arrived)
	if g.ignorant {
		<-g.let
		return nil
	}
	select {
	case <-g.let:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// made returns the calls so far.
func (g *gate) made() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.calls)
}

// plugins are the built-in ones and the gate.
func (g *gate) plugins() []component.Plugin {
	return append(slices.Clone(builtin.Plugins), component.Plugin{
		Name: "gate", Summary: "Wait.", DefaultRelease: true,
		Builder: component.NewBuilder(func(component.Host, struct{}) (component.Builder[artifact.None], error) {
			return gateBuilder{g}, nil
		}),
		Platform: component.NewPlatform(func(component.Host, struct{}) (component.Platform[artifact.Artifact, null.Deployment], error) {
			return gatePlatform{gate: g}, nil
		}),
		Releaser: component.NewReleaser(func(component.Host, struct{}) (component.Releaser[component.Deployment, null.Release], error) {
			return gateReleaser{g}, nil
		}),
	})
}

type gateBuilder struct{ *gate }

func (g gateBuilder) Build(ctx context.Context, _ component.BuildRequest) (artifact.None, error) {
	return artifact.None{}, g.pass(ctx, "build")
}

type gatePlatform struct {
	*gate
	component.Unsupported[null.Deployment]
}

func (g gatePlatform) Plan(ctx context.Context, _ component.DeployRequest[artifact.Artifact]) (component.Plan, error) {
	return component.Plan{}, context.Cause(ctx)
}

func (g gatePlatform) Deploy(ctx context.Context, req component.DeployRequest[artifact.Artifact]) (null.Deployment, error) {
	return null.Deployment{ID: req.ID}, g.pass(ctx, "deploy")
}

func (g gatePlatform) Status(ctx context.Context, _ component.Target[null.Deployment]) (component.Health, error) {
	return component.Health{State: component.Ready}, g.pass(ctx, "status")
}

func (g gatePlatform) Destroy(ctx context.Context, _ component.Target[null.Deployment]) error {
	return g.pass(ctx, "destroy")
}

func (g gatePlatform) DestroyShared(ctx context.Context, _ component.App) error {
	return g.pass(ctx, "destroy shared")
}

type gateReleaser struct{ *gate }

func (g gateReleaser) Plan(ctx context.Context, _ component.ReleaseRequest[component.Deployment]) (component.Plan, error) {
	return component.Plan{}, context.Cause(ctx)
}

func (g gateReleaser) Release(ctx context.Context, req component.ReleaseRequest[component.Deployment]) (null.Release, error) {
	return null.Release{Deployment: req.Target.ID}, g.pass(ctx, fmt.Sprintf("release %d", req.Percent))
}

func (g gateReleaser) Destroy(ctx context.Context, _ component.App, _ null.Release) error {
	return g.pass(ctx, "destroy release")
}
