package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/state"
)

// Destroy removes everything of the chosen apps in this workspace. It works
// from records, so an app may be gone from the file; what is gone already is
// no failure. Apps go before those that they depend on, which stay where that
// failed. Where only one deployment goes, no app waits for another.
func (e *Engine) Destroy(ctx context.Context, o Options) ([]Result, error) {
	names, err := e.recorded(ctx, o.Apps)
	if err != nil {
		return nil, err
	}
	pipelines, _ := e.inOrder(e.recall(names)) // a circle does not matter to what exists
	if o.Deployment == "" {
		pipelines = dependantsFirst(pipelines)
	}
	return e.each(ctx, pipelines, o, func(ctx context.Context, r *run) error {
		r.stage = "destroy"
		r.lookUp(ctx)
		end := r.UI.Group(r.app.Name + ": destroy")
		defer end()
		if o.Deployment != "" {
			if err := r.heal(ctx); err != nil {
				return err
			}
			return r.destroyOne(ctx, o.Deployment)
		}
		if err := r.whole(ctx); err != nil {
			return err
		}
		return r.destroyAll(ctx)
	})
}

// recorded returns the apps of the file and those that only the state knows,
// or the chosen ones of them.
func (e *Engine) recorded(ctx context.Context, chosen []string) ([]string, error) {
	names := slices.Clone(e.Project.Apps())
	for r, err := range e.Store.List(ctx, state.Query{Project: e.Project.Name(), Workspace: e.Workspace}) {
		if err != nil {
			return nil, unreadable(err)
		}
		if !slices.Contains(names, r.App) {
			names = append(names, r.App)
		}
	}
	for _, name := range chosen {
		if slices.Contains(names, name) {
			continue
		}
		h, err := e.history(ctx, name) // a store may look further for a name
		if err != nil {
			return nil, err
		}
		if len(h) > 0 {
			names = append(names, name)
		} else {
			return nil, invalid(fmt.Sprintf("Unknown app %q", name), fmt.Sprintf(
				"Neither %s nor the state of workspace %q knows it. They know %s.%s",
				e.Project.Path(), e.Workspace, list(names, "there is no app"), diag.Suggest(name, names)))
		}
	}
	if len(chosen) == 0 {
		return names, nil
	}
	return slices.DeleteFunc(names, func(n string) bool { return !slices.Contains(chosen, n) }), nil
}

func (r *run) destroyOne(ctx context.Context, ref string) error {
	record, ok := history(r.history.deployments()).find(stageDeploy, ref)
	if !ok {
		return invalid(fmt.Sprintf("No deployment %q to destroy", ref), fmt.Sprintf(
			"App %q has no deployment with that sequence or ID which still exists. `status` shows what there is.", r.app.Name))
	}
	if r.history.serving()[record.Deployment] {
		return invalid(fmt.Sprintf("Deployment %q is released", ref),
			"Users are served by it, or may be, where its release was cut off. Release another one first, or run `destroy` without --deployment to remove the whole app.")
	}
	if g := r.generation(record); g != "" && r.liveGenerations(r.history.deployments())[g] {
		return invalid(fmt.Sprintf("Deployment %q shares its object", ref),
			"Deployments of this app update one object in place, so this one cannot go by itself. Run `rollback` to put an earlier one back, or `destroy` without --deployment to remove the whole app.")
	}
	return r.destroyDeployment(ctx, record)
}

// destroyAll removes the releases, the deployments, what else the platform
// still shows, and what they shared, in this order.
func (r *run) destroyAll(ctx context.Context) error {
	if _, err := r.leftovers(ctx, ""); err != nil {
		return err
	}
	errs := []error{r.destroyReleases(ctx)}
	superseded := map[string]bool{}
	for _, record := range r.history.deployments() {
		if ctx.Err() != nil {
			return errors.Join(append(errs, context.Cause(ctx))...)
		}
		generation := r.generation(record)
		if generation != "" && superseded[generation] {
			errs = append(errs, r.markDestroyed(ctx, record))
			continue
		}
		superseded[generation] = true
		errs = append(errs, r.destroyDeployment(ctx, record))
	}
	errs = append(errs, r.destroyRest(ctx))
	return errors.Join(errs...)
}

