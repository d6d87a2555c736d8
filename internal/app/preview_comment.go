package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/deploy-action/deploy-action/internal/engine"
	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/preview"
	"github.com/deploy-action/deploy-action/internal/report"
	"github.com/deploy-action/deploy-action/internal/state"
)

// comment is the comment below a pull request, as one run writes it.
type comment struct {
	session *session
	client  *github.Client
	number  int
	project string
	head    string // the commit whose plans are shown; "" for none

	mu    sync.Mutex
	off   bool                      // not wanted, or not allowed
	now   map[string]report.Preview // what this run knows of its apps before their Deployments say so
	plans []report.Plan             // that this run made
}

// newComment returns the comment of a pull request whose last commit is head.
func (s *session) newComment(client *github.Client, number int, head string) *comment {
	return &comment{
		session: s, client: client, number: number, head: head, now: map[string]report.Preview{},
		off: s.machine.runner.Input("comment") == "false",
	}
}

// about chooses the project that the comment is about.
func (c *comment) about(project string) { c.project = project }

// commentLimit is how long writing the comment may take: the platform waits for
// it.
const commentLimit = 30 * time.Second

// write makes the comment say what is true. That it cannot is a warning: what
// was done is as good without a comment.
func (c *comment) write(ctx context.Context, create bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.off {
		return
	}
	writing, cancel := context.WithTimeout(ctx, commentLimit)
	defer cancel()
	err := report.Sticky{Client: c.client, Number: c.number, Project: c.project, Render: c.render}.Write(writing, create)
	if err == nil {
		return
	}
	c.session.uncommented++
	if errors.Is(err, report.ErrUnseen) {
		c.session.warning("The comment below the pull request stays as it is, for this run may not see the previews in it. Add `deployments: read` to the permissions of the workflow. The plan is on the page of the run.")
		return
	}
	c.off = writing.Err() != nil && ctx.Err() == nil // who has kept us waiting will again
	if _, refused := errors.AsType[*github.PermissionError](err); refused {
		c.off = true
		c.session.warning(fmt.Sprintf("The comment below the pull request cannot be written: %v. Add `pull-requests: write` to the permissions of the workflow, or set the input `comment` to false.", err))
	} else {
		c.session.warning(fmt.Sprintf("The comment below the pull request may be out of date: %v.", err))
	}
}

// warning tells what did not go well and fails nothing.
func (s *session) warning(text string) {
	if s.machine.runner.Active() {
		s.machine.runner.Warning(text)
		return
	}
	s.ui.Print("Warning: %s", text)
}

// render makes the text of the Deployments, of the plans that the statuses of
// the commit tell of, and of what this run knows.
func (c *comment) render(ctx context.Context) (string, error) {
	rows, err := c.previews(ctx)
	unseen := errors.Is(err, report.ErrUnseen)
	if err != nil && !unseen {
		return "", err
	}
	for app, now := range c.now {
		now.URL = cmp.Or(now.URL, rows[app].URL)
		rows[app] = now
	}
	plans, err := c.planned(ctx)
	if err != nil {
		return "", err
	}
	content := report.Content{Project: c.project, Commit: c.head, Plans: plans, Secrets: c.session.secrets}
	for _, app := range slices.Sorted(maps.Keys(rows)) {
		content.Previews = append(content.Previews, rows[app])
	}
	if unseen {
		return report.Comment(content), report.ErrUnseen
	}
	return report.Comment(content), nil
}

// previews returns how the previews stand, by app, as their Deployments tell.
// To show a plan nobody needs a token that may see them: that is
// [report.ErrUnseen].
func (c *comment) previews(ctx context.Context) (map[string]report.Preview, error) {
	rows := map[string]report.Preview{}
	exist, err := preview.List(ctx, c.client)
	if _, refused := errors.AsType[*github.PermissionError](err); refused && len(c.plans) > 0 {
		return rows, report.ErrUnseen
	}
	if err != nil {
		return nil, err
	}
	for _, p := range preview.Of(exist, c.number, c.project) {
		standing, err := preview.Stand(ctx, c.client, p)
		if err != nil {
			return nil, err
		}
		row := report.Preview{
			App: p.App, Status: standing.State, URL: standing.URL, Commit: standing.Commit,
			RunURL: standing.LogURL, Updated: standing.Updated,
		}
		if standing.Serving != "" {
			row.Note = "an earlier one serves"
		}
		rows[p.App] = row
	}
	return rows, nil
}

// row is how this run sees an app.
func (c *comment) row(app, status string) report.Preview {
	run := c.session.machine.runner.Context()
	return report.Preview{App: app, Status: status, Commit: run.HeadSHA, RunURL: run.RunURL(), Updated: time.Now()}
}

// begins says that an app is on its way, when the first operation of it is.
func (c *comment) begins(ctx context.Context, app string) {
	c.mu.Lock()
	_, told := c.now[app]
	if !told {
		c.now[app] = c.row(app, preview.Deploying)
	}
	c.mu.Unlock()
	if !told {
		c.write(ctx, true)
	}
}

// ended takes over how the run ended for each app, or that it was cancelled.
func (c *comment) ended(results []engine.Result, cancelled bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range results {
		row := c.row(r.App, preview.Ready)
		row.URL = r.URL
		switch {
		case r.Outcome == engine.Skipped, r.Outcome == engine.Outdated: // the Deployments say how things are
			delete(c.now, r.App)
			continue
		case cancelled:
			row = c.row(r.App, preview.Cancelled)
		case r.Failure != nil:
			row = c.row(r.App, preview.Failed)
			row.Note = r.Failure.Stage
		}
		c.now[r.App] = row
	}
}

// failed says that nothing was done for apps, and why.
func (c *comment) failed(apps []string, note string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, app := range apps {
		row := c.row(app, preview.Failed)
		row.Note = note
		c.now[app] = row
	}
}

// forget leaves it to the Deployments to say how things are.
func (c *comment) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.now)
}

// reporting returns a reporter that also keeps the comment right.
func (c *comment) reporting(r engine.Reporter) engine.Reporter { return commenting{r, c} }

// commenting is a reporter, if there is one, and a comment.
type commenting struct {
	reporter engine.Reporter // nil where nobody else is told
	comment  *comment
}

// Report implements [engine.Reporter].
func (c commenting) Report(ctx context.Context, r state.Record) error {
	if r.Status == state.Running {
		c.comment.begins(ctx, r.App)
	}
	if c.reporter == nil {
		return nil
	}
	return c.reporter.Report(ctx, r)
}
