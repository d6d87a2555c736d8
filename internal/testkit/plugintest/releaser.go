package plugintest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"

	"github.com/deploy-action/deploy-action/internal/component"
)

// ReleaserCase is a releaser and a world to try it in.
type ReleaserCase struct {
	Plugin component.Plugin

	// New makes an empty world, as in [PlatformCase]. For a default releaser,
	// World.Config is the platform's, from which it takes what it knows.
	New func(t *testing.T, calls *Calls) World

	// Deploy makes a deployment to release, for a plugin without a platform.
	Deploy func(t *testing.T, w World, app component.App, id string) component.Deployment

	// RealTime is for worlds with sockets or processes.
	RealTime bool

	// Sample makes one of so many calls go wrong, and others each time, in place
	// of every call: for worlds in which a trial takes seconds. 0 is every call.
	Sample int
}

// Releaser checks what every releaser promises.
func Releaser(t *testing.T, c ReleaserCase) {
	t.Helper()
	s, checks := c.contract()
	runChecks(t, s, checks)
}

// contract returns the checks of a releaser with their subject.
func (c ReleaserCase) contract() (*subject, []check) {
	k := releaser
	if c.Plugin.DefaultRelease {
		k = platform // its configuration is the platform's
	}
	s := &subject{plugin: c.Plugin, kind: k, folder: ".", newWorld: c.New, realTime: c.RealTime, sample: c.Sample}
	checks := []check{
		once("a plan only reads", c.plans),
		once("releasing twice is releasing once", c.releasesTwice),
		once("traffic moves to the next deployment and back", c.moves),
		once("a share of the traffic moves, or is refused at once", c.shares),
		{"stopped at any call, traffic has somewhere to go", c.stoppedReleases},
		{"a destroy that stops at any call is finished by the next", c.stoppedDestroys},
	}
	if !c.Plugin.DefaultRelease {
		checks = append(checks, exampleDecodes(c.Plugin.Releaser), unknownAttribute(c.Plugin.Releaser))
	}
	return s, checks
}

// target makes a deployment to release.
func (c ReleaserCase) target(tr *trial, sequence int) (target, error) {
	id := newID(tr.app.Name)
	if c.Deploy != nil {
		return target{App: tr.app, ID: id, Sequence: sequence, Deployment: c.Deploy(tr.t, tr.world, tr.app, id)}, nil
	}
	return tr.deploy(tr.app, id, sequence, tr.world.Artifact)
}

// open opens the releaser anew.
func (c ReleaserCase) open(tr *trial) (component.AnyReleaser, error) {
	decode := tr.use.decode
	if c.Plugin.DefaultRelease {
		decode = tr.use.shared
	}
	r, err := problems(tr.plugin.Releaser.Open(tr.operationHost(), decode))
	if err != nil {
		return nil, fmt.Errorf("opening the releaser: %w", tr.say(nil, err))
	}
	return r, nil
}

// attempt releases and returns what Release returned.
func (c ReleaserCase) attempt(ctx context.Context, tr *trial, to target, percent int) (component.Release, error) {
	r, err := c.open(tr)
	if err != nil {
		return nil, err
	}
	made, err := r.Release(ctx, component.ReleaseRequest[component.Deployment]{Target: to, Percent: percent})
	return made, tr.say(made, err)
}

// release moves traffic with nothing going wrong, and checks where it went.
func (c ReleaserCase) release(tr *trial, to target) (component.Release, error) {
	made, err := c.attempt(tr.ctx, tr, to, 100)
	if err != nil {
		return nil, fmt.Errorf("releasing deployment %d: %w", to.Sequence, err)
	}
	if made == nil {
		return nil, errors.New("releasing succeeded with a release that is zero")
	}
	if made, err = reload(made, tr.plugin.Releaser.Load); err != nil {
		return nil, err
	}
	return made, tr.expectTraffic(map[string]int{to.ID: 100})
}

// expectTraffic checks the shares of all deployments that get any.
func (tr *trial) expectTraffic(want map[string]int) error {
	if tr.world.Traffic == nil {
		return nil
	}
	if got := tr.world.Traffic(tr.app); !maps.Equal(got, want) {
		return fmt.Errorf("traffic goes to %v, want %v", got, want)
	}
	return nil
}

