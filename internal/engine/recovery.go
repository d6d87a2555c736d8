package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/state"
)

// Recovery is what is known of one deployment, and by whom.
type Recovery struct {
	Record   state.Record // as it is recorded, or as it would be
	Source   Source
	Exists   Existence
	Released bool // users are served by it, as far as is known
}

// Source is who tells of a deployment.
type Source string

// The sources, of which the first that tells counts.
const (
	FromRecord   Source = "record"
	FromGitHub   Source = "github"
	FromPlatform Source = "platform"
)

// Existence is whether a platform has a deployment.
type Existence string

// The answers of a platform.
const (
	Exists        Existence = "yes"
	ExistsNot     Existence = "no"
	ExistsUnknown Existence = "unknown"
)

// RecoverOptions say what to do with what is found.
type RecoverOptions struct {
	Options

	// Told returns records of an app that are rebuilt from what GitHub was
	// told, and that no place keeps. It is asked after the history.
	Told func(ctx context.Context, app string) ([]state.Record, error)

	Gone  []string // deployments, by their ID, that do not exist any more by the user's word
	Write bool     // record what is found; else nothing is changed
}

// Recover finds out about the deployments of the chosen apps what can be found
// out: from the records, from what GitHub was told, and from the platforms. It
// returns them newest first, and in clauses what nobody can tell. It destroys
// nothing.
func (e *Engine) Recover(ctx context.Context, o RecoverOptions) (all []Recovery, gaps []string, results []Result, err error) {
	names, err := e.recorded(ctx, o.Apps)
	if err != nil {
		return nil, nil, nil, err
	}
	if err := e.knowAll(ctx, names, o); err != nil {
		return nil, nil, nil, err
	}
	keep := func(r *run, found []Recovery) {
		all = append(all, found...)
		for _, gap := range r.gaps {
			gaps = append(gaps, fmt.Sprintf("app %q: %s", r.app.Name, gap))
		}
	}
	if o.Write {
		o.DespiteHold = true // what runs stays as it is
		results, err = e.each(ctx, e.recall(names), o.Options, func(ctx context.Context, r *run) error {
			r.stage = "recover"
			found, err := r.recovery(ctx, o)
			keep(r, found)
			return err
		})
		return all, gaps, results, err
	}
	for _, p := range e.recall(names) {
		r := &run{Engine: e, pipeline: p, options: o.Options, scope: e.Scope}
		if r.history, err = e.history(ctx, p.app.Name); err != nil {
			return nil, nil, nil, err
		}
		found, err := r.recovery(ctx, o)
		if err != nil {
			return nil, nil, nil, err
		}
		keep(r, found)
	}
	return all, gaps, nil, nil
}

// recovery is [Engine.Recover] for one app.
func (r *run) recovery(ctx context.Context, o RecoverOptions) ([]Recovery, error) {
	r.healed = true
	unkept, err := o.Told(ctx, r.app.Name)
	if err != nil {
		return nil, err
	}
	source := map[string]Source{}
	for i := range unkept {
		source[unkept[i].ID] = FromGitHub
		if unkept[i].Operation == stageDeploy && unkept[i].Plugin == "" {
			unkept[i].Plugin = r.plugins[stageDeploy].Name
		}
	}
	r.history = state.Merge(r.history, unkept)
	r.lookUp(ctx)
	r.history = state.Merge(r.history, r.buried(o.Gone))
	s := r.survey(ctx)
	if err := r.refuseFound(o.Gone, s); err != nil {
		return nil, err
	}
	r.gaps = s.gaps
	before := r.history
	r.history = state.Merge(r.history, s.changes)
	if o.Write {
		if err := r.writeFound(ctx, before, s, source); err != nil {
			return nil, err
		}
	}
	return r.recovered(before, s, source), nil
}

