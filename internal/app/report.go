package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/engine"
	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/report"
)

var _ engine.Reporter = explained{}

// How long ending the statuses may take. A job that was cancelled gives ten
// seconds in all, and the state goes first.
const (
	settleTime = time.Minute
)

// intents is a store that leaves a GitHub Deployment before each deploy.
type intents interface {
	Intent(deployment string) (id int64, found bool)
}

// reporter makes what tells GitHub about the run, as far as the inputs want it.
func (m *machine) reporter(o report.Options) (*report.Reporter, error) {
	statuses, err := m.wants("statuses")
	if err != nil {
		return nil, err
	}
	deployments, err := m.wants("deployments")
	if err != nil {
		return nil, err
	}
	o.Run, o.NoStatuses = m.runner.Context(), !statuses
	if keeper, ok := o.Store.(intents); ok && deployments {
		o.Intent = keeper.Intent
	}
	return report.New(o), nil
}

// wants reads an input that is on unless it says false.
func (m *machine) wants(input string) (bool, error) {
	switch value := m.runner.Input(input); value {
	case "", "true":
		return true, nil
	case "false":
		return false, nil
	default:
		return false, invalid(fmt.Sprintf("Invalid input `%s`", input), fmt.Sprintf("It is %q; it takes true or false.", value))
	}
}

// reportTo makes the engine report to GitHub.
func (s *session) reportTo(client *github.Client, spare func() bool) error {
	reporter, err := s.machine.reporter(report.Options{Client: client, Store: s.engine.Store, Secrets: s.secrets, Spare: spare})
	if err != nil {
		return err
	}
	s.engine.Reporter = guardedReporter{explained{reporter, s.ui}, s.machine}
	s.reporter = reporter
	return nil
}

// settle ends what is reported as pending, and sees to the rest.
func (s *session) settle(ctx context.Context, well bool) {
	if s.reporter == nil {
		return
	}
	ctx, cancel := s.machine.ending.lasting(ctx, settleTime, 0)
	defer cancel()
	for _, r := range s.results {
		if r.Outcome == engine.Outdated && r.Failure == nil {
			s.reporter.Outdated(s.project.Name(), r.App, r.Workspace, r.Outdated)
		}
	}
	err := s.reporter.Settle(ctx, well)
	if err != nil {
		s.machine.runner.Warning(fmt.Sprintf("Statuses may still say pending: %v", err))
	}
	// What GitHub has refused it would refuse again.
	if err := s.machine.leaveUntold(well, !errors.Is(err, context.DeadlineExceeded), s.secrets); err != nil {
		s.machine.runner.Warning(fmt.Sprintf("Statuses that say pending stay so: %v", err))
	}
	finish := s.machine.leaveChanges
	if !s.machine.hasPost() {
		finish = func(left []report.Change) error { return s.reporter.Finish(ctx, left) }
	}
	if err := finish(s.reporter.Left()); err != nil && tokenProblem(err) == nil { // who may not look made none
		s.machine.runner.Warning(fmt.Sprintf("The list of Deployments may show an earlier one as active: %v", err))
	}
}

// summarize writes the page of the run, where there is one.
func (s *session) summarize(verb string, err error) {
	if !s.machine.runner.Active() {
		return
	}
	run := s.machine.runner.Context()
	page := report.Run{
		Verb: verb, Secrets: s.secrets, Root: s.machine.runner.Root, Apps: apps(s.results), Commit: run.HeadSHA, Repository: run.ServerURL + "/" + run.Repository,
	}
	if s.engine != nil {
		page.Workspace = s.engine.Workspace
		page.Notes = sources(s.engine.ValuesRead())
	}
	for _, e := range flatten(err) {
		_, shown := errors.AsType[*engine.Failure](e)
		if invalid, ok := errors.AsType[*engine.InvalidError](e); ok && !shown {
			page.Problems = append(page.Problems, invalid.Diags...)
		}
	}
	if s.reporter != nil {
		page.Environment = s.reporter.Environment()
		page.Notes = append(page.Notes, droppedNote(s.reporter.Dropped())...)
	}
	if s.uncommented > 0 {
		page.Notes = append(page.Notes, fmt.Sprintf("Comments that could not be brought up to date: %d", s.uncommented))
	}
	if len(page.Apps) > 0 || len(page.Problems) > 0 {
		s.ui.Summary(report.Summary(page))
	}
}

// droppedNote counts what GitHub was not told, if there is any.
func droppedNote(dropped int) []string {
	if dropped == 0 {
		return nil
	}
	return []string{fmt.Sprintf("Statuses of the commit or of Deployments that could not be set: %d", dropped)}
}

// sources says how many values were read from where.
func sources(values map[string]int) []string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		lines = append(lines, fmt.Sprintf("Values read from the source %s: %d", name, values[name]))
	}
	return lines
}

// apps turns results into what the page shows.
func apps(results []engine.Result) []report.App {
	shown := make([]report.App, len(results))
	for i, r := range results {
		shown[i] = report.App{
			Name: title(r, results), Outcome: string(r.Outcome), URL: r.URL, Image: r.Image, Deployment: r.Deployment, Sequence: r.Sequence,
			Plan: r.Plan, Records: r.Records, Notes: r.Notes,
		}
		for _, share := range r.Shares {
			shown[i].Shares = append(shown[i].Shares, report.Share(share))
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
