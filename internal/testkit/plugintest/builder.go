package plugintest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
)

// BuilderCase is a builder and a world to try it in.
type BuilderCase struct {
	Plugin component.Plugin

	// New makes an empty world, as in [PlatformCase].
	New func(t *testing.T, calls *Calls) World

	// RealTime is for worlds with sockets or processes.
	RealTime bool
}

// Builder checks what every builder promises.
func Builder(t *testing.T, c BuilderCase) {
	t.Helper()
	s, checks := c.contract()
	runChecks(t, s, checks)
}

// contract returns the checks of a builder with their subject.
func (c BuilderCase) contract() (*subject, []check) {
	s := &subject{plugin: c.Plugin, kind: builder, folder: ".", newWorld: c.New, realTime: c.RealTime}
	return s, []check{
		exampleDecodes(c.Plugin.Builder),
		unknownAttribute(c.Plugin.Builder),
		once("building twice makes the same artifact", buildsTwice),
		{"stopped at any call, the next build succeeds", stoppedBuilds},
	}
}

// attempt builds and returns what Build returned.
func (tr *trial) attemptBuild(ctx context.Context, to *artifact.Repository) (artifact.Artifact, error) {
	b, err := open(tr, tr.plugin.Builder.Open)
	if err != nil {
		return nil, err
	}
	made, err := b.Build(ctx, component.BuildRequest{App: tr.app, Repository: to})
	return made, tr.say(made, err)
}

// build builds with nothing going wrong and checks the artifact.
func (tr *trial) build(to *artifact.Repository) (artifact.Artifact, error) {
	made, err := tr.attemptBuild(tr.ctx, to)
	if err != nil {
		return nil, fmt.Errorf("building: %w", err)
	}
	if err := survives(made); err != nil {
		return nil, err
	}
	kind := tr.plugin.Builder.Makes()
	if kind == nil {
		return made, nil
	}
	want, got := keys(kind), keys(made)
	if !slices.Equal(got, want) {
		return nil, fmt.Errorf("the artifact has the variables %q, its kind has %q", got, want)
	}
	return made, nil
}

// keys returns the names of an artifact's variables.
func keys(a artifact.Artifact) []string { return slices.Sorted(maps.Keys(a.Vars())) }

// survives checks that an artifact can be recorded.
func survives(a artifact.Artifact) error {
	if a == nil {
		return fmt.Errorf("the result is no artifact")
	}
	raw, err := artifact.Encode(a)
	if err != nil {
		return err
	}
	loaded, err := artifact.Decode(raw)
	if err != nil {
		return err
	}
	if same, err := sameArtifact(a, loaded); err != nil || !same {
		return fmt.Errorf("the artifact changes in its record: %s (%w)", raw, err)
	}
	return nil
}

// buildsTwice builds without and with a repository: the artifact is the same,
// and nothing outside the job changes but what is stored ahead of a push.
func buildsTwice(tr *trial) error {
	outside := tr.plugin.BuildsOutside
	first, err := tr.build(nil)
	if err != nil {
		return err
	}
	if writes := tr.calls.written(); len(writes) > 0 && !outside {
		return fmt.Errorf("a build changes things outside the job (%q): the plugin must say BuildsOutside", writes)
	}
	second, err := tr.build(tr.world.Repository)
	if err != nil {
		return fmt.Errorf("again: %w", err)
	}
	if same, err := sameArtifact(first, second); err != nil || !same {
		return fmt.Errorf("building twice makes %v and %v (%w)", first, second, err)
	}
	return nil
}

// stoppedBuilds makes every call of a build fail, or be cut off, or be its
// last.
func stoppedBuilds(t *testing.T, s *subject) error {
	for _, m := range []mode{cancelled, faulted, killed} {
		err := everyCall(t, s, m, func(tr *trial, struck strike) (bool, error) {
			ctx := tr.calls.arm(tr.ctx, struck)
			_, failure := tr.attemptBuild(ctx, nil)
			reached, late := tr.calls.disarm()
			if len(late) > 0 {
				return reached, fmt.Errorf("requests are sent after the context ended: %q", late)
			}
			if failure != nil && !reached {
				return reached, fmt.Errorf("building, with nothing going wrong: %w", failure)
			}
			_, err := tr.build(nil)
			return reached, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
