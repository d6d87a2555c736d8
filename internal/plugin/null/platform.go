package null

import (
	"context"

	"github.com/zclconf/go-cty/cty"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
)

// Deployment is a deployment of nothing.
type Deployment struct {
	ID string `json:"id"` // that of the request, so that the value is not zero
}

// Vars implements [component.Deployment].
func (Deployment) Vars() map[string]cty.Value { return map[string]cty.Value{} }

// URL implements [component.Deployment]: nothing answers.
func (Deployment) URL() string { return "" }

// Generation implements [component.Deployment]: each one is its own.
func (Deployment) Generation() string { return "" }

// platform accepts every artifact and runs none.
type platform struct {
	component.Unsupported[Deployment]
}

var _ component.Platform[artifact.Artifact, Deployment] = platform{}

func openPlatform(component.Host, PlatformConfig) (component.Platform[artifact.Artifact, Deployment], error) {
	return platform{}, nil
}

// Plan implements [component.Platform].
func (platform) Plan(ctx context.Context, _ component.DeployRequest[artifact.Artifact]) (component.Plan, error) {
	return component.Plan{Changes: []component.Change{{
		Action:  component.Create,
		Subject: "nothing",
		Reason:  "the platform \"null\" runs nothing",
	}}}, context.Cause(ctx)
}

// Deploy implements [component.Platform].
func (platform) Deploy(ctx context.Context, req component.DeployRequest[artifact.Artifact]) (Deployment, error) {
	if err := context.Cause(ctx); err != nil {
		return Deployment{}, err
	}
	return Deployment{ID: req.ID}, nil
}

// Status implements [component.Platform]. Where nothing runs, nobody can tell
// what was deployed from what was destroyed.
func (platform) Status(ctx context.Context, _ component.Target[Deployment]) (component.Health, error) {
	return component.Health{State: component.Unknown, Message: "nothing runs"}, context.Cause(ctx)
}

// Destroy implements [component.Platform].
func (platform) Destroy(ctx context.Context, _ component.Target[Deployment]) error {
	return context.Cause(ctx)
}

// DestroyShared implements [component.Platform]: deployments share nothing.
func (platform) DestroyShared(ctx context.Context, _ component.App) error {
	return context.Cause(ctx)
}
