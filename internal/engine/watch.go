package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/config"
	"github.com/deploy-action/deploy-action/internal/state"
)

// Standing is how one deployment fares.
type Standing struct {
	App      string
	Record   state.Record // of the deploy
	Released bool         // users are served by it
	URL      string       // of the release, or else of the deployment
	Health   component.Health
}

// Status asks the platforms how every deployment of the chosen apps fares,
// newest first. A platform that cannot be asked is a health of its own, not an
// error.
func (e *Engine) Status(ctx context.Context, o Options) ([]Standing, error) {
	names, err := e.recorded(ctx, o.Apps)
	if err != nil {
		return nil, err
	}
	var (
		standings []Standing
		asked     sync.WaitGroup
		ask       []func()
	)
	for _, p := range e.recall(names) {
		r := &run{Engine: e, pipeline: p, options: o, scope: e.Scope}
		if r.history, err = e.history(ctx, p.app.Name); err != nil {
			return nil, err
		}
		r.lookUp(ctx)
		r.look(ctx)
		r.noteHold()
		released, _ := r.history.released()
		for _, record := range r.history.deployments() {
			s := Standing{App: p.app.Name, Record: record, URL: record.URL, Released: record.Deployment == released.Deployment}
			if s.Released && released.URL != "" {
				s.URL = released.URL
			}
			i := len(standings)
			standings = append(standings, s)
			ask = append(ask, func() { standings[i].Health = r.health(ctx, record) })
		}
	}
	for _, fn := range ask {
		asked.Go(fn)
	}
	asked.Wait()
	return standings, context.Cause(ctx)
}

// health asks the platform of one deployment.
func (r *run) health(ctx context.Context, record state.Record) component.Health {
	switch {
	case record.Status == state.Running:
		return component.Health{State: component.Starting, Message: "its deploy is running, or was killed"}
	case bare(record):
		return component.Health{State: component.Unknown, Message: "its record was lost, and its platform did not say"}
	case len(record.Result) == 0:
		return component.Health{State: component.Missing, Message: "nothing was made"}
	}
	target, err := r.load(record)
	if err == nil {
		var (
			platform component.AnyPlatform
			done     func()
			health   component.Health
		)
		if platform, done, err = r.platformOf(record); err == nil {
			defer done()
			if health, err = platform.Status(ctx, target); err == nil {
				return health
			}
		}
	}
	return component.Health{State: component.Unknown, Message: firstLine(err)}
}

// Logs calls line with what the chosen deployment of each chosen app wrote: by
// default the released one, or else the newest.
func (e *Engine) Logs(ctx context.Context, o Options, req component.LogRequest, line func(app string, l component.LogLine)) error {
	return e.watch(ctx, "logs", o, func(r *run, platform component.AnyPlatform, target component.Target[component.Deployment]) error {
		for l, err := range platform.Logs(ctx, target, req) {
			if err != nil {
				return unsupported(err, "logs", r.app.Name)
			}
			line(r.app.Name, l)
		}
		return nil
	})
}

// Exec runs a command in the chosen deployment of one app and returns the
// command's exit status.
func (e *Engine) Exec(ctx context.Context, o Options, req component.ExecRequest) (status int, err error) {
	err = e.watch(ctx, "exec", o, func(r *run, platform component.AnyPlatform, target component.Target[component.Deployment]) error {
		status, err = platform.Exec(ctx, target, req)
		return unsupported(err, "exec", r.app.Name)
	})
	return status, err
}

// watch opens the chosen deployment of each chosen app, one after another, for
// a verb.
func (e *Engine) watch(
	ctx context.Context, verb string, o Options,
	look func(*run, component.AnyPlatform, component.Target[component.Deployment]) error,
) error {
	names, err := e.recorded(ctx, o.Apps)
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range e.recall(names) {
		r := &run{Engine: e, pipeline: p, options: o, scope: e.Scope, stage: verb}
		errs = append(errs, r.watch(ctx, look))
	}
	return errors.Join(errs...)
}

func (r *run) watch(
	ctx context.Context,
	look func(*run, component.AnyPlatform, component.Target[component.Deployment]) error,
) (err error) {
	if r.history, err = r.Engine.history(ctx, r.app.Name); err != nil {
		return err
	}
	r.lookUp(ctx)
	r.look(ctx)
	record, err := r.watched()
	if err != nil {
		return err
	}
	target, err := r.load(record)
	if err != nil {
		return err
	}
	platform, done, err := r.platformOf(record)
	if err != nil {
		return err
	}
	defer done()
	return look(r, platform, target)
}

// watched returns the deployment that the options name, or else the released
// one, or else the newest.
func (r *run) watched() (state.Record, error) {
	live := history(r.history.deployments())
	ref := r.options.Deployment
	if released, ok := r.history.released(); ok && ref == "" {
		ref = released.Deployment
	}
	if ref == "" && len(live) > 0 {
		return live[0], nil
	}
	if record, ok := live.find(stageDeploy, ref); ok {
		return record, nil
	}
	if r.options.Deployment != "" {
		return state.Record{}, invalid(fmt.Sprintf("No deployment %q", r.options.Deployment), fmt.Sprintf(
			"App %q has none with that sequence or ID in workspace %q which still exists. `status` shows what there is.", r.app.Name, r.Workspace))
	}
	return state.Record{}, invalid(fmt.Sprintf("App %q is not deployed", r.app.Name),
		fmt.Sprintf("There is no deployment of it in workspace %q.", r.Workspace))
}

// unsupported explains a platform's refusal.
func unsupported(err error, verb, app string) error {
	if errors.Is(err, errors.ErrUnsupported) {
		return invalid(fmt.Sprintf("The platform of app %q has no %s", app, verb), "Use the platform's own tools.")
	}
	return err
}

// Validate checks the chosen apps without running anything.
func (e *Engine) Validate(_ context.Context, o Options) error {
	names, err := e.names(o.Apps)
	if err != nil {
		return err
	}
	_, err = e.prepare(names, stageBuild, stagePush, stageDeploy, stageRelease, config.Settings)
	return e.withPipelines(err)
}
