package plugintest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
)

// RegistryCase is a registry and a world to try it in.
type RegistryCase struct {
	Plugin component.Plugin

	// New makes an empty world, as in [PlatformCase], with an Artifact to push.
	New func(t *testing.T, calls *Calls) World

	// RealTime is for worlds with sockets or processes.
	RealTime bool
}

// Registry checks what every registry promises.
func Registry(t *testing.T, c RegistryCase) {
	t.Helper()
	s, checks := c.contract()
	runChecks(t, s, checks)
}

// contract returns the checks of a registry with their subject.
func (c RegistryCase) contract() (*subject, []check) {
	s := &subject{plugin: c.Plugin, kind: registry, folder: ".", newWorld: c.New, realTime: c.RealTime}
	return s, []check{
		exampleDecodes(c.Plugin.Registry),
		unknownAttribute(c.Plugin.Registry),
		once("a plan only reads and says what a push returns", registryPlans),
		once("pushing twice is pushing once", pushesTwice),
		{"stopped at any call, the next push succeeds", stoppedPushes},
	}
}

// request is what the registry is given.
func (tr *trial) pushRequest() component.PushRequest[artifact.Artifact] {
	return component.PushRequest[artifact.Artifact]{App: tr.app, Artifact: tr.world.Artifact}
}

// attemptPush pushes and returns what Push returned.
func (tr *trial) attemptPush(ctx context.Context) (artifact.Artifact, error) {
	g, err := open(tr, tr.plugin.Registry.Open)
	if err != nil {
		return nil, err
	}
	pushed, err := g.Push(ctx, tr.pushRequest())
	return pushed, tr.say(pushed, err)
}

// push pushes with nothing going wrong and checks the artifact.
func (tr *trial) push() (artifact.Artifact, error) {
	pushed, err := tr.attemptPush(tr.ctx)
	if err != nil {
		return nil, fmt.Errorf("pushing: %w", err)
	}
	return pushed, survives(pushed)
}

// registryPlans plans a push, pushes, and compares.
func registryPlans(tr *trial) error {
	g, err := open(tr, tr.plugin.Registry.Open)
	if err != nil {
		return err
	}
	planned, plan, err := g.Plan(tr.ctx, tr.pushRequest())
	if tr.say(plan, err) != nil {
		return fmt.Errorf("planning: %w", err)
	}
	if writes := tr.calls.written(); len(writes) > 0 {
		return fmt.Errorf("a plan sends requests that change something: %q", writes)
	}
	if err := checkPlan(plan); err != nil {
		return err
	}
	if len(plan.Changes) == 0 {
		return errors.New("the plan of a first push is empty")
	}
	pushed, err := tr.push()
	if err != nil {
		return err
	}
	if same, err := sameArtifact(planned, pushed); err != nil || !same {
		return fmt.Errorf("the plan promises %v, pushing returns %v (%w)", planned, pushed, err)
	}
	return nil
}

// pushesTwice pushes the same artifact again, which uploads nothing.
func pushesTwice(tr *trial) error {
	g, err := open(tr, tr.plugin.Registry.Open)
	if err != nil {
		return err
	}
	repository, err := g.Repository(tr.ctx, tr.app)
	if tr.say(nil, err) != nil {
		return fmt.Errorf("asking for the repository: %w", err)
	}
	if writes := tr.calls.written(); len(writes) > 0 {
		return fmt.Errorf("asking for the repository sends requests that change something: %q", writes)
	}
	first, err := tr.push()
	if err != nil {
		return err
	}
	if image, ok := first.(artifact.Image); ok && repository != nil && image.Repository != repository.Name {
		return fmt.Errorf("pushing stores in %q, though the repository is %q", image.Repository, repository.Name)
	}
	tr.calls.written()
	second, err := tr.push()
	if err != nil {
		return fmt.Errorf("again: %w", err)
	}
	if writes := tr.calls.written(); len(writes) > 0 {
		return fmt.Errorf("pushing what the registry has uploads it again: %q", writes)
	}
	if same, err := sameArtifact(first, second); err != nil || !same {
		return fmt.Errorf("pushing twice returns %v and %v (%w)", first, second, err)
	}
	return nil
}

// stoppedPushes makes every call of a push fail, or be cut off, or be its last.
func stoppedPushes(t *testing.T, s *subject) error {
	for _, m := range []mode{cancelled, faulted, killed} {
		err := everyCall(t, s, m, func(tr *trial, struck strike) (bool, error) {
			ctx := tr.calls.arm(tr.ctx, struck)
			_, failure := tr.attemptPush(ctx)
			reached, late := tr.calls.disarm()
			if len(late) > 0 {
				return reached, fmt.Errorf("requests are sent after the context ended: %q", late)
			}
			if failure != nil && !reached {
				return reached, fmt.Errorf("pushing, with nothing going wrong: %w", failure)
			}
			_, err := tr.push()
			return reached, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
