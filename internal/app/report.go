package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/engine"
	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/report"
	"github.com/deploy-action/deploy-action/internal/workflow"
)

var _ engine.Reporter = (*report.Reporter)(nil)

// settleTime is how long ending the statuses may take: a job that was cancelled
// gives ten seconds in all, and the state goes first.
const settleTime = 2 * time.Second

// reportTo makes the engine set commit statuses.
func (s *session) reportTo(client *github.Client, run workflow.Context) {
	reporter := report.New(report.Options{Client: client, Run: run, Secrets: s.secrets})
	s.engine.Reporter = reporter
	s.dropped = reporter.Dropped
	s.settle = func(ctx context.Context, well bool) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
		defer cancel()
		if err := reporter.Settle(ctx, well); err != nil {
			s.machine.runner.Warning(fmt.Sprintf("Commit statuses may still say pending: %v", err))
		}
	}
}

// summarize writes the page of the run, where there is one.
func (s *session) summarize(verb string, err error) {
	if !s.machine.runner.Active() {
		return
	}
	page := report.Run{Verb: verb, Root: s.machine.runner.Root, Apps: apps(s.results)}
	if s.engine != nil {
		page.Workspace = s.engine.Workspace
	}
	for _, e := range flatten(err) {
		_, shown := errors.AsType[*engine.Failure](e)
		if invalid, ok := errors.AsType[*engine.InvalidError](e); ok && !shown {
			page.Problems = append(page.Problems, invalid.Diags...)
		}
	}
	if s.dropped != nil && s.dropped() > 0 {
		page.Notes = append(page.Notes, fmt.Sprintf("Commit statuses that could not be set: %d", s.dropped()))
	}
	if len(page.Apps) > 0 || len(page.Problems) > 0 {
		s.ui.Summary(report.Summary(page))
	}
}

// apps turns results into what the page shows.
func apps(results []engine.Result) []report.App {
	shown := make([]report.App, len(results))
	for i, r := range results {
		shown[i] = report.App{
			Name: title(r, results), Outcome: string(r.Outcome), URL: r.URL, Image: r.Image, Plan: r.Plan, Records: r.Records,
		}
		if f := r.Failure; f != nil {
			shown[i].Failure = &report.Failure{
				Stage: f.Stage, Cause: f.Diags, Serving: f.Serving, Left: f.Left, Next: f.Next, Logs: f.Logs,
			}
		}
	}
	return shown
}

// invalid makes an error about the call or the configuration that points at no
// file.
func invalid(summary, detail string) error {
	return &engine.InvalidError{Diags: hcl.Diagnostics{{Severity: hcl.DiagError, Summary: summary, Detail: detail}}}
}
