package null

import (
	"context"
	"errors"
	"fmt"

	"github.com/deploy-action/deploy-action/internal/component"
)

// Release is a release of nothing.
type Release struct {
	Deployment string `json:"deployment"` // ID of what was released
}

// URL implements [component.Release]: nothing answers.
func (Release) URL() string { return "" }

// releaser accepts the deployments of every platform and moves no traffic.
type releaser struct{}

var _ component.Releaser[component.Deployment, Release] = releaser{}

func openReleaser(component.Host, ReleaserConfig) (component.Releaser[component.Deployment, Release], error) {
	return releaser{}, nil
}

// Plan implements [component.Releaser].
func (releaser) Plan(ctx context.Context, req component.ReleaseRequest[component.Deployment]) (component.Plan, error) {
	return component.Plan{}, errors.Join(context.Cause(ctx), wholeTraffic(req.Percent))
}

// Release implements [component.Releaser].
func (releaser) Release(ctx context.Context, req component.ReleaseRequest[component.Deployment]) (Release, error) {
	if err := errors.Join(context.Cause(ctx), wholeTraffic(req.Percent)); err != nil {
		return Release{}, err
	}
	return Release{Deployment: req.Target.ID}, nil
}

// Destroy implements [component.Releaser].
func (releaser) Destroy(ctx context.Context, _ component.App, _ Release) error {
	return context.Cause(ctx)
}

// wholeTraffic refuses a share of the traffic: nothing cannot be divided.
func wholeTraffic(percent int) error {
	if percent < 100 {
		return fmt.Errorf("releasing %d%% of the traffic: %w", percent, errors.ErrUnsupported)
	}
	return nil
}
