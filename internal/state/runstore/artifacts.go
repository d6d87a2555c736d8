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
	"github.com/deploy-action/deploy-action/internal/workflow"
)

const (
	// mostUploads is how many artifacts one run can have for one key. A job
	// may have 500 in all.
	mostUploads = 500

	// mostAsked bounds how many runs are asked for what a list did not show.
	// Lists lag by seconds, so only the newest runs can have more than they
	// show.
	mostAsked = 5

	// readingTime is how long looking for what others uploaded may hold up an
	// upload.
	readingTime = time.Minute
)

// artifacts is the place in workflow artifacts: one for each upload of a run.
type artifacts struct {
	client  *github.Client
	service *github.Service // nil where there is none: then write fails
	run     workflow.Context
	trust   *trust
	handed  *handed
	locker  *claim.Locker
}

var _ place = (*artifacts)(nil)

// read reads what this run and earlier ones have uploaded.
func (p *artifacts) read(ctx context.Context, k key, v *view) error {
	if err := p.readRun(ctx, k, v); err != nil {
		return err
	}
	err := p.readRepository(ctx, k, v)
	if p.excused(v, err) {
		return nil
	}
	return err
}

// excused reports whether err is a refusal to look where a job before us was
// allowed to, which handed on what it saw.
func (p *artifacts) excused(v *view, err error) bool {
	_, refused := errors.AsType[*github.PermissionError](err)
	return refused && p.readByThisAttempt(v)
}

// readByThisAttempt reports whether v has a record of the present attempt. Then
// an earlier job of it has read the state, for without that it makes no record.
func (p *artifacts) readByThisAttempt(v *view) bool {
	return p.run.RunID != 0 && slices.ContainsFunc(v.records, func(r state.Record) bool {
		return r.Origin.Run == p.run.RunID && r.Origin.Attempt == p.run.Attempt
	})
}

// reread returns no error: readers merge whatever was uploaded. What this run
// has uploaded it looks at always, for the names that are taken.
func (p *artifacts) reread(ctx context.Context, k key, v *view, locked bool) error {
	limit := readingTime
	if end, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(end)/2) // leave time to write
	}
	reading, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	// What is found until an error is merged.
	if locked || p.handed.spares() {
		_ = p.readRun(reading, k, v) // other runs wait for the lock
		return nil
	}
	_ = p.read(reading, k, v)
	_ = p.askFormer(reading, k, v, claim.Page{})
	return nil
}

// askFormer asks the runs that had the lock before for what they have left, if
// they were not asked. Nothing else names a run that made no Deployment and whose
// uploads no list shows by the plain name, as after a second attempt or an upload
// that broke off and was repeated. Who has no lock learns of them by the tickets
// on a page of Deployments.
func (p *artifacts) askFormer(ctx context.Context, k key, v *view, page claim.Page) error {
	runs := slices.Clone(p.locker.Former(k.claim()))
	for _, left := range page.Left {
		if !v.merged[left.Kept] {
			runs = append(runs, left.Run)
		}
	}
	var former []claim.Intent
	for _, run := range runs {
		if !v.asked[run] {
			former = append(former, claim.Intent{Payload: claim.Payload{Run: run}})
		}
	}
	err := p.search(ctx, k, v, former)
	if err == nil {
		err = p.askKept(ctx, k, v, page)
	}
	if p.excused(v, err) {
		return nil
	}
	return err
}

// askKept asks for the newest artifact that there is known to have been, where
// nothing that was read has its records. Where it was deleted, what is left may be
// over: no list shows that there was one.
func (p *artifacts) askKept(ctx context.Context, k key, v *view, page claim.Page) error {
	kept, err := p.lacking(ctx, k, v, page)
	if err != nil || kept == 0 || v.lost {
		return err
	}
	a, err := p.client.Artifact(ctx, kept)
	if err == nil && k.names(a.Name) && !a.Foreign() && !a.Expired {
		err = p.readOf(ctx, k, v, claim.Intent{Payload: claim.Payload{Run: a.Run}}, []github.Artifact{a})
	}
	if errors.Is(err, github.ErrGone) || a.Expired {
		v.lost = true
		return nil
	}
	if len(v.merged) > 0 && unbelievable(err) {
		return nil // as if it were listed behind one that is believed
	}
	return err
}

// lacking returns the newest artifact that the runs before are known to have
// uploaded, if nothing that was read has its records, or else 0. A lock tells of it
// until the next upload; a page goes on telling, so that what is older than one
// that was read is over: whoever made that has dealt with it.
func (p *artifacts) lacking(ctx context.Context, k key, v *view, page claim.Page) (id int64, err error) {
	id = p.locker.Kept(k.claim())
	if read := v.latest(); read > 0 {
		for _, left := range page.Left {
			if left.Kept > read {
				id = max(id, left.Kept)
			}
		}
		if len(page.Intents) > 0 && page.Intents[0].Newest > max(id, read) {
			believed, err := p.trust.vouched(ctx, k, page.Intents[0])
			if err != nil {
				return 0, err
			}
			if believed {
				id = page.Intents[0].Newest
			}
		}
	}
	if v.merged[id] {
		return 0, nil
	}
	return id, nil
}

// search asks the newest runs of intents for what they have uploaded.
func (p *artifacts) search(ctx context.Context, k key, v *view, missing []claim.Intent) error {
	asked := map[int64]bool{}
	for _, i := range missing {
		if i.Run == p.run.RunID || asked[i.Run] || len(asked) == mostAsked {
			continue // our own run has told everything
		}
		asked[i.Run] = true
		if err := p.askRun(ctx, k, v, i); err != nil && (len(v.merged) == 0 || !unbelievable(err)) {
			return err
		}
	}
	return nil
}

// askRun reads what the run of an intent has uploaded, if it is believed. Of most
// there is nothing, and then nobody asks whether to believe them.
func (p *artifacts) askRun(ctx context.Context, k key, v *view, i claim.Intent) error {
	found, err := p.uploadsOf(ctx, k, i.Run)
	if err == nil && len(found) > 0 {
		err = p.readOf(ctx, k, v, i, found)
	}
	if errors.Is(err, github.ErrNotFound) || errors.Is(err, github.ErrGone) {
		return nil // the run was deleted, or its artifacts have expired
	}
	return err
}

// readOf reads what the run of an intent has uploaded, if it is believed.
func (p *artifacts) readOf(ctx context.Context, k key, v *view, i claim.Intent, found []github.Artifact) error {
	trusted, err := p.trust.vouched(ctx, k, i)
	if err != nil || !trusted {
		return err
	}
	return p.readAll(ctx, v, found)
}

// write takes the first name that the run does not have yet. Another job of the
// run may take it at the same time, and another attempt has before.
func (p *artifacts) write(ctx context.Context, k key, v *view, content []byte) error {
	if p.service == nil {
		return github.ErrNoService
	}
	for number := 1; number <= mostUploads; number++ {
		name := k.name(number)
		if v.taken[name] {
			continue
		}
		if number > 1 {
			p.locker.Uploading(ctx, k.claim(), true)
		}
		id, err := p.service.Upload(ctx, name, file, content)
		if errors.Is(err, github.ErrNameTaken) {
			continue
		}
		if err == nil {
			v.uploaded, v.merged[id], v.renewal = id, true, time.Time{}
		}
		return err
	}
	return fmt.Errorf("the run has %d artifacts for it already", mostUploads)
}
