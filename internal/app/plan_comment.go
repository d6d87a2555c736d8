package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/deploy-action/deploy-action/internal/engine"
	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/report"
)

// showPlan shows what up would change, also below the pull request that the
// event is about.
func showPlan(ctx context.Context, s *session, f *flags, args []string) error {
	err := operate((*engine.Engine).Plan)(ctx, s, f, args)
	if ctx.Err() == nil {
		s.tellPlans(ctx, err != nil)
	}
	return err
}

// planFailed tells that there is no plan, since the file or the state is not as
// it should be. A comment about an earlier commit would look as if it were.
func planFailed(ctx context.Context, s *session) { s.tellPlans(ctx, true) }

// tellPlans tells plans where people review what they are about: by statuses of
// the commit, and in the comment of the pull request. Only this run's comment
// has them in full. Whoever writes it later finds the statuses, which are about
// the commit, so that a plan goes with it.
func (s *session) tellPlans(ctx context.Context, failed bool) {
	run := s.machine.runner.Context()
	if !s.machine.runner.Active() || run.PullRequest == nil || s.project.Name() == "" {
		return
	}
	if run.PullRequest.Fork && run.Event == "pull_request" {
		s.notice("The plan is on the page of the run alone: the token of a run for a fork's pull request cannot comment.")
		return
	}
	plans := s.plansOf(failed)
	if s.reporter != nil {
		for _, p := range plans {
			if err := s.reporter.Planned(ctx, s.project.Name(), p); err != nil {
				s.warning(fmt.Sprintf("The plan of %s is no status of the commit: %v.", p.App, err))
			}
		}
	}
	client, err := s.repository()
	if err != nil {
		s.warning(fmt.Sprintf("The plan is not commented: %v.", err))
		return
	}
	c := s.newComment(client, run.PullRequest.Number, run.HeadSHA)
	c.about(s.project.Name())
	c.plans = plans
	c.write(ctx, len(plans) > 0)
}

// plansOf turns the results of a plan, or that there are none, into what people
// are told.
func (s *session) plansOf(failed bool) []report.Plan {
	run := s.machine.runner.Context()
	var plans []report.Plan
	for _, r := range s.results {
		p := report.Plan{App: r.App, Workspace: r.Workspace, RunURL: run.RunURL(), Text: report.PlanText(r.Plan), Whole: r.Plan}
		if f := r.Failure; f != nil {
			p.Failed, p.Text = true, "the plan failed"
			if len(f.Diags) > 0 {
				p.Text += ": " + f.Diags[0].Summary
			}
		}
		plans = append(plans, p)
	}
	if len(plans) > 0 || !failed || s.engine == nil {
		return plans
	}
	for _, app := range s.project.Apps() {
		plans = append(plans, report.Plan{
			App: app, Workspace: s.engine.Workspace, RunURL: run.RunURL(), Failed: true, Text: "the plan failed; the run says why",
		})
	}
	return plans
}

// planned returns the plans to show: those of this run, and those that the
// statuses of the commit tell of. Without a permission to read these there are
// none.
func (c *comment) planned(ctx context.Context) ([]report.Plan, error) {
	if c.head == "" {
		return c.plans, nil
	}
	read, err := report.Plans(ctx, c.client, c.project, c.head)
	if _, refused := errors.AsType[*github.PermissionError](err); refused {
		err = nil
	}
	return report.MergePlans(read, c.plans), err
}
