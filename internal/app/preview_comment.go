package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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

	mu  sync.Mutex
	off bool                      // not wanted, or not allowed
	now map[string]report.Preview // what this run knows of its apps before their Deployments say so
}

func (s *session) newComment(client *github.Client, number int) *comment {
	return &comment{
		session: s, client: client, number: number, now: map[string]report.Preview{},
		off: s.machine.runner.Input("comment") == "false",
	}
}

// about chooses the project whose previews the comment is about.
func (c *comment) about(project string) { c.project = project }

// write makes the comment say what is true. That it cannot is a warning: a
// preview is as good without a comment.
func (c *comment) write(ctx context.Context, create bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.off {
		return
	}
	err := report.Sticky{Client: c.client, Number: c.number, Project: c.project, Render: c.render}.Write(ctx, create)
	if refused, ok := errors.AsType[*github.PermissionError](err); ok {
		c.off = true
		c.session.warning(fmt.Sprintf("The comment about the preview cannot be written: %v. Add `%s` to the permissions of the workflow, or set the input `comment` to false.",
			err, cmp.Or(refused.Permission, "pull-requests: write")))
	} else if err != nil {
		c.session.warning(fmt.Sprintf("The comment about the preview may be out of date: %v.", err))
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

// render makes the text of the Deployments and of what this run knows.
func (c *comment) render(ctx context.Context) (string, error) {
	exist, err := preview.List(ctx, c.client)
	if err != nil {
		return "", err
	}
	rows := map[string]report.Preview{}
	for _, p := range preview.Of(exist, c.number, c.project) {
		standing, err := preview.Stand(ctx, c.client, p)
		if err != nil {
			return "", err
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
	for app, now := range c.now {
		now.URL = cmp.Or(now.URL, rows[app].URL)
		rows[app] = now
	}
	var shown []report.Preview
	for _, row := range rows {
		shown = append(shown, row)
	}
	slices.SortFunc(shown, func(a, b report.Preview) int { return strings.Compare(a.App, b.App) })
	return c.session.secrets.RedactString(report.Comment(c.project, shown)), nil
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
