package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/state"
)

// messageFound is that of the record of a deployment which only its platform
// told of.
const messageFound = state.RebuiltFrom + "the labels on the platform"

// survey is what the platforms of an app say, beside what is recorded.
type survey struct {
	changes []state.Record // as they should be recorded, and are not
	found   map[string]component.Target[component.Deployment]
	holders map[string]string // the platform of each deployment that was found
	asked   map[string]bool   // the platforms that answered
	silent  map[string]error  // why the others did not
	gaps    []string          // what nobody can tell, in clauses
}

// heal completes what is recorded of an app where a record was lost: what its
// Deployments on GitHub tell is no more than that something was deployed. The
// platforms say what of it exists, and what else does that carries our labels.
// Nothing is destroyed by that. It runs under the app's lock, once, and asks
// nobody where nothing was lost.
//
// An error is one of the state's. That a platform cannot be asked is a gap, for
// the verb to decide about.
func (r *run) heal(ctx context.Context) error {
	if r.healed || !r.lossy() {
		return nil
	}
	r.healed = true
	s := r.survey(ctx)
	r.gaps, r.silent = s.gaps, s.silent
	// All that was rebuilt goes into the state together: a deployment that is
	// recorded is not rebuilt again, nor what its Deployment told besides.
	for _, record := range r.history {
		if state.Rebuilt(record) && !slices.ContainsFunc(s.changes, func(c state.Record) bool { return c.ID == record.ID }) {
			s.changes = append(s.changes, record)
		}
	}
	for _, record := range s.changes {
		if err := r.Store.Put(ctx, record); err != nil {
			return fmt.Errorf("recording what was found of app %q: %w", r.app.Name, err)
		}
	}
	r.history = state.Merge(r.history, s.changes)
	return nil
}

// look is heal for verbs that only look: nothing is recorded.
func (r *run) look(ctx context.Context) {
	if r.lossy() {
		s := r.survey(ctx)
		r.gaps, r.history = s.gaps, state.Merge(r.history, s.changes)
	}
}

// whole heals, and refuses where something of the app may exist that nobody can
// tell of: what is removed then could be the wrong thing, and what is left would
// be forgotten.
func (r *run) whole(ctx context.Context) error {
	if err := r.heal(ctx); err != nil || len(r.gaps) == 0 {
		return err
	}
	return invalid(fmt.Sprintf("The state of app %q in workspace %q is incomplete", r.app.Name, r.Workspace), fmt.Sprintf(
		"It was lost, and could not be made again as a whole: %s. `state recover` shows what is known. "+
			"Mend what keeps the platform from being asked, or, where you know that a deployment is gone, "+
			"say so with `state recover --gone ID --yes`. A Deployment on GitHub that nothing stands behind can be deleted there. Nothing was destroyed.",
		strings.Join(r.gaps, "; ")))
}

// lossy reports whether something of the app is known to be missing from its
// records.
func (r *run) lossy() bool {
	return r.outlived() || r.Incomplete != nil && r.Incomplete(r.app.Name) || slices.ContainsFunc(r.history.deployments(), bare)
}

// outlived reports whether what is recorded of the app may be over, because the
// newest records are lost.
func (r *run) outlived() bool { return r.Lost != nil && r.Lost(r.app.Name) }

// bare reports whether the record of a deployment was rebuilt by what GitHub was
// told, which does not say what the platform made. What is unfinished is healed
// as any other.
func bare(record state.Record) bool {
	return state.Rebuilt(record) && len(record.Result) == 0 && !unfinished(record)
}

// survey asks the platforms of the deployments, and that of the file, what they
// hold of the app.
func (r *run) survey(ctx context.Context) survey {
	s := survey{
		found: map[string]component.Target[component.Deployment]{}, holders: map[string]string{},
		asked: map[string]bool{}, silent: map[string]error{},
	}
	for _, record := range r.lastOfEachPlatform() {
		targets, err := r.holds(ctx, record)
		if err != nil && r.awaits(record.Plugin) {
			s.silent[record.Plugin] = err
		}
		if err != nil {
			continue
		}
		s.asked[record.Plugin] = true
		for _, target := range targets {
			s.found[target.ID], s.holders[target.ID] = target, record.Plugin
		}
	}
	r.complete(&s)
	r.forget(ctx, &s)
	r.discover(&s)
	if r.Incomplete != nil && r.Incomplete(r.app.Name) && (len(s.silent) > 0 || len(s.asked) == 0) {
		s.gaps = append(s.gaps, "GitHub has Deployments of it that no record tells of"+s.reasons())
	}
	return s
}

// awaits reports whether something of the app may be on a platform: it is that
// of the file, or a deployment that was not destroyed is on it.
func (r *run) awaits(plugin string) bool {
	return plugin == r.plugins[stageDeploy].Name || slices.ContainsFunc(r.history.deployments(), func(d state.Record) bool { return d.Plugin == plugin })
}

