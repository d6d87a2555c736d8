package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/config"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/retry"
	"github.com/deploy-action/deploy-action/internal/state"
)

const (
	defaultPause   = time.Minute     // after a share of a canary release
	healthInterval = 5 * time.Second // between two looks at a canary
)

// pauseOf is how long a share of a canary release is tried.
func pauseOf(c config.Conduct) time.Duration { return cmp.Or(c.Pause, defaultPause) }

// conduct is how a stage is run: by default, where the file has none.
func conduct(s *config.Stage) config.Conduct {
	if s == nil {
		return config.Conduct{}
	}
	return s.Conduct
}

// canary is a release in steps.
type canary struct {
	op       *operation
	releaser component.AnyReleaser
	platform component.AnyPlatform // of the target
	shares   []int
	pause    time.Duration
	former   component.Target[component.Deployment] // has the rest of the traffic
}

// canary returns the release in steps that the block asks for; nil where the
// target gets all traffic at once. The caller calls done at the end.
func (r *run) canary(ctx context.Context, op *operation, releaser component.AnyReleaser) (c *canary, done func(), err error) {
	asked := conduct(r.app.Release)
	if r.atOnce || len(asked.Canary) < 2 {
		return nil, func() {}, nil
	}
	former, ok := r.former(op)
	if !ok {
		r.UI.Print("Deployment %s gets all traffic at once: no other one is released that could keep a part of it.", r.target.ID)
		return nil, func() {}, nil
	}
	r.lookUp(ctx)
	record, _ := r.history.find(stageDeploy, r.target.ID)
	platform, done, err := r.platformOf(record)
	if err != nil {
		return nil, nil, err
	}
	return &canary{op, releaser, platform, asked.Canary, pauseOf(asked), former}, done, nil
}

// former returns the deployment that has the traffic and can share it with the
// target: the same releaser gave it.
func (r *run) former(op *operation) (component.Target[component.Deployment], bool) {
	released, ok := r.history.released()
	if !ok || released.Deployment == r.target.ID || released.Plugin != op.record.Plugin {
		return component.Target[component.Deployment]{}, false
	}
	record, ok := r.history.find(stageDeploy, released.Deployment)
	if !ok || record.Status != state.Succeeded {
		return component.Target[component.Deployment]{}, false
	}
	former, err := r.load(record)
	return former, err == nil && former.Deployment != nil
}

// run gives the target one share after the other, as long as it is well. What
// it returns is the latest share that was given, also beside an error.
func (c *canary) run(ctx context.Context) (released component.Release, _ error) {
	r := c.op.run
	for _, share := range c.shares {
		if err := r.fenced(); err != nil {
			return released, err
		}
		given, err := c.releaser.Release(ctx, component.ReleaseRequest[component.Deployment]{Target: r.target, Percent: share})
		if share < 100 && errors.Is(err, errors.ErrUnsupported) {
			return nil, &InvalidError{r.weightless()}
		}
		r.moved = true
		if given != nil { // else the share before is what there is
			released = given
		}
		if err != nil {
			return released, fmt.Errorf("giving deployment %s %d %% of the traffic: %w", r.target.ID, share, err)
		}
		c.op.record.Message = fmt.Sprintf("%d %% of the traffic", share)
		if share == 100 {
			break
		}
		if err := c.op.save(ctx); err != nil {
			return released, err
		}
		began := r.Now()
		err = c.try(ctx, share)
		r.result.Shares = append(r.result.Shares, Share{share, began, r.Now()})
		if err != nil {
			return released, err
		}
		r.result.Notes = append(r.result.Notes, fmt.Sprintf("Deployment %s was ready with %d %% of the traffic for %s.", r.target.ID, share, short(c.pause)))
	}
	return released, nil
}

// try waits for the pause and looks at the target all the while. It ends early
// where the target is not well, and fails unless it is ready in the end.
func (c *canary) try(ctx context.Context, share int) error {
	title := fmt.Sprintf("%d %% of the traffic for %s", share, short(c.pause))
	return c.op.deadline.Step(ctx, title, func(ctx context.Context, s component.Step) error {
		for left := c.pause; left > 0; left -= healthInterval {
			if _, err := c.look(ctx, s, share); err != nil {
				return err
			}
			if err := retry.Sleep(ctx, min(left, healthInterval)); err != nil {
				return err
			}
		}
		health, err := c.look(ctx, s, share)
		if err == nil && health.State != component.Ready {
			return c.unwell(health, share)
		}
		return err
	})
}

