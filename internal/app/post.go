package app

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/report"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/state/runstore"
)

// post is the post step: it makes durable what the main step could not, gives
// back its locks, and ends what it reported as pending. It finds its work in the
// journal and beside it.
func (m *machine) post(ctx context.Context) error {
	if err := m.putUpFence(); err != nil {
		m.runner.Warning(err.Error())
	}
	m.ending = newEnding(ctx)
	known := &secret.Set{Mask: m.runner.Mask}
	m.runner.Secrets = known
	m.takeInputs(known)
	onGit := m.leftOnGit()
	if m.getenv("ACTIONS_RESULTS_URL") == "" && !onGit {
		return nil
	}
	transport, err := m.client()
	if err != nil {
		return err
	}
	client, service, err := m.github(transport, known)
	if err != nil {
		return err
	}
	defer m.signOut(ctx)
	options := runstore.Options{Client: client, Service: service, Secrets: known, Run: m.runner.Context()}
	if service != nil {
		err = m.finish(ctx, options)
	}
	if options.Git = true; onGit {
		err = errors.Join(err, m.finish(ctx, options))
	}
	return err
}

// finish makes durable what is left in one journal, and then tells of it.
func (m *machine) finish(ctx context.Context, o runstore.Options) error {
	store, err := m.openStore(o)
	if err != nil {
		return err
	}
	left := store.Pending()
	err = m.ending.flush(ctx, store)
	if kept := m.ending.release(ctx, store.Release); kept != nil { // what was deployed is deployed
		m.runner.Warning(fmt.Sprintf("%v. The next run takes it over once this one has ended.", kept))
	}
	if told := m.tellTheRest(ctx, o.Client, store, left, o.Secrets); told != nil {
		m.runner.Warning(fmt.Sprintf("Commits and Deployments may show what is not so any more: %v", told))
	}
	return errors.Join(err, store.Close())
}

// tellTheRest tells what became of records that a step left in the journal, and
// what it had no time to tell, and changes those Deployments that it left.
func (m *machine) tellTheRest(ctx context.Context, client *github.Client, store state.Store, left []state.Record, known *secret.Set) error {
	untold, err := m.takeUntold()
	errs := []error{err}
	changes, err := m.takeChanges()
	errs = append(errs, err)
	released := changes
	records := map[bool][]state.Record{}
	for _, u := range untold {
		records[u.Well] = append(records[u.Well], u.Record)
	}
	slices.Reverse(left) // the newest is the first
	records[false] = append(records[false], left...)
	for _, well := range []bool{true, false} {
		reporter, err := m.reporter(report.Options{Client: client, Store: store, Secrets: known, Late: true})
		if err != nil {
			return err
		}
		errs = append(errs, tell(ctx, reporter, records[well], well))
		errs = append(errs, reporter.Finish(ctx, append(changes, reporter.Left()...)))
		changes = nil
		for _, note := range droppedNote(reporter.Dropped()) {
			errs = append(errs, m.runner.AppendSummary("- "+note+"\n"))
		}
	}
	m.noticeEnvironment(ctx, client, released)
	return errors.Join(errs...)
}

// tell tells of records of a step that ended well, or did not. Short of a
// release, what nothing followed was interrupted.
func tell(ctx context.Context, reporter *report.Reporter, records []state.Record, well bool) error {
	var errs []error
	for _, r := range records {
		if r.Status == state.Running {
			r.Status = state.Interrupted
		}
		errs = append(errs, reporter.Report(ctx, r))
	}
	return errors.Join(append(errs, reporter.Settle(ctx, well))...)
}
