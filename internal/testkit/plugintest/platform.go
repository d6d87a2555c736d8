package plugintest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
)

// PlatformCase is a platform and a world to try it in.
type PlatformCase struct {
	Plugin component.Plugin

	// New makes an empty world. It is called for every trial, of which there
	// are many: one for each call that can go wrong.
	New func(t *testing.T, calls *Calls) World

	// RealTime is for worlds with sockets or processes. Other worlds live in a
	// testing/synctest bubble, where waiting takes no time.
	RealTime bool

	// Sample makes one of so many calls go wrong, and others each time, in place
	// of every call: for worlds in which a trial takes seconds. 0 is every call.
	Sample int
}

// target is a deployment as the contract handles it.
type target = component.Target[component.Deployment]

// Platform checks what every platform promises.
func Platform(t *testing.T, c PlatformCase) {
	t.Helper()
	s, checks := c.contract()
	runChecks(t, s, checks)
}

// contract returns the checks of a platform with their subject.
func (c PlatformCase) contract() (*subject, []check) {
	s := &subject{plugin: c.Plugin, kind: platform, folder: ".", newWorld: c.New, realTime: c.RealTime, sample: c.Sample}
	return s, []check{
		exampleDecodes(c.Plugin.Platform),
		unknownAttribute(c.Plugin.Platform),
		once("a plan only reads", platformPlans),
		once("deploying twice is deploying once", deploysTwice),
		once("a second deployment keeps or supersedes the first", deploysNext),
		once("find shows an app its own deployments", findsOwn),
		once("a forged record destroys nothing", forgedRecords),
		once("restore puts the content back", restores),
		once("logs come in order and end", logs),
		once("exec returns the status", executes),
		once("what is missing is missing", missing),
		once("a record is enough to destroy", destroysRecorded),
		{"cancelled at every call", cancelledDeploys},
		{"failing at every call", faultyDeploys},
		{"killed at every call", killedDeploys},
		{"a destroy that stops at any call is finished by the next", stoppedDestroys},
	}
}

// attempt deploys and returns what Deploy returned.
func (tr *trial) attempt(ctx context.Context, in component.DeployInput, a artifact.Artifact) (target, error) {
	t := target{App: in.App, ID: in.ID, Sequence: in.Sequence}
	p, err := open(tr, tr.plugin.Platform.Open)
	if err != nil {
		return t, err
	}
	t.Deployment, err = p.Deploy(ctx, component.DeployRequest[artifact.Artifact]{Artifact: a, DeployInput: in})
	return t, tr.say(t.Deployment, err)
}

// recorded returns t as the next run reads it.
func (tr *trial) recorded(t target) (target, error) {
	var err error
	t.Deployment, err = reload(t.Deployment, tr.plugin.Platform.Load)
	return t, err
}

// deploy makes a deployment, with nothing going wrong, and checks that it
// serves.
func (tr *trial) deploy(app component.App, id string, sequence int, a artifact.Artifact) (target, error) {
	t, err := tr.attempt(tr.ctx, tr.input(app, id, sequence), a)
	if err != nil {
		return t, fmt.Errorf("deploying: %w", err)
	}
	if t.Deployment == nil {
		return t, errors.New("deploying succeeded with a deployment that is zero, as if nothing had been made")
	}
	if t, err = tr.recorded(t); err != nil {
		return t, err
	}
	return t, tr.expect(t, component.Ready)
}

// expect checks the state of a deployment. A platform may not know it.
func (tr *trial) expect(t target, want ...component.HealthState) error {
	p, err := open(tr, tr.plugin.Platform.Open)
	if err != nil {
		return err
	}
	health, err := p.Status(tr.ctx, t)
	if tr.say(health, err) != nil {
		return fmt.Errorf("asking for the status: %w", err)
	}
	if health.State != component.Unknown && !slices.Contains(want, health.State) {
		return fmt.Errorf("the status of deployment %d is %q (%s), want %q", t.Sequence, health.State, health.Message, want)
	}
	return nil
}

// find returns what the platform shows of app.
func (tr *trial) find(app component.App) ([]target, error) {
	p, err := open(tr, tr.plugin.Platform.Open)
	if err != nil {
		return nil, err
	}
	found, err := p.Find(tr.ctx, app)
	if tr.say(found, err) != nil {
		return nil, err
	}
	for i := range found {
		if found[i], err = tr.recorded(found[i]); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// expectFound checks the IDs that the platform shows of app, newest first.
func (tr *trial) expectFound(app component.App, want ...string) error {
	found, err := tr.find(app)
	if unsupported(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("finding deployments: %w", err)
	}
	var ids []string
	for _, t := range found {
		ids = append(ids, t.ID)
		if t.App.Project != app.Project || t.App.Name != app.Name || t.App.Workspace != app.Workspace {
			return fmt.Errorf("find for %s in %s returns a deployment of %s in %s", app.Name, app.Workspace, t.App.Name, t.App.Workspace)
		}
		if t.Deployment == nil {
			return fmt.Errorf("find returns %s without a deployment, so it cannot be destroyed", t.ID)
		}
	}
	if !slices.Equal(ids, want) {
		return fmt.Errorf("find shows %q, want %q, newest first", ids, want)
	}
	return nil
}

// destroy removes a deployment.
func (tr *trial) destroy(t target) error {
	p, err := open(tr, tr.plugin.Platform.Open)
	if err != nil {
		return err
	}
	if err := tr.say(nil, p.Destroy(tr.ctx, t)); err != nil {
		return fmt.Errorf("destroying deployment %d: %w", t.Sequence, err)
	}
	return nil
}

// leave removes what deployments share, twice, and checks that nothing of any
// app is left.
func (tr *trial) leave(apps ...component.App) error {
	for _, app := range append(apps, apps...) {
		p, err := open(tr, tr.plugin.Platform.Open)
		if err != nil {
			return err
		}
		if err := tr.say(nil, p.DestroyShared(tr.ctx, app)); err != nil && !unsupported(err) {
			return fmt.Errorf("destroying what is shared: %w", err)
		}
		if err := tr.expectFound(app); err != nil {
			return fmt.Errorf("after everything was destroyed: %w", err)
		}
	}
	return tr.expectNothing()
}

// expectNothing checks that the fake holds nothing.
func (tr *trial) expectNothing() error {
	if tr.world.Exists == nil {
		return nil
	}
	if left := tr.world.Exists(); len(left) > 0 {
		return fmt.Errorf("left behind: %q", left)
	}
	return nil
}

// sameDeployment compares what a deployment shows to users.
func sameDeployment(a, b component.Deployment) bool {
	equal := maps.EqualFunc(a.Vars(), b.Vars(), func(x, y cty.Value) bool { return x.RawEquals(y) })
	return equal && a.URL() == b.URL() && a.Generation() == b.Generation()
}