// look asks the platform how the target fares. Its error says that it is not
// well. That the platform could not be asked is a health, which may pass.
func (c *canary) look(ctx context.Context, s component.Step, share int) (component.Health, error) {
	health, err := c.platform.Status(ctx, c.op.run.target)
	if err != nil {
		health = component.Health{State: component.Unknown, Message: firstLine(err)}
	}
	s.Update("%s", describe(health))
	switch {
	case errors.Is(err, errors.ErrUnsupported),
		health.State == component.Degraded, health.State == component.Down, health.State == component.Missing:
		return health, c.unwell(health, share)
	}
	return health, ctx.Err()
}

// describe is a health in words.
func describe(h component.Health) string {
	if h.Message == "" {
		return string(h.State)
	}
	return string(h.State) + ", " + h.Message
}

// unwell explains why a share is not followed by the next.
func (c *canary) unwell(h component.Health, share int) error {
	return &diag.Problem{
		Summary: fmt.Sprintf("The canary release stopped at %d %% of the traffic", share),
		Detail: fmt.Sprintf("Deployment %s is not ready: its health is %s. A share is followed by the next only when the deployment is ready.",
			c.op.run.target.ID, describe(h)),
	}
}

// giveBack returns all traffic to the former deployment, after cause. It has the
// time of a release for it, or, where ctx has ended, very little.
func (c *canary) giveBack(ctx context.Context, released component.Release, cause error) (component.Release, error) {
	r := c.op.run
	if !r.moved {
		return nil, cause
	}
	if err := r.fenced(); err != nil {
		return released, errors.Join(cause, err)
	}
	if ctx.Err() != nil {
		saving, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
		defer cancel()
		ctx = saving
	}
	c.op.deadline.limit = r.allowance(conduct(r.app.Release)) // there are no pauses any more
	ctx, cancel := c.op.deadline.start(ctx)
	defer cancel()
	err := c.op.deadline.Step(ctx, "Giving all traffic back to deployment "+c.former.ID, func(ctx context.Context, _ component.Step) error {
		_, err := c.releaser.Release(ctx, component.ReleaseRequest[component.Deployment]{Target: c.former, Percent: 100})
		return err
	})
	if err != nil {
		err = c.op.deadline.explain(ctx, stageRelease, err)
		return released, errors.Join(cause, fmt.Errorf("giving all traffic back to deployment %s: %w", c.former.ID, err))
	}
	r.givenBack = true
	r.result.Notes = append(r.result.Notes, fmt.Sprintf("All traffic was given back to deployment %s.", c.former.ID))
	serves, _ := r.history.released()
	r.serve(serves.URL, c.former)
	r.tell().Serving = "again " + r.servedBy(serves)
	r.tell().Left = fmt.Sprintf("deployment %d (%s), without traffic", r.target.Sequence, r.target.ID)
	return nil, cause
}

// fenced returns an error where this run may change nothing more.
func (r *run) fenced() error {
	if r.Fence == nil {
		return nil
	}
	return r.Fence()
}

// checkShares reports a release in steps that the releaser cannot do, as far as
// its configuration is known in scope. It asks the releaser for a plan.
func (e *Engine) checkShares(ctx context.Context, p *pipeline, scope config.Scope) error {
	shares := conduct(p.app.Release).Canary
	if len(shares) < 2 {
		return nil
	}
	if p.releaser == nil {
		return &InvalidError{p.weightless()}
	}
	host, done, err := e.Host(p.app, p.plugins[stageRelease], false)
	if err != nil {
		return err
	}
	defer done()
	_, decode := p.releaserConfig(scope)
	releaser, diags, err := p.releaser.Open(host, decode)
	if err != nil || diags.HasErrors() {
		return nil // values are missing, or wrong: that is told where they are needed
	}
	_, err = releaser.Plan(ctx, component.ReleaseRequest[component.Deployment]{
		Target: component.Target[component.Deployment]{App: p.app.App}, Planned: true, Percent: shares[0],
	})
	if errors.Is(err, errors.ErrUnsupported) {
		return &InvalidError{p.weightless()}
	}
	return nil
}

// weightless says that traffic cannot be shared.
func (p *pipeline) weightless() hcl.Diagnostics {
	who := "Nothing moves traffic"
	if p.releaser != nil {
		who = fmt.Sprintf("Plugin %q gives a deployment all of the traffic or none", p.plugins[stageRelease].Name)
	}
	return hcl.Diagnostics{{
		Severity: hcl.DiagError,
		Summary:  fmt.Sprintf("App %q cannot be released in steps", p.app.Name),
		Detail:   who + ". Remove \"canary\" from the release block, or use a plugin there that releases by weight.",
		Subject:  p.app.Release.Range.Ptr(),
	}}
}
