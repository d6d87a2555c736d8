package runstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/state/claim"
)

// recent is the answer to what the newest Deployments of a key are.
type recent struct {
	page   claim.Page
	handed bool // by a job before this one
	err    error
}

// compare looks at the newest Deployments of k. What they tell of and v lacks
// is looked for in their runs, and rebuilt where it is lost.
func (s *Store) compare(ctx context.Context, k key, v *view, told recent) error {
	err := told.err
	if err == nil {
		err = s.compareAll(ctx, k, v, told.page)
	}
	if _, refused := errors.AsType[*github.PermissionError](err); refused && (s.options.NoIntents || v.kept) {
		err = s.askFormer(ctx, k, v, claim.Page{}) // then runs like this one make no Deployments, and upload instead
	}
	return err
}

// askFormer asks the runs that had the lock before for what they have left.
func (s *Store) askFormer(ctx context.Context, k key, v *view, page claim.Page) error {
	if places, uploads := s.place.(*artifacts); uploads {
		return places.askFormer(ctx, k, v, page)
	}
	return nil
}

// hasNews reports whether GitHub was told of deployments that v knows nothing of.
func (s *Store) hasNews(ctx context.Context, k key, v *view) (bool, error) {
	page, _, err := s.recent(ctx, k)
	if err != nil {
		return false, err
	}
	return len(s.missing(v, page.Intents, s.early)) > 0, nil
}

func (s *Store) compareAll(ctx context.Context, k key, v *view, page claim.Page) error {
	for _, i := range page.Intents {
		s.told[i.Deployment] = i.ID
	}
	before := v.records
	if err := s.askFormer(ctx, k, v, page); err != nil {
		return err
	}
	if err := s.place.search(ctx, k, v, s.missing(v, page.Intents, s.early)); err != nil {
		return err
	}
	if found(before, v.records) {
		v.renewal = time.Now() // later runs need not look as far
	}
	doubted := s.unfinished
	if v.lost {
		s.explainOlder(k, v)
		doubted = func(r state.Record) bool { return r.Status == state.Succeeded || s.unfinished(r) }
	}
	if err := s.rebuild(ctx, k, v, s.missing(v, page.Intents, doubted)); err != nil {
		return err
	}
	v.incomplete = page.Unreadable > 0 || !v.kept && page.Full
	if v.kept {
		return nil
	}
	return s.explainLoss(k, v, page)
}

// late is how long the run of a deployment that was rebuilt may go on to upload
// what it knows itself: a job on GitHub's own machines ends within six hours, and
// lists lag.
const late = 24 * time.Hour

// missing returns the intents whose deployments no record is about, but for
// records that are doubted: there may be more to learn of these.
//
// Nothing is learned of a record, or of one that was trimmed, by a Deployment
// that was not made for it.
func (s *Store) missing(v *view, intents []claim.Intent, doubted func(state.Record) bool) []claim.Intent {
	certain, begun, of := map[string]bool{}, map[string]bool{}, map[string]string{}
	for _, r := range state.Merge(s.journal.Records(), v.records) {
		if r.Operation == operationDeploy {
			begun[r.Deployment] = true
			certain[r.Deployment] = certain[r.Deployment] || !doubted(r)
		}
		of[r.ID] = r.Deployment
	}
	var missing []claim.Intent
	for _, i := range intents {
		deployment, recorded := of[i.Record]
		switch {
		case certain[i.Deployment], v.header.Trimmed.Has(i.Told()):
		case recorded == begun[i.Deployment] && (!recorded || deployment == i.Deployment):
			missing = append(missing, i)
		}
	}
	return missing
}

// found reports whether a record that was rebuilt before is now what its run has
// written.
func found(before, now []state.Record) bool {
	lost := map[string]bool{}
	for _, r := range before {
		lost[r.ID] = state.Rebuilt(r)
	}
	return slices.ContainsFunc(now, func(r state.Record) bool { return lost[r.ID] && !state.Rebuilt(r) })
}

// unfinished reports whether r is of a deploy that a later attempt may have
// ended. What this attempt does is its own business.
func (s *Store) unfinished(r state.Record) bool {
	run := s.options.Run
	return (r.Status == state.Running || r.Status == state.Interrupted) &&
		(run.RunID == 0 || r.Origin.Run != run.RunID || r.Origin.Attempt != run.Attempt)
}

// early reports whether the run of a deploy may have uploaded more of it than r,
// which is unfinished, or was rebuilt and is not old.
func (s *Store) early(r state.Record) bool {
	return s.unfinished(r) || state.Rebuilt(r) && time.Since(r.Started) < late
}

// recorded returns what the journal and v hold of k.
func (s *Store) recorded(k key, v *view) []state.Record {
	ours := slices.DeleteFunc(s.journal.Records(), func(r state.Record) bool { return keyOf(r) != k })
	return state.Merge(ours, v.records)
}

// nothing is doubted.
func nothing(state.Record) bool { return false }

// rebuild adds what Deployments tell to v, if their runs are believed.
func (s *Store) rebuild(ctx context.Context, k key, v *view, missing []claim.Intent) error {
	var believed []claim.Intent
	for _, i := range missing {
		trusted, err := s.trust.vouched(ctx, k, i)
		if err != nil {
			return err
		}
		if trusted {
			believed = append(believed, i)
		}
	}
	var err error
	v.rebuilt, err = s.intents.Rebuild(ctx, believed, s.recorded(k, v))
	return err
}

// explainLoss tells users that no file is left, unless there never was one.
// It refuses a state of which nothing is left that can be believed.
func (s *Store) explainLoss(k key, v *view, page claim.Page) error {
	switch {
	case len(v.rebuilt) > 0 && v.explained:
	case len(v.rebuilt) > 0:
		v.explained = true
		s.options.Warn(fmt.Sprintf("No state of app %q in workspace %q is left. What is deployed was found again by %d Deployments of this repository; "+
			"what is released is known as far as their statuses tell. `state recover` shows it.", k.app, k.workspace, deploys(v.rebuilt)))
	case len(s.missing(v, page.Intents, nothing))+page.Unreadable > 0:
		return errUnknownDeployments
	}
	return nil
}

// explainOlder tells users, once, that what is left is not the newest state.
func (s *Store) explainOlder(k key, v *view) {
	if !v.kept || v.explained {
		return
	}
	v.explained = true
	s.options.Warn(fmt.Sprintf("The newest state of app %q in workspace %q was deleted or has expired. What happened after the one before it is known "+
		"as far as the Deployments of this repository and the platforms tell.", k.app, k.workspace))
}

// deploys counts the deployments among records.
func deploys(records []state.Record) (count int) {
	for _, r := range records {
		if r.Operation == operationDeploy {
			count++
		}
	}
	return count
}

// Rebuilt returns the records of an app that no artifact holds: they were made
// again from its Deployments. It speaks of what was listed before.
func (s *Store) Rebuilt(app string) []state.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	var rebuilt [][]state.Record
	for k, v := range s.views {
		if k.app == app {
			rebuilt = append(rebuilt, v.rebuilt)
		}
	}
	return state.Merge(rebuilt...)
}

// Lost reports whether the newest records of an app are known to be lost, so that
// what is left may be over. It speaks of what was listed before.
func (s *Store) Lost(app string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, v := range s.views {
		if k.app == app && v.lost {
			return true
		}
	}
	return false
}

// Incomplete reports whether GitHub knows of deployments of an app that no
// record tells of. Then nobody can say what to remove. It speaks of what was
// listed before.
func (s *Store) Incomplete(app string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, v := range s.views {
		if k.app == app && v.incomplete {
			return true
		}
	}
	return false
}
