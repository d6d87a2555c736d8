package app

import (
	"context"
	"errors"
	"fmt"

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
	if m.getenv("ACTIONS_RESULTS_URL") == "" {
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
	run := m.runner.Context()
	store, err := m.artifacts(runstore.Options{Client: client, Service: service, Secrets: known, Run: run})
	if err != nil {
		return err
	}
	left := store.Pending()
	err = errors.Join(flush(ctx, store), store.Close())
	reporter := report.New(report.Options{Client: client, Run: run, Secrets: known})
	for _, r := range lastOfEachApp(left) {
		if reportErr := reporter.Report(ctx, r); reportErr != nil {
			m.runner.Warning(fmt.Sprintf("The commit status of app %q may still say pending: %v", r.App, reportErr))
		}
	}
	return err
}

// lastOfEachApp returns the newest of records, which are newest first, for each
// app and workspace. Nothing came after it, so short of a release it counts as
// interrupted.
func lastOfEachApp(records []state.Record) []state.Record {
	type place struct{ app, workspace string }
	seen := map[place]bool{}
	var last []state.Record
	for _, r := range records {
		at := place{r.App, r.Workspace}
		if seen[at] {
			continue
		}
		seen[at] = true
		if r.Status == state.Running || r.Status == state.Succeeded && r.Operation != "release" {
			r.Status = state.Interrupted
		}
		last = append(last, r)
	}
	return last
}
