package engine

import (
	"context"
	"errors"
	"maps"
	"sync"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/config"
)

// kept are the sources that are open, by name: signing in once is enough.
type kept struct {
	mu     sync.Mutex
	byName map[string]keptSource
}

// keptSource is an open source. Its block never changes in a run, for it is
// opened when all that the block refers to is known. What the runner is given
// may come later.
type keptSource struct {
	component.Sourcer
	runner map[string]component.Setting
}

// source returns a source of that name, open until [Engine.Close].
func (e *Engine) source(name string) (component.Sourcer, error) {
	runner := e.Scope.Runner()
	e.sources.mu.Lock()
	defer e.sources.mu.Unlock()
	if known, ok := e.sources.byName[name]; ok && maps.Equal(known.runner, runner) {
		return known, nil
	}
	sourcer, err := e.openSource(name, runner)
	if err != nil {
		return nil, err
	}
	if e.sources.byName == nil {
		e.sources.byName = map[string]keptSource{}
	}
	e.sources.byName[name] = keptSource{sourcer, runner}
	return sourcer, nil
}

func (e *Engine) openSource(name string, runner map[string]component.Setting) (component.Sourcer, error) {
	plugin := e.Plugins[name]
	auth, diags := e.Project.Auth(e.Scope)
	if diags.HasErrors() {
		return nil, diags
	}
	app := &config.App{
		App:    component.App{Project: e.Project.Name(), Workspace: e.Workspace, Path: e.Project.Dir()},
		Runner: runner, Auth: auth,
	}
	host, done, err := e.Host(app, plugin, false)
	if err != nil {
		return nil, err
	}
	sourcer, diags, err := plugin.Sourcer.Open(host, e.Project.Source(name).Decode(e.Scope))
	if diags.HasErrors() {
		err = errors.Join(diags, err)
	}
	if err != nil {
		done()
		return nil, err
	}
	e.opened.add(func(ctx context.Context) error {
		defer done()
		return sourcer.Close(ctx)
	})
	return sourcer, nil
}

// opened is what must be closed at the end of the run.
type opened struct {
	mu      sync.Mutex
	closers []func(context.Context) error
	values  map[string]int // that were read, by source
}

func (o *opened) add(closer func(context.Context) error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closers = append(o.closers, closer)
}

func (o *opened) count(source string, values int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.values == nil {
		o.values = map[string]int{}
	}
	o.values[source] += values
}

// ValuesRead returns how many values each source has given.
func (e *Engine) ValuesRead() map[string]int {
	e.opened.mu.Lock()
	defer e.opened.mu.Unlock()
	return maps.Clone(e.opened.values)
}

// Close gives back what sources lent: tokens and leases, all at the same time,
// for there is little of it. It is called at the end of the run, also of one that
// was cancelled, and once.
func (e *Engine) Close(ctx context.Context) error {
	saving, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	errs := make([]error, len(e.opened.closers))
	var closing sync.WaitGroup
	for i, closer := range e.opened.closers {
		closing.Go(func() { errs[i] = closer(saving) })
	}
	closing.Wait()
	return errors.Join(errs...)
}