// destroyReleases takes the newest release of each plugin away, also one that did
// not end well but made something; every release of that plugin is over then.
func (r *run) destroyReleases(ctx context.Context) error {
	byPlugin := map[string][]state.Record{}
	var plugins []string // the latest first
	for _, record := range r.history.releases() {
		if byPlugin[record.Plugin] == nil {
			plugins = append(plugins, record.Plugin)
		}
		byPlugin[record.Plugin] = append(byPlugin[record.Plugin], record)
	}
	var errs []error
	for _, plugin := range plugins {
		if ctx.Err() != nil {
			break
		}
		errs = append(errs, r.destroyReleasesOf(ctx, byPlugin[plugin]))
	}
	return errors.Join(errs...)
}

// destroyReleasesOf takes away the newest of the releases of one plugin that made
// something.
func (r *run) destroyReleasesOf(ctx context.Context, releases []state.Record) error {
	made := slices.IndexFunc(releases, func(record state.Record) bool { return len(record.Result) > 0 })
	if made >= 0 {
		if err := r.destroyRelease(ctx, releases[made]); err != nil {
			return fmt.Errorf("destroying release %d: %w", releases[made].Sequence, err)
		}
	}
	if made < 0 && state.Rebuilt(releases[0]) && releases[0].Status == state.Succeeded {
		r.destroyLost(ctx, releases[0])
	}
	r.result.Outcome = Changed
	served, ok := r.history.released()
	for _, record := range releases {
		if err := r.mark(ctx, record, state.Destroyed); err != nil {
			return err
		}
	}
	if ok {
		served.Status = state.Destroyed
		r.report(ctx, served)
	}
	return nil
}

func (r *run) destroyRelease(ctx context.Context, record state.Record) error {
	releaser, done, err := r.releaserOf(record)
	if err != nil {
		return err
	}
	defer done()
	value, err := r.Plugins[record.Plugin].Releaser.Load(record.Result)
	if err != nil {
		return err
	}
	return r.UI.Step(ctx, fmt.Sprintf("Destroying release %d", record.Sequence), func(ctx context.Context, _ component.Step) error {
		return releaser.Destroy(ctx, r.app.App, value)
	})
}

// destroyRest removes what a platform still shows of the app though no record
// names it, and then what its deployments shared.
func (r *run) destroyRest(ctx context.Context) error {
	var errs []error
	for _, record := range r.lastOfEachPlatform() {
		platform, done, err := r.platformOf(record)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, r.destroyFound(ctx, platform))
		err = platform.DestroyShared(ctx, r.app.App)
		if err != nil && !errors.Is(err, errors.ErrUnsupported) {
			errs = append(errs, fmt.Errorf("destroying what the deployments shared: %w", err))
		}
		done()
	}
	return errors.Join(errs...)
}

func (r *run) destroyFound(ctx context.Context, platform component.AnyPlatform) error {
	found, err := platform.Find(ctx, r.app.App)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking for what is left: %w", err)
	}
	var errs []error
	for _, target := range found {
		r.result.Outcome = Changed
		errs = append(errs, platform.Destroy(ctx, target))
	}
	return errors.Join(errs...)
}

// lastOfEachPlatform returns a record for each platform that ever ran the app,
// and one for that of the file, so that it can be asked.
func (r *run) lastOfEachPlatform() []state.Record {
	var last []state.Record
	seen := map[string]bool{"": true}
	for _, record := range r.history {
		if record.Operation == stageDeploy && !seen[record.Plugin] {
			seen[record.Plugin] = true
			last = append(last, record)
		}
	}
	if name := r.plugins[stageDeploy].Name; !seen[name] {
		last = append(last, state.Record{Operation: stageDeploy, Plugin: name})
	}
	return last
}
