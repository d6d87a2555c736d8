package local

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/retry"
)

// healthPoll is how often a new deployment is asked whether it serves.
const healthPoll = 50 * time.Millisecond

// Deploy implements [component.Platform].
func (p *platform) Deploy(ctx context.Context, req component.DeployRequest[artifact.Image]) (Deployment, error) {
	at := homeOf(p.host.DataDir, req.App, req.ID)
	c, err := p.claim(ctx, at, req)
	if err != nil {
		return c.deployment(), err
	}
	var config imageConfig
	err = p.host.Progress.Step(ctx, "Unpacking "+titleOf(req.Artifact), func(ctx context.Context, _ component.Step) error {
		config, err = p.unpack(ctx, at, req)
		return err
	})
	if err != nil {
		return c.deployment(), err
	}
	err = p.host.Progress.Step(ctx, "Starting process "+req.ID, func(ctx context.Context, _ component.Step) error {
		root, err := os.OpenRoot(at.path(rootDir))
		if err != nil {
			return err
		}
		defer root.Close()
		wanted, err := p.compose(root, config, c, req)
		if err != nil {
			return err
		}
		return startSupervisor(ctx, p.host, at, wanted)
	})
	if err != nil {
		return c.deployment(), err
	}
	err = p.host.Progress.Step(ctx, "Waiting until it serves", func(ctx context.Context, step component.Step) error {
		return p.awaitHealth(ctx, at, c, step)
	})
	return c.deployment(), err
}

// claim makes the folder of the deployment, or adopts the one that exists. The
// card is zero, beside an error, where there is no such folder.
func (p *platform) claim(ctx context.Context, at home, req component.DeployRequest[artifact.Image]) (card, error) {
	c, err := p.card(req.App, req.ID)
	if err == nil {
		return p.adopt(ctx, at, c, req)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return card{}, err
	}
	if err := p.check(ctx, req); err != nil {
		return card{}, err
	}
	port := p.cfg.ServicePort
	if port == 0 {
		if port, err = freePort(); err != nil {
			return card{}, err
		}
	}
	c = card{
		owner:       ownerOf(req.App),
		Deployment:  req.ID,
		Sequence:    req.Sequence,
		Created:     time.Now().UTC(),
		Image:       contentOf(req.Artifact),
		Port:        port,
		Protocol:    p.protocol,
		HealthPath:  p.cfg.HealthPath,
		StopTimeout: p.stopTimeout,
		Mark:        rand.Text(),
	}
	if err := at.create(c); err != nil {
		return card{}, fmt.Errorf("making the folder of deployment %q: %w", req.ID, err)
	}
	return c, nil
}

// adopt takes over a deployment that an earlier attempt left, keeping its port.
func (p *platform) adopt(ctx context.Context, at home, c card, req component.DeployRequest[artifact.Image]) (card, error) {
	image := contentOf(req.Artifact)
	if c.Image != image {
		if err := at.supervisor().stop(ctx, c.StopTimeout+supervisorGrace); err != nil {
			return c, err
		}
		if err := removeTree(at.path(rootDir)); err != nil {
			return c, err
		}
	}
	c.Image, c.Protocol, c.HealthPath, c.StopTimeout = image, p.protocol, p.cfg.HealthPath, p.stopTimeout
	return c, at.saveCard(c)
}

// startSupervisor makes the deployment's supervisor run what is wanted. One
// that runs the same already is left alone.
func startSupervisor(ctx context.Context, host component.Host, at home, wanted spec) error {
	supervisor := at.supervisor()
	same, err := sameJSON(at.path(specFile), wanted)
	if err != nil {
		return err
	}
	pid, err := supervisor.pid()
	if err != nil {
		return err
	}
	if same && pid != 0 {
		return nil
	}
	if err := supervisor.stop(ctx, wanted.StopTimeout+supervisorGrace); err != nil {
		return err
	}
	if err := writeJSON(at.path(specFile), wanted); err != nil {
		return err
	}
	return resumeSupervisor(ctx, host, at)
}

// resumeSupervisor starts the supervisor with the spec that is there.
func resumeSupervisor(ctx context.Context, host component.Host, at home) error {
	// What an earlier supervisor said must not be taken for this one's words.
	if err := os.Remove(at.path(stateFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return at.supervisor().start(ctx, host, verbSupervise)
}

// awaitHealth waits until the deployment serves, and notes that it did.
func (p *platform) awaitHealth(ctx context.Context, at home, c card, step component.Step) error {
	limited, cancel := context.WithTimeout(ctx, p.healthTimeout)
	defer cancel()
	reason := errors.New("no answer")
	err := retry.Poll(limited, healthPoll, func(ctx context.Context) (bool, error) {
		now, err := supervisorOf(at)
		if err != nil {
			return false, err
		}
		if now.Phase == phaseEnded || now.Phase == phaseWaiting && !c.Served {
			return false, endedProblem(c, now)
		}
		if err := checkHealth(ctx, p.host.HTTP, c.Port, c.HealthPath); err != nil {
			if limited.Err() == nil { // else it says only that time is up
				reason = err
				step.Update("not yet: %v", reason)
			}
			return false, nil
		}
		// An answer counts only if the app still runs: another program may
		// have got hold of its port.
		now, err = supervisorOf(at)
		return now.Phase == phaseRunning, err
	})
	switch {
	case err == nil:
		c.Served = true
		return at.saveCard(c)
	case limited.Err() != nil && ctx.Err() == nil:
		return p.unhealthyProblem(c, reason)
	}
	return err
}

// supervisorOf returns what the supervisor does. A supervisor that does not
// live has ended, whatever it said last.
func supervisorOf(at home) (supervisorState, error) {
	var state supervisorState
	err := readJSON(at.path(stateFile), &state)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return state, err
	}
	pid, err := at.supervisor().pid()
	if err == nil && pid == 0 && state.Phase != phaseEnded {
		// It may have ended between the two looks.
		if readJSON(at.path(stateFile), &state) != nil || state.Phase != phaseEnded {
			state = supervisorState{Phase: phaseEnded, Message: "its supervisor is gone"}
		}
	}
	return state, err
}

func endedProblem(c card, state supervisorState) error {
	return &diag.Problem{
		Summary: "The app ended before it served",
		Detail: fmt.Sprintf("The process of deployment %s did not stay (%s). Correct the app, or what it needs to start, and deploy again.",
			c.Deployment, state.Message),
	}
}

func (p *platform) unhealthyProblem(c card, reason error) error {
	attr, remedy := "", fmt.Sprintf("The app must listen on the port in its environment variable PORT, here %d; one that cannot be told its port needs service_port.", c.Port)
	if c.HealthPath != "" {
		attr, remedy = "health_path", remedy+" Then it must answer health_path with a status from 200 to 399."
	}
	return &diag.Problem{
		Summary: fmt.Sprintf("The app does not serve within %s", p.healthTimeout),
		Detail:  fmt.Sprintf("The process of deployment %s runs, but does not answer. %s", c.Deployment, remedy),
		Attr:    attr,
		Err:     reason,
	}
}
