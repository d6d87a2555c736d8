package inplace

import (
	"context"
	"errors"
	"iter"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
)

// PlatformConfig is the use block of the platform.
type PlatformConfig struct {
	// The machines that run the job.
	Pool string `hcl:"pool"`

	// How many instances of the job run. Defaults to 1.
	Replicas int `hcl:"replicas,optional"`
}

// Deployment is one version of the job.
type Deployment struct {
	Job string `json:"job"`
	ID  string `json:"id"`
}

// Vars implements [component.Deployment].
func (d Deployment) Vars() map[string]cty.Value {
	return map[string]cty.Value{"job": cty.StringVal(d.Job)}
}

// URL implements [component.Deployment]. A version has no address of its own.
func (Deployment) URL() string { return "" }

// Generation implements [component.Deployment].
func (d Deployment) Generation() string { return "job/" + d.Job }

// version implements versioned.
func (d Deployment) version() (jobName, id string) { return d.Job, d.ID }

type platform struct {
	host    component.Host
	config  PlatformConfig
	service *Service
}

var _ component.Platform[artifact.Image, Deployment] = (*platform)(nil)

func (s *Service) openPlatform(h component.Host, c PlatformConfig) (component.Platform[artifact.Image, Deployment], error) {
	if c.Replicas < 0 {
		return nil, &diag.Problem{
			Summary: "Negative number of replicas",
			Detail:  "The number of replicas must be 0 or more. Leave it out for 1.",
			Attr:    "replicas",
		}
	}
	return &platform{h, c, s}, nil
}

// JobName returns the name under which the service keeps an app's job.
func JobName(app component.App) string {
	return strings.Join([]string{app.Project, app.Name, app.Workspace}, "/")
}

// Plan implements [component.Platform].
func (p *platform) Plan(ctx context.Context, req component.DeployRequest[artifact.Image]) (component.Plan, error) {
	change := component.Change{Action: component.Create, Subject: "job " + JobName(req.App)}
	j, err := p.service.job(ctx, JobName(req.App))
	if errors.Is(err, errNoJob) {
		return component.Plan{Changes: []component.Change{change}}, nil
	}
	if err != nil {
		return component.Plan{}, err
	}
	change.Action = component.Update
	if newest(j).image == req.Artifact.Reference() {
		change.Action = component.Keep
	}
	return component.Plan{Changes: []component.Change{change}}, nil
}

// Deploy implements [component.Platform].
func (p *platform) Deploy(ctx context.Context, req component.DeployRequest[artifact.Image]) (Deployment, error) {
	return p.put(ctx, req.DeployInput, req.Artifact.Reference())
}

// put makes a version of the job with an image, or completes it.
func (p *platform) put(ctx context.Context, in component.DeployInput, image string) (Deployment, error) {
	name := JobName(in.App)
	made := Deployment{Job: name, ID: in.ID}
	hasGateway, err := p.service.hasGateway(ctx, name)
	if err != nil {
		return Deployment{}, err
	}
	if !hasGateway {
		if err := p.service.putGateway(ctx, name); err != nil {
			return Deployment{}, err // the gateway is shared: no deployment owns it
		}
	}
	j, err := p.service.job(ctx, name)
	if err != nil && !errors.Is(err, errNoJob) {
		return Deployment{}, err
	}
	if newest(j).id != in.ID {
		of := labels{in.App.Project, in.App.Name, in.App.Workspace}
		// The answer may be lost, so from here on the version may exist.
		if err := p.service.putVersion(ctx, name, of, version{id: in.ID, sequence: in.Sequence, image: image}); err != nil {
			return made, err
		}
	}
	if newest(j).id == in.ID && newest(j).started {
		return made, nil
	}
	err = p.host.Progress.Step(ctx, "Starting the job", func(ctx context.Context, _ component.Step) error {
		return p.service.start(ctx, name)
	})
	return made, err
}

// newest returns the newest version of a job, or a zero one.
func newest(j job) version {
	if len(j.versions) == 0 {
		return version{}
	}
	return j.versions[len(j.versions)-1]
}

// Find implements [component.Platform].
func (p *platform) Find(ctx context.Context, app component.App) ([]component.Target[Deployment], error) {
	j, err := p.service.job(ctx, JobName(app))
	if errors.Is(err, errNoJob) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	v := newest(j)
	return []component.Target[Deployment]{{
		App: app, ID: v.id, Sequence: v.sequence, Deployment: Deployment{Job: JobName(app), ID: v.id},
	}}, nil
}

// Restore implements [component.Platform].
func (p *platform) Restore(ctx context.Context, req component.RestoreRequest[Deployment]) (Deployment, error) {
	j, err := p.service.job(ctx, JobName(req.App))
	if err != nil {
		return Deployment{}, err
	}
	for _, v := range j.versions {
		if v.id == req.From.ID {
			return p.put(ctx, req.DeployInput, v.image)
		}
	}
	return Deployment{}, errors.ErrUnsupported // the history does not reach back so far
}

// Status implements [component.Platform].
func (p *platform) Status(ctx context.Context, t component.Target[Deployment]) (component.Health, error) {
	j, err := p.service.job(ctx, JobName(t.App))
	if err != nil && !errors.Is(err, errNoJob) {
		return component.Health{}, err
	}
	for i, v := range j.versions {
		switch {
		case v.id != t.ID || (i != j.stable && i != len(j.versions)-1):
		case v.started:
			return component.Health{State: component.Ready}, nil
		default:
			return component.Health{State: component.Starting}, nil
		}
	}
	return component.Health{State: component.Missing}, nil
}

// Logs implements [component.Platform]. The service keeps no output.
func (p *platform) Logs(context.Context, component.Target[Deployment], component.LogRequest) iter.Seq2[component.LogLine, error] {
	return component.FailedLogs(errors.ErrUnsupported)
}

// Exec implements [component.Platform].
func (p *platform) Exec(context.Context, component.Target[Deployment], component.ExecRequest) (int, error) {
	return 0, errors.ErrUnsupported
}

// Destroy implements [component.Platform]. A version that was superseded is
// gone already.
func (p *platform) Destroy(ctx context.Context, t component.Target[Deployment]) error {
	j, err := p.service.job(ctx, JobName(t.App))
	if err == nil && newest(j).id == t.ID {
		err = p.service.deleteJob(ctx, JobName(t.App))
	}
	if errors.Is(err, errNoJob) {
		return nil
	}
	return err
}

// DestroyShared implements [component.Platform].
func (p *platform) DestroyShared(ctx context.Context, app component.App) error {
	return p.service.deleteGateway(ctx, JobName(app))
}
