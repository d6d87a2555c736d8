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
	_, refused := errors.AsType[*github.PermissionError](err)
	places, uploads := s.place.(*artifacts)
	switch {
	case refused && (s.options.NoIntents || v.kept):
		err = nil // then runs like this one make no Deployments, and upload instead
	case err != nil, !s.options.NoIntents:
		return err
	}
	if uploads {
		err = places.askFormer(ctx, k, v)
	}
	return err
}

// former returns the runs that had the lock of k before this job.
func (s *Store) former(k key) []int64 { return s.locker.Former(k.claim()) }

// hasNews reports whether GitHub was told of deployments that v knows nothing of.
func (s *Store) hasNews(ctx context.Context, k key, v *view) (bool, error) {
	page, _, err := s.recent(ctx, k)
	if err != nil {
		return false, err
	}
	return len(s.missing(v, page.Intents, true)) > 0, nil
}

func (s *Store) compareAll(ctx context.Context, k key, v *view, page claim.Page) error {
	for _, i := range page.Intents {
		s.told[i.Deployment] = i.ID
	}
	before := v.records
	if err := s.place.search(ctx, k, v, s.missing(v, page.Intents, true)); err != nil {
		return err
	}
	if found(before, v.records) {
		v.renewal = time.Now() // later runs need not look as far
	}
	if err := s.rebuild(ctx, k, v, s.missing(v, page.Intents, false)); err != nil {
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

// missing returns the intents whose deployments no record is about. In doubt, a
// record counts for nothing that somebody has made of a Deployment, and that
// does not tell how the deploy ended or is not old: its run may have uploaded
// more since.
func (s *Store) missing(v *view, intents []claim.Intent, doubting bool) []claim.Intent {
	deployments, records := map[string]bool{}, map[string]bool{}
	for _, r := range state.Merge(s.journal.Records(), v.records) {
		if doubting && state.Rebuilt(r) && (r.Status == state.Running || time.Since(r.Started) < late) {
			continue
		}
		deployments[r.Deployment], records[r.ID] = true, true
	}
	var missing []claim.Intent
	for _, i := range intents {
		// A record that is known, or was trimmed, is never changed by what a
		// Deployment says.
		if !deployments[i.Deployment] && !records[i.Record] && !v.header.Trimmed.Has(i.Told()) {
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
	v.rebuilt, err = s.intents.Rebuild(ctx, believed, v.records)
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
	case len(s.missing(v, page.Intents, false))+page.Unreadable > 0:
		return errUnknownDeployments
	}
	return nil
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
