package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/deploy-action/deploy-action/internal/state"
)

// Prune destroys old deployments beyond the retention.
func (e *Engine) Prune(ctx context.Context, o Options) ([]Result, error) {
	names, err := e.recorded(ctx, o.Apps)
	if err != nil {
		return nil, err
	}
	return e.each(ctx, e.recall(names), o, func(ctx context.Context, r *run) error {
		r.stage = "prune"
		r.lookUp(ctx)
		if err := r.whole(ctx); err != nil {
			return err
		}
		if _, err := r.leftovers(ctx, ""); err != nil {
			return err
		}
		return r.prune(ctx)
	})
}

// pruneAfter is the last stage of up and release. Where something that was
// deployed may be missing from the state it leaves all as it is, and says so.
func (r *run) pruneAfter(ctx context.Context) error {
	if r.outlived() {
		r.healed = false // now the platform shows something, and so what is not there
		if err := r.heal(ctx); err != nil {
			return err
		}
	}
	if len(r.gaps) > 0 && !r.options.NoPrune {
		r.note("Nothing of app %q is pruned: its state was lost, and is incomplete. `state recover` shows what is known.", r.app.Name)
		return nil
	}
	if r.options.NoPrune || len(r.prunable()) == 0 {
		return nil
	}
	end := r.UI.Group(r.app.Name + ": prune")
	defer end()
	r.lookUp(ctx)
	return r.prune(ctx)
}

// prune destroys what prunable returns, and goes on after a failure. A
// deployment whose plugin is gone stays.
func (r *run) prune(ctx context.Context) error {
	var errs []error
	for _, record := range r.prunable() {
		err := r.destroyDeployment(ctx, record)
		if errors.Is(err, errNoPlugin) {
			r.UI.Print("Deployment %s stays: %v.", record.Deployment, err)
			continue
		}
		errs = append(errs, err)
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

// prunable returns the deployments beyond the retention: failed ones, and all
// successful ones before the released one but those that were released last. What
// is released, what is newer than that, and every generation that is live stays.
// A release that was rebuilt may not be the last that there was, so that nothing
// counts as older than it.
func (r *run) prunable() []state.Record {
	released, ok := r.history.released()
	ok = ok && !state.Rebuilt(released)
	deployments := r.history.deployments()
	live, serving := r.liveGenerations(deployments), r.history.serving()
	var old []state.Record
	before := false
	for _, d := range deployments {
		switch {
		case ok && d.Deployment == released.Deployment:
			before = true
		case serving[d.Deployment]:
		case d.Status == state.Failed && !live[r.generation(d)]:
			old = append(old, d)
		case d.Status != state.Succeeded || !before || live[r.generation(d)]:
		default:
			old = append(old, d)
		}
	}
	return r.beyond(old)
}

// beyond returns old deployments without those that are kept to go back to: of
// the successful ones those that were released last, as many as are retained.
func (r *run) beyond(old []state.Record) []state.Record {
	kept := map[string]bool{}
	for _, once := range r.history.releasedOnce() {
		at := slices.IndexFunc(old, func(d state.Record) bool { return d.Deployment == once.Deployment && d.Status == state.Succeeded })
		if at >= 0 && len(kept) < r.options.retain() {
			kept[once.Deployment] = true
		}
	}
	return slices.DeleteFunc(old, func(d state.Record) bool { return kept[d.Deployment] })
}

// liveGenerations returns the generations in which some deployment succeeded:
// their object exists and is never destroyed by a prune.
func (r *run) liveGenerations(deployments []state.Record) map[string]bool {
	live := map[string]bool{}
	for _, d := range deployments {
		if g := r.generation(d); g != "" && d.Status == state.Succeeded {
			live[g] = true
		}
	}
	return live
}

// generation names the object that a deployment shares with others, or "".
func (r *run) generation(record state.Record) string {
	target, err := r.load(record)
	if err != nil || target.Deployment == nil || target.Deployment.Generation() == "" {
		return ""
	}
	return record.Plugin + ":" + target.Deployment.Generation()
}

// destroyDeployment removes one deployment from its platform and then records
// that it is gone.
func (r *run) destroyDeployment(ctx context.Context, record state.Record) error {
	if len(record.Result) == 0 && unfinished(record) {
		if err := r.recover(ctx, &record); err != nil {
			return err
		}
	}
	if bare(record) {
		return fmt.Errorf("destroying deployment %s: its record was lost, and its platform does not say what there is", record.Deployment)
	}
	if len(record.Result) == 0 { // nothing was made
		return r.markDestroyed(ctx, record)
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
	if err := platform.Destroy(ctx, target); err != nil {
		return fmt.Errorf("destroying deployment %s: %w", record.Deployment, err)
	}
	r.result.Outcome = Changed
	return r.markDestroyed(ctx, record)
}

// markDestroyed records that a deployment is gone, in the record of every
// attempt at it.
func (r *run) markDestroyed(ctx context.Context, record state.Record) error {
	for _, attempt := range r.history.attempts(record.Deployment) {
		if err := r.mark(ctx, attempt, state.Destroyed); err != nil {
			return err
		}
	}
	return nil
}