// plan plans a release and checks that it only reads.
func (c ReleaserCase) plan(tr *trial, req component.ReleaseRequest[component.Deployment]) error {
	r, err := c.open(tr)
	if err != nil {
		return err
	}
	tr.calls.written()
	plan, err := r.Plan(tr.ctx, req)
	if tr.say(plan, err) != nil {
		return err
	}
	if writes := tr.calls.written(); len(writes) > 0 {
		return fmt.Errorf("a plan sends requests that change something: %q", writes)
	}
	return checkPlan(plan)
}

// plans plans for a deployment that does not exist yet, and for one that does.
func (c ReleaserCase) plans(tr *trial) error {
	planned := component.ReleaseRequest[component.Deployment]{Target: target{App: tr.app, Sequence: 1}, Planned: true, Percent: 100}
	if err := c.plan(tr, planned); err != nil {
		return fmt.Errorf("planning before anything is deployed: %w", err)
	}
	to, err := c.target(tr, 1)
	if err != nil {
		return err
	}
	if err := c.plan(tr, component.ReleaseRequest[component.Deployment]{Target: to, Percent: 100}); err != nil {
		return fmt.Errorf("planning: %w", err)
	}
	return nil
}

// releasesTwice releases one deployment twice and removes the release twice.
func (c ReleaserCase) releasesTwice(tr *trial) error {
	to, err := c.target(tr, 1)
	if err != nil {
		return err
	}
	first, err := c.release(tr, to)
	if err != nil {
		return err
	}
	tr.calls.written()
	second, err := c.release(tr, to)
	if err != nil {
		return fmt.Errorf("again: %w", err)
	}
	if writes := tr.calls.written(); len(writes) > 0 {
		return fmt.Errorf("releasing what is released already sends requests that change something: %q", writes)
	}
	if first.URL() != second.URL() {
		return fmt.Errorf("the release moves from %q to %q", first.URL(), second.URL())
	}
	for range 2 {
		if err := c.destroy(tr, second); err != nil {
			return err
		}
	}
	return tr.expectTraffic(nil)
}

// destroy removes a release.
func (c ReleaserCase) destroy(tr *trial, made component.Release) error {
	r, err := c.open(tr)
	if err != nil {
		return err
	}
	if err := tr.say(nil, r.Destroy(tr.ctx, tr.app, made)); err != nil {
		return fmt.Errorf("destroying the release: %w", err)
	}
	return nil
}

// moves releases a first and a second deployment and, where the first still
// exists, the first again.
func (c ReleaserCase) moves(tr *trial) error {
	first, err := c.target(tr, 1)
	if err != nil {
		return err
	}
	old, err := c.release(tr, first)
	if err != nil {
		return err
	}
	second, err := c.target(tr, 2)
	if err != nil {
		return err
	}
	if err := tr.expectTraffic(map[string]int{first.ID: 100}); err != nil {
		return fmt.Errorf("after a deploy, before its release: %w", err)
	}
	next, err := c.release(tr, second)
	if err != nil {
		return err
	}
	if old.URL() != next.URL() {
		return fmt.Errorf("users must follow the release from %q to %q", old.URL(), next.URL())
	}
	if first.Deployment.Generation() != "" {
		return nil // superseded: going back is Restore's work
	}
	_, err = c.release(tr, first)
	return err
}

// shares gives a tenth of the traffic to a second deployment, then all of it
// back, then all of it forward: what a canary does that fails and then does
// not.
func (c ReleaserCase) shares(tr *trial) error {
	first, err := c.target(tr, 1)
	if err != nil {
		return err
	}
	if _, err := c.release(tr, first); err != nil {
		return err
	}
	second, err := c.target(tr, 2)
	if err != nil {
		return err
	}
	plan := c.plan(tr, component.ReleaseRequest[component.Deployment]{Target: second, Percent: 10})
	_, err = c.attempt(tr.ctx, tr, second, 10)
	if unsupported(plan) != unsupported(err) {
		return fmt.Errorf("planning a share of the traffic says %v, releasing it says %v: a plan must refuse already", plan, err)
	}
	if unsupported(err) {
		tr.t.Log("unsupported: Percent")
		return tr.expectTraffic(map[string]int{first.ID: 100})
	}
	if err := errors.Join(plan, err); err != nil {
		return fmt.Errorf("releasing a share of the traffic: %w", err)
	}
	if err := tr.expectTraffic(map[string]int{first.ID: 90, second.ID: 10}); err != nil {
		return err
	}
	if _, err := c.release(tr, first); err != nil {
		return fmt.Errorf("putting the former share back: %w", err)
	}
	_, err = c.release(tr, second)
	return err
}
