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
	op := &operation{run: r, plugin: plugin}
	if stage := r.app.Deploy; stage != nil && stage.Plugin == record.Plugin {
		if platform, done, err := open(op, plugin.Platform, stage.Decode(r.scopeOf(record))); err == nil {
			return platform, done, nil
		}
	}
	return open(op, plugin.Platform, config.Reopen(record.Config))
}

// releaserOf opens the releaser that made a recorded release, in the same way.
func (r *run) releaserOf(record state.Record) (component.AnyReleaser, func(), error) {
	plugin, ok := r.Plugins[record.Plugin]
	if !ok || plugin.Releaser == nil {
		return nil, nil, fmt.Errorf("opening releaser %q: %w", record.Plugin, errNoPlugin)
	}
	op := &operation{run: r, plugin: plugin}
	if r.releaser != nil && r.plugins[stageRelease].Name == record.Plugin {
		_, decode := r.releaserConfig(r.scopeOfRelease(record))
		if releaser, done, err := open(op, plugin.Releaser, decode); err == nil {
			return releaser, done, nil
		}
	}
	return open(op, plugin.Releaser, config.Reopen(record.Config))
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