// holds asks one platform, that of a recorded deployment.
func (r *run) holds(ctx context.Context, record state.Record) ([]component.Target[component.Deployment], error) {
	platform, done, err := r.platformOf(record)
	if err != nil {
		return nil, err
	}
	defer done()
	found, err := platform.Find(ctx, r.app.App)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil, fmt.Errorf("platform %q cannot be asked what it holds: %w", record.Plugin, err)
	}
	return found, err
}

// complete gives the deployments that were rebuilt what their platforms show of
// them. What a platform does not show is gone, unless it shows nothing though
// users should be served by it: then it is more likely the wrong account.
func (r *run) complete(s *survey) {
	released, _ := r.history.released()
	for _, record := range r.history.deployments() {
		target, found := s.found[record.Deployment]
		switch {
		case !bare(record):
		case found:
			op := operation{record: record}
			if err := op.keep(target.Deployment); err != nil {
				s.gaps = append(s.gaps, fmt.Sprintf("deployment %s cannot be recorded (%v)", record.Deployment, err))
				continue
			}
			op.record.Plugin, op.record.URL = s.holders[record.Deployment], target.Deployment.URL()
			// Of two copies the later end wins: it is after that of this copy,
			// which has none mostly, and before that of the true record.
			op.record.Ended = record.Ended.Add(time.Millisecond)
			if record.Ended.IsZero() {
				op.record.Ended = record.Started
			}
			s.changes = append(s.changes, op.record)
		case !s.asked[record.Plugin]:
			s.gaps = append(s.gaps, fmt.Sprintf("deployment %d (%s) may exist%s", record.Sequence, record.Deployment, s.reasons(record.Plugin)))
		case released.Deployment != "" && !s.holdsAny(record.Plugin) && state.Rebuilt(released):
			s.gaps = append(s.gaps, fmt.Sprintf("platform %q shows nothing of this app, though deployment %s was released: it may be asked in the wrong place",
				record.Plugin, released.Deployment))
			return
		default:
			s.changes = append(s.changes, lost(record, r.Now()))
		}
	}
}

// forget ends what is recorded, and gone since by records that are lost: what
// stood by itself, and what its platform does not show, neither the place of
// today nor that of its record, though it shows others.
func (r *run) forget(ctx context.Context, s *survey) {
	if !r.outlived() {
		return
	}
	for _, record := range r.history.deployments() {
		_, found := s.found[record.Deployment]
		if found || record.Status != state.Succeeded || len(record.Result) == 0 || !s.holdsAny(record.Plugin) || r.generation(record) != "" {
			continue
		}
		if _, there, err := r.held(ctx, record); err == nil && !there {
			s.changes = append(s.changes, lost(record, r.Now()))
		}
	}
}

// lost is the record of a deployment that its platform does not show any more.
func lost(record state.Record, now time.Time) state.Record {
	record.Status, record.Ended = state.Destroyed, now.UTC()
	return record
}

// holdsAny reports whether a platform showed anything.
func (s *survey) holdsAny(plugin string) bool {
	for _, holder := range s.holders {
		if holder == plugin {
			return true
		}
	}
	return false
}

// reasons says why platforms did not answer: the named ones, or all.
func (s *survey) reasons(plugins ...string) string {
	var reasons []string
	for plugin, err := range s.silent {
		if len(plugins) == 0 || slices.Contains(plugins, plugin) {
			reasons = append(reasons, firstLine(err))
		}
	}
	if len(reasons) == 0 {
		return ""
	}
	slices.Sort(reasons)
	return " (" + strings.Join(reasons, "; ") + ")"
}

// discover makes records of what the platforms hold that nothing is recorded of.
// The labels tell its place among the others. That it succeeded means here that
// nothing removes it before its time.
func (r *run) discover(s *survey) {
	for id, target := range s.found {
		if len(r.history.attempts(id)) > 0 || target.Deployment == nil {
			continue
		}
		at := r.placed(target.Sequence)
		op := operation{record: state.Record{
			Schema: state.Schema, ID: "found-" + id, Operation: stageDeploy, Status: state.Succeeded,
			Project: r.app.Project, App: r.app.Name, Workspace: r.app.Workspace, Plugin: s.holders[id],
			Sequence: target.Sequence, Deployment: id, URL: target.Deployment.URL(), Message: messageFound, Started: at, Ended: at,
		}}
		if err := op.keep(target.Deployment); err != nil {
			s.gaps = append(s.gaps, fmt.Sprintf("deployment %s cannot be recorded (%v)", id, err))
			continue
		}
		s.changes = append(s.changes, op.record)
	}
}

// placed returns a time for a deployment of that sequence: right after those
// with lower ones, or before all.
func (r *run) placed(sequence int) time.Time {
	at, first := time.Time{}, r.Now().UTC()
	for _, record := range r.history {
		if record.Operation != stageDeploy {
			continue
		}
		if record.Started.Before(first) {
			first = record.Started
		}
		if record.Sequence < sequence && record.Started.After(at) {
			at = record.Started
		}
	}
	if at.IsZero() {
		return first.Add(-time.Millisecond)
	}
	return at.Add(time.Millisecond)
}