// buried returns the records of deployments that are gone by the user's word.
func (r *run) buried(gone []string) []state.Record {
	var records []state.Record
	for _, id := range gone {
		for _, attempt := range r.history.attempts(id) {
			if attempt.Status != state.Destroyed {
				records = append(records, lost(attempt, r.Now()))
			}
		}
	}
	return records
}

// knowAll refuses words about deployments that none of the apps has.
func (e *Engine) knowAll(ctx context.Context, apps []string, o RecoverOptions) error {
	if len(o.Gone) == 0 {
		return nil
	}
	var known []string
	for _, app := range apps {
		h, err := e.history(ctx, app)
		if err != nil {
			return err
		}
		told, err := o.Told(ctx, app)
		if err != nil {
			return err
		}
		for _, record := range slices.Concat(h, told) {
			if record.Operation == stageDeploy && record.Deployment != "" {
				known = append(known, record.Deployment)
			}
		}
	}
	for _, id := range o.Gone {
		if !slices.Contains(known, id) {
			return invalid(fmt.Sprintf("No deployment %q that could be gone", id), fmt.Sprintf(
				"Neither a record nor GitHub tells of it in workspace %q. `state recover` shows which deployments there are, by their IDs.%s Nothing was changed.",
				e.Workspace, diag.Suggest(id, known)))
		}
	}
	return nil
}

// refuseFound refuses to take deployments as gone that a platform shows.
func (r *run) refuseFound(gone []string, s survey) error {
	for _, id := range gone {
		if plugin, found := s.holders[id]; found {
			return invalid(fmt.Sprintf("Deployment %s of app %q is not gone", id, r.app.Name), fmt.Sprintf(
				"The platform %q shows it, with the labels of this app in workspace %q. Leave --gone %s out; `destroy --deployment %s` removes it. Nothing of this app was changed.",
				plugin, r.Workspace, id, id))
		}
	}
	return nil
}

// writeFound records what is not recorded yet.
func (r *run) writeFound(ctx context.Context, before history, s survey, source map[string]Source) error {
	stored, err := r.Engine.history(ctx, r.app.Name)
	if err != nil {
		return err
	}
	for _, record := range slices.Backward(r.history) { // the oldest first
		same := slices.ContainsFunc(stored, func(old state.Record) bool {
			return old.ID == record.ID && old.Status == record.Status && len(old.Result) == len(record.Result)
		})
		if same && source[record.ID] == "" {
			continue
		}
		if err := r.Store.Put(ctx, record); err != nil {
			return fmt.Errorf("recording what was found of app %q: %w", r.app.Name, err)
		}
		r.result.Outcome = Changed
	}
	return nil
}

// recovered lists the deployments of the app that exist or may.
func (r *run) recovered(before history, s survey, source map[string]Source) []Recovery {
	released, _ := r.history.released()
	var found []Recovery
	listed := slices.Concat(history(s.changes), before).deployments()
	for _, d := range slices.Concat(listed, s.vanished(before)) {
		known := Recovery{Record: d, Source: FromRecord, Exists: ExistsUnknown, Released: d.Deployment == released.Deployment}
		switch {
		case len(before.attempts(d.Deployment)) == 0:
			known.Source = FromPlatform
		case source[d.ID] != "":
			known.Source = source[d.ID]
		}
		switch _, there := s.found[d.Deployment]; {
		case there:
			known.Exists = Exists
		case s.asked[d.Plugin]:
			known.Exists = ExistsNot
		}
		found = append(found, known)
	}
	slices.SortStableFunc(found, func(a, b Recovery) int { return b.Record.Started.Compare(a.Record.Started) })
	return found
}

// vanished returns the deployments that are recorded, or were told of, and that
// the survey found to be gone.
func (s survey) vanished(before history) []state.Record {
	return slices.DeleteFunc(slices.Clone(s.changes), func(c state.Record) bool {
		return c.Status != state.Destroyed || len(before.attempts(c.Deployment)) == 0
	})
}
