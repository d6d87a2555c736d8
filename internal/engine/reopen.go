package engine

import (
	"errors"
	"fmt"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/config"
	"github.com/deploy-action/deploy-action/internal/state"
)

// errNoPlugin means that this program no longer has the plugin of a record.
var errNoPlugin = errors.New("this version has no such plugin")

// load reads a recorded deployment.
func (r *run) load(record state.Record) (component.Target[component.Deployment], error) {
	target := component.Target[component.Deployment]{App: r.app.App, ID: record.Deployment, Sequence: record.Sequence}
	plugin, err := r.platformPlugin(record)
	if err != nil {
		return target, err
	}
	target.Deployment, err = plugin.Platform.Load(record.Result)
	return target, err
}

// platformPlugin returns the plugin that made a recorded deployment.
func (r *run) platformPlugin(record state.Record) (component.Plugin, error) {
	plugin, ok := r.Plugins[record.Plugin]
	if !ok || plugin.Platform == nil {
		return plugin, fmt.Errorf("opening platform %q of deployment %s: %w", record.Plugin, record.Deployment, errNoPlugin)
	}
	return plugin, nil
}

// platformOf opens the platform that made a recorded deployment, with the file's
// block as it is now (for its credentials) or, where the app or the block is
// gone or does not decode, with the recorded one.
func (r *run) platformOf(record state.Record) (component.AnyPlatform, func(), error) {
	plugin, err := r.platformPlugin(record)
	if err != nil {
		return nil, nil, err
	}
	if stage := r.app.Deploy; stage != nil && stage.Plugin == record.Plugin {
		return openEither(r, plugin.Platform, plugin, stage, stage.Decode(r.scopeOf(record)), record)
	}
	return open(&operation{run: r, plugin: plugin}, plugin.Platform, config.Reopen(record.Config))
}

// releaserOf opens the releaser that made a recorded release, in the same way.
func (r *run) releaserOf(record state.Record) (component.AnyReleaser, func(), error) {
	plugin, ok := r.Plugins[record.Plugin]
	if !ok || plugin.Releaser == nil {
		return nil, nil, fmt.Errorf("opening releaser %q: %w", record.Plugin, errNoPlugin)
	}
	if r.releaser != nil && r.plugins[stageRelease].Name == record.Plugin {
		stage, decode := r.releaserConfig(r.scopeOfRelease(record))
		return openEither(r, plugin.Releaser, plugin, stage, decode, record)
	}
	return open(&operation{run: r, plugin: plugin}, plugin.Releaser, config.Reopen(record.Config))
}

// openEither opens a component as the file's block says, or else as the record
// does. Where neither can be, what is wrong with the file is told as well, for
// that can be mended.
func openEither[T any](
	r *run, spec opener[T], plugin component.Plugin, block *config.Stage, decode component.Decode, record state.Record,
) (T, func(), error) {
	opened, done, unfit := open(&operation{run: r, plugin: plugin, stage: block}, spec, decode)
	if unfit == nil {
		return opened, done, nil
	}
	opened, done, err := open(&operation{run: r, plugin: plugin}, spec, config.Reopen(record.Config))
	if err != nil {
		r.warn(diagnose(unfit))
	}
	return opened, done, err
}

// scopeOf returns what the block of a recorded deployment could refer to.
func (r *run) scopeOf(record state.Record) config.Scope {
	scope := r.scope.WithDeployment(record.Deployment)
	parent, ok := r.history.parent(record)
	if !ok || len(parent.Result) == 0 {
		return scope
	}
	made, err := artifact.Decode(parent.Result)
	if err != nil {
		return scope // the block may not need it; if it does, decoding says so
	}
	return scope.WithArtifact(r.absolute(made).Vars())
}

// scopeOfRelease returns what the block of a recorded release could refer to.
func (r *run) scopeOfRelease(record state.Record) config.Scope {
	deployed, ok := r.history.find(stageDeploy, record.Deployment)
	if !ok {
		return r.scope
	}
	target, err := r.load(deployed)
	if err != nil {
		return r.scope // as above
	}
	return r.scopeOf(deployed).WithDeploy(deployVars(target, deployed.URL))
}
