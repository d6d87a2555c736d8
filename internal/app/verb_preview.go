package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/deploy-action/deploy-action/internal/engine"
	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/preview"
)

// pullRequest is one run of the verb preview.
type pullRequest struct {
	*session
	client   *github.Client
	flags    *flags
	event    preview.Event
	decision preview.Decision
	comment  *comment
}

// previewWork is what preview and sweep do, for what depends on the verb: they
// open file and state by themselves, and destroying works from records.
var previewWork = verb{use: "preview", changes: true, recalls: true}

// runPreview does what the event of a pull request asks for.
func runPreview(ctx context.Context, s *session, f *flags, _ []string) error {
	if f.session.workspace != "" {
		return invalid("A workspace for preview", fmt.Sprintf(
			"--workspace, or the input `workspace`, is %q. The workspace of a preview is that of its pull request; leave it out.", f.session.workspace))
	}
	p := &pullRequest{session: s, flags: f, event: s.machine.event()}
	if err := p.decide(); err != nil {
		return err
	}
	if p.decision.Course == preview.Skip {
		return p.skip()
	}
	var err error
	if p.client, err = s.repository(); err != nil {
		return err
	}
	if err := p.refresh(ctx); err != nil {
		return err
	}
	p.comment = s.newComment(p.client, p.event.Number, s.machine.runner.Context().HeadSHA)
	switch p.decision.Course {
	case preview.Skip:
		return p.skip()
	case preview.Destroy:
		return p.destroy(ctx)
	}
	return p.deploy(ctx)
}

// event is what the runner tells of the pull request.
func (m *machine) event() preview.Event {
	c := m.runner.Context()
	e := preview.Event{Name: c.Event, Action: c.Action, Actor: c.Actor}
	if pr := c.PullRequest; pr != nil {
		e.Number, e.Label, e.Labels = pr.Number, pr.Label, pr.Labels
		e.HeadRepository, e.Fork = pr.HeadRepo, pr.Fork
		e.Open, e.Draft = pr.State != "closed", pr.Draft
	}
	return e
}

// decide chooses the course that the event asks for.
func (p *pullRequest) decide() error {
	var err error
	if p.decision, err = preview.Decide(p.event); !errors.Is(err, preview.ErrNoPullRequest) {
		return err
	}
	if broken := p.machine.runner.Context().EventErr; broken != nil {
		return fmt.Errorf("previewing a pull request: %w", broken)
	}
	return invalid("No pull request to preview", fmt.Sprintf("The event is %q, and preview is for events of pull requests. Let the workflow start with\n"+
		"  on:\n    pull_request:\n      types: [opened, synchronize, reopened, ready_for_review, labeled, unlabeled, closed]\n"+
		"Elsewhere, `up --workspace pr-NUMBER` deploys a preview.", p.event.Name))
}

// refresh decides anew by how the pull request stands now: runs wait, and are
// run again. Who may not look goes by the event.
func (p *pullRequest) refresh(ctx context.Context) error {
	now, err := p.client.PullRequest(ctx, p.event.Number)
	if _, refused := errors.AsType[*github.PermissionError](err); refused {
		return nil
	}
	if err != nil {
		return err
	}
	p.event.Open, p.event.Draft, p.event.Labels = now.Open, now.Draft, now.Labels
	return p.decide()
}

// skip tells why there is nothing to do.
func (p *pullRequest) skip() error {
	p.notice(fmt.Sprintf("Pull request #%d gets no preview: %s.", p.event.Number, p.decision.Reason))
	return p.setOutcome(engine.Skipped)
}

// notice tells what is no problem but should be seen.
func (s *session) notice(text string) {
	if s.machine.runner.Active() {
		s.machine.runner.Notice(text)
		return
	}
	s.ui.Print("%s", text)
}

// nothingTouched is why an app failed that was not even begun.
const nothingTouched = "nothing was touched; the run says why"

// deploy brings the pull request's apps up, and destroys them again if it was
// closed meanwhile.
func (p *pullRequest) deploy(ctx context.Context) error {
	if p.machine.runner.Input("deployments") == "false" {
		return invalid("A preview without Deployments", "The input `deployments` is false. Deployments are the list of previews, by which they are found "+
			"and destroyed when their pull request is closed; leave the input out.")
	}
	o := p.flags.session
	o.workspace = preview.Workspace(p.event.Number)
	if err := p.begin(ctx, o, verb{use: "preview", changes: true}); err != nil {
		p.comment.failed(p.project.Apps(), nothingTouched)
		p.writeComment(ctx)
		return err
	}
	exist, err := preview.List(ctx, p.client)
	if err != nil {
		return p.withoutList(err)
	}
	p.comment.about(p.project.Name())
	apps, skipped := p.concerned(p.withRoom(exist))
	if len(apps) == 0 {
		return p.conclude(skipped, o.json)
	}
	p.engine.Reporter = p.comment.reporting(p.engine.Reporter)
	results, err := p.engine.Up(ctx, p.flags.options(apps))
	p.results = results
	if p.closedMeanwhile(ctx) {
		return p.destroyHere(ctx, apps)
	}
	if ctx.Err() != nil {
		err = errors.Join(err, p.machine.ending.flush(ctx, p.engine.Store)) // little time is left, and the state goes first
	}
	p.results = results
	p.settle(ctx, err == nil)
	if _, wrong := errors.AsType[*engine.InvalidError](err); wrong {
		p.comment.failed(apps, nothingTouched)
	}
	p.comment.ended(results, ctx.Err() != nil)
	p.writeComment(ctx)
	return errors.Join(err, p.conclude(append(results, skipped...), o.json))
}

// withoutList explains that a preview whose Deployment nobody would find again
// is not made.
func (p *pullRequest) withoutList(err error) error {
	if _, refused := errors.AsType[*github.PermissionError](err); !refused {
		return err
	}
	p.decision = preview.Decision{Course: preview.Skip, Reason: fmt.Sprintf(
		"%v; add `deployments: write` to the permissions of the workflow, for Deployments are the list of what is to be destroyed", err)}
	return p.skip()
}

// closedMeanwhile reports whether the pull request was closed while its apps came
// up: its own event may have found nothing to destroy.
func (p *pullRequest) closedMeanwhile(ctx context.Context) bool {
	if ctx.Err() != nil || p.refresh(ctx) != nil || p.decision.Course != preview.Destroy {
		return false
	}
	p.notice(fmt.Sprintf("The preview of pull request #%d is destroyed again: %s.", p.event.Number, p.decision.Reason))
	return true
}

// commentTime is how long the last comment may take when the run was cancelled.
const commentTime = 2 * time.Second

// writeComment writes how the run ended, also where it was cancelled.
func (p *pullRequest) writeComment(ctx context.Context) {
	if p.project.Name() == "" {
		return // nobody knows whose comment it would be
	}
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), commentTime)
		defer cancel()
	}
	p.comment.about(p.project.Name())
	p.comment.write(ctx, true)
}
