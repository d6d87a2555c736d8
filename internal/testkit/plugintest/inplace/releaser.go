package inplace

import (
	"context"
	"errors"
	"fmt"

	"github.com/deploy-action/deploy-action/internal/component"
)

// ReleaserConfig is the part of the platform's use block that the releaser
// reads too.
type ReleaserConfig struct {
	// The machines that run the job.
	Pool string `hcl:"pool"`
}

// Release is the address of a job.
type Release struct {
	Address string `json:"address"`
}

// URL implements [component.Release].
func (r Release) URL() string { return r.Address }

// versioned is a deployment that is one version of a job.
type versioned interface {
	component.Deployment
	version() (jobName, id string)
}

type releaser struct{ service *Service }

var _ component.Releaser[versioned, Release] = (*releaser)(nil)

func (s *Service) openReleaser(component.Host, ReleaserConfig) (component.Releaser[versioned, Release], error) {
	return &releaser{s}, nil
}

// Plan implements [component.Releaser].
func (r *releaser) Plan(ctx context.Context, req component.ReleaseRequest[versioned]) (component.Plan, error) {
	change := component.Change{Action: component.Update, Subject: "traffic of job " + JobName(req.Target.App)}
	if req.Planned {
		return component.Plan{Changes: []component.Change{change}}, nil
	}
	_, done, err := r.weight(ctx, req)
	if done {
		change.Action = component.Keep
	}
	return component.Plan{Changes: []component.Change{change}}, err
}

// weight returns the weight of the newest version that gives the target its
// share, and whether it has it already.
func (r *releaser) weight(ctx context.Context, req component.ReleaseRequest[versioned]) (percent int, done bool, err error) {
	name, id := req.Target.Deployment.version()
	j, err := r.service.job(ctx, name)
	if err != nil {
		return 0, false, err
	}
	switch {
	case newest(j).id == id:
		percent = req.Percent
	case j.stable >= 0 && j.versions[j.stable].id == id:
		percent = 100 - req.Percent
	default:
		return 0, false, fmt.Errorf("version %s of job %q is superseded: restore it", id, name)
	}
	return percent, j.weight == percent, nil
}

// Release implements [component.Releaser].
func (r *releaser) Release(ctx context.Context, req component.ReleaseRequest[versioned]) (Release, error) {
	percent, done, err := r.weight(ctx, req)
	if err != nil {
		return Release{}, err
	}
	name, _ := req.Target.Deployment.version()
	if !done {
		err = r.service.weigh(ctx, name, percent)
	}
	return Release{Address: "https://" + component.Label(name, 63) + ".example.com"}, err
}

// Destroy implements [component.Releaser].
func (r *releaser) Destroy(ctx context.Context, app component.App, _ Release) error {
	err := r.service.silence(ctx, JobName(app))
	if errors.Is(err, errNoJob) {
		return nil
	}
	return err
}
