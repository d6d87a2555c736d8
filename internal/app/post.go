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

// post is the post step: it makes durable what the main step could not, and
// ends what that reported as pending. It finds its work in the journal.
func (m *machine) post(ctx context.Context) error {
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
	err = errors.Join(flush(ctx, store), release(ctx, store.Release))
	if told := m.tellTheRest(ctx, o.Client, store, left, o.Secrets); told != nil {
		m.runner.Warning(fmt.Sprintf("Commits and Deployments may show what is not so any more: %v", told))
	}
	return errors.Join(err, store.Close())
}

// tellTheRest tells what became of records that a step left in the journal,
// and changes those Deployments that it had no time for. Short of a release,
// what nothing followed was interrupted.
func (m *machine) tellTheRest(ctx context.Context, client *github.Client, store state.Store, left []state.Record, known *secret.Set) error {
	reporter, err := m.reporter(report.Options{Client: client, Store: store, Secrets: known, Late: true})
	if err != nil {
		return err
	}
	var errs []error
	for _, r := range slices.Backward(left) { // the newest is the first
		if r.Status == state.Running {
			r.Status = state.Interrupted
		}
		errs = append(errs, reporter.Report(ctx, r))
	}
	errs = append(errs, reporter.Settle(ctx, false))
	changes, err := m.takeChanges()
	changes = append(changes, reporter.Left()...)
	return errors.Join(append(errs, err, reporter.Finish(ctx, changes))...)
}
