package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/retry"
)

// answerLimit is how long a deployment that was released may take to answer
// through the front.
const answerLimit = 10 * time.Second

// releaser gives the front's traffic to a deployment.
type releaser struct {
	host component.Host
	cfg  ReleaserConfig // with its defaults
}

var _ component.Releaser[Deployment, Release] = (*releaser)(nil)

func openReleaser(h component.Host, c ReleaserConfig) (component.Releaser[Deployment, Release], error) {
	var err error
	c.Protocol, err = parseProtocol(c.Protocol)
	if err = errors.Join(err, checkPort("front_port", c.FrontPort)); err != nil {
		return nil, err
	}
	return &releaser{host: h, cfg: c}, nil
}

// Plan implements [component.Releaser].
func (r *releaser) Plan(_ context.Context, req component.ReleaseRequest[Deployment]) (component.Plan, error) {
	if err := wholeTraffic(req); err != nil {
		return component.Plan{}, err
	}
	front := frontOf(r.host.DataDir, req.Target.App)
	want, have, err := front.wanted(req.Target.App, r.cfg)
	if err != nil {
		return component.Plan{}, err
	}
	now, err := front.route()
	if err != nil {
		return component.Plan{}, err
	}
	pid, err := front.pid()
	if err != nil {
		return component.Plan{}, err
	}
	change := component.Change{Action: component.Update, Subject: "front " + loopbackURL(want.Protocol, want.Port)}
	switch {
	case have.Port == 0:
		change.Action = component.Create
		if want.Port == 0 {
			change.Subject = "front on a free port"
		}
	case want != have:
		change.Action, change.Reason = component.Replace, "was "+loopbackURL(have.Protocol, have.Port)
	case pid == 0:
		change.Reason = "its process is gone"
	case !req.Planned && now.Deployment == req.Target.ID:
		change.Action = component.Keep
	default:
		change.Reason = "forwards to " + now.String() + " so far"
	}
	return component.Plan{Changes: []component.Change{change}}, nil
}

// wholeTraffic returns an error unless req is for all of the traffic.
func wholeTraffic(req component.ReleaseRequest[Deployment]) error {
	if req.Percent < 100 {
		return fmt.Errorf("releasing %d%% of the traffic: %w", req.Percent, errors.ErrUnsupported)
	}
	return nil
}

// Release implements [component.Releaser]. A front or a supervisor that is gone,
// as after a restart of the machine, is started again.
func (r *releaser) Release(ctx context.Context, req component.ReleaseRequest[Deployment]) (Release, error) {
	if err := wholeTraffic(req); err != nil {
		return Release{}, err
	}
	app, at := req.Target.App, homeOf(r.host.DataDir, req.Target.App, req.Target.ID)
	c, err := at.card(app)
	if errors.Is(err, fs.ErrNotExist) {
		return Release{}, fmt.Errorf("releasing deployment %q: this machine does not have it", req.Target.ID)
	}
	if err != nil {
		return Release{}, err
	}
	if err := r.revive(ctx, at, c); err != nil {
		return Release{}, err
	}
	var released Release
	err = r.host.Progress.Step(ctx, "Switching the front to "+req.Target.ID, func(ctx context.Context, step component.Step) error {
		front := frontOf(r.host.DataDir, app)
		card, err := front.ensure(ctx, r.host, app, r.cfg)
		if err != nil {
			return err
		}
		released = Release{Port: card.Port, Protocol: card.Protocol}
		if err := front.turn(ctx, route{c.Deployment, c.Port}); err != nil {
			return err
		}
		step.Update("waiting for an answer at %s", released.URL())
		return r.verify(ctx, released, c)
	})
	return released, err
}

// revive makes sure that a deployment serves before it gets traffic. Its
// supervisor is started again if it is gone.
func (r *releaser) revive(ctx context.Context, at home, c card) error {
	now, err := supervisorOf(at)
	if err != nil {
		return err
	}
	if now.Phase == phaseRunning && checkHealth(ctx, r.host.HTTP, c.Port, c.HealthPath) == nil {
		return nil
	}
	p := &platform{host: r.host, healthTimeout: defaultHealthTimeout}
	return r.host.Progress.Step(ctx, "Waiting until process "+c.Deployment+" serves", func(ctx context.Context, step component.Step) error {
		for last := false; ; last = true {
			pid, err := at.supervisor().pid()
			if err != nil {
				return err
			}
			if pid == 0 {
				if err := resumeSupervisor(ctx, r.host, at); err != nil {
					return err
				}
			}
			err = p.awaitHealth(ctx, at, c, step)
			if err == nil || last || pid == 0 {
				return err
			}
			// The supervisor may have been about to end when it was looked at.
		}
	})
}

// verify waits until the deployment answers through the front.
func (r *releaser) verify(ctx context.Context, released Release, c card) error {
	reason := errors.New("no answer")
	limited, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	err := retry.Poll(limited, daemonPoll, func(ctx context.Context) (bool, error) {
		err := r.answers(ctx, released, c)
		if err != nil && limited.Err() == nil { // else it says only that time is up
			reason = err
		}
		return err == nil, nil
	})
	if limited.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("asking %s for deployment %q: %w", released.URL(), c.Deployment, reason)
	}
	return err
}

// answers asks once through the front. Without a health path any answer will
// do that is not the front's own.
func (r *releaser) answers(ctx context.Context, released Release, c card) error {
	if released.Protocol == protocolTCP || c.HealthPath != "" {
		return checkHealth(ctx, r.host.HTTP, released.Port, c.HealthPath)
	}
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	resp, err := ask(ctx, r.host.HTTP, released.URL()+"/")
	if err != nil {
		return err
	}
	if resp.Header.Get(frontHeader) != "" {
		return fmt.Errorf("the front answers %s", resp.Status)
	}
	return nil
}

// Destroy implements [component.Releaser]. Deployments go on, each on its own
// port.
func (r *releaser) Destroy(ctx context.Context, app component.App, _ Release) error {
	return frontOf(r.host.DataDir, app).remove(ctx, app)
}
