package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/config"
)

// ErrLater means that a component cannot be tried before the stages before it
// have run, because its block refers to what they make.
var ErrLater = errors.New("its block is known only when the stages before it have run")

// Sources returns the names of the sources of values that the file names or
// asks, in order.
func (e *Engine) Sources() []string {
	names := map[string]bool{}
	for _, name := range e.Project.Sources() {
		names[name] = true
	}
	for _, r := range e.requests(e.Project.Apps(), []string{stageBuild, stagePush, stageDeploy, stageRelease, config.Settings}) {
		names[r.Source] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// SignIn signs in to a source of values as a read would, and reads nothing. It
// returns [ErrLater] where the source's settings wait for another one.
func (e *Engine) SignIn(ctx context.Context, source string) error {
	plugin := e.Plugins[source]
	if plugin.Sourcer == nil {
		return e.unknownSource(source, e.Project.Source(source).Range)
	}
	if into := plugin.Sourcer.Config(); into != nil {
		if complete, diags := e.Project.Source(source).Check(e.Scope, into); diags.HasErrors() {
			return diags
		} else if !complete {
			return ErrLater
		}
	}
	opened, err := e.source(source)
	if err != nil {
		return err
	}
	_, err = opened.Read(ctx, nil)
	return err
}

// Reach asks the platform of an app what it has of the app, which changes
// nothing, to see whether it answers. Its error is [errors.ErrUnsupported] where
// the platform cannot be asked, and [ErrLater].
func (e *Engine) Reach(ctx context.Context, app string) error {
	p, err := e.examined(app)
	if err != nil {
		return err
	}
	if p.platform == nil {
		return errors.ErrUnsupported
	}
	platform, done, err := examine(e, p, stageDeploy, p.app.Deploy, p.platform)
	if err != nil {
		return err
	}
	defer done()
	_, err = platform.Find(ctx, p.app.App)
	return err
}

// Repository returns where the images of an app are pushed to; nil where there
// is no such place. Its error is [ErrLater], or about the block.
func (e *Engine) Repository(ctx context.Context, app string) (*artifact.Repository, error) {
	p, err := e.examined(app)
	if err != nil || p.registry == nil || p.embedded {
		return nil, err
	}
	registry, done, err := examine(e, p, stagePush, p.app.Push, p.registry)
	if err != nil {
		return nil, err
	}
	defer done()
	return registry.Repository(ctx, p.app.App)
}

// examined finds the components of an app. What is wrong with it is said by
// [Engine.Validate].
func (e *Engine) examined(app string) (*pipeline, error) {
	p, diags := e.prepareOne(app, nil)
	if p == nil {
		return nil, fmt.Errorf("reading app %q: %w", app, diags)
	}
	return p, nil
}

// examine opens a component of an app for a question before anything ran. The
// caller calls done.
func examine[T any](e *Engine, p *pipeline, name string, stage *config.Stage, spec opener[T]) (opened T, done func(), err error) {
	if complete, diags := stage.Check(e.Scope, spec.Config()); diags.HasErrors() {
		return opened, nil, diags
	} else if !complete {
		return opened, nil, ErrLater
	}
	host, done, err := e.Host(p.app, p.plugins[name], false)
	if err != nil {
		return opened, nil, err
	}
	opened, diags, err := spec.Open(host, stage.Decode(e.Scope))
	if diags.HasErrors() {
		err = errors.Join(diags, err)
	}
	if err != nil {
		done()
	}
	return opened, done, err
}
