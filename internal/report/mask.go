package report

import (
	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// masked returns r without the secrets that are known. It comes before anything
// is escaped or cut: of what these make of a secret, nobody would recognize it.
func (r Run) masked() Run {
	mask := masks{r.Secrets}
	r.Workspace, r.Environment = mask.text(r.Workspace), mask.text(r.Environment)
	r.Problems, r.Notes = mask.problems(r.Problems), mask.texts(r.Notes)
	apps := make([]App, len(r.Apps))
	for i, a := range r.Apps {
		a.URL, a.Image = mask.text(a.URL), mask.text(a.Image)
		a.Plan, a.Notes, a.Failure = mask.plan(a.Plan), mask.texts(a.Notes), mask.failure(a.Failure)
		apps[i] = a
	}
	r.Apps = apps
	return r
}

// masked returns c without the secrets that are known.
func (c Content) masked() Content {
	mask := masks{c.Secrets}
	previews, plans := make([]Preview, len(c.Previews)), make([]Plan, len(c.Plans))
	for i, p := range c.Previews {
		p.Note, p.URL = mask.text(p.Note), mask.text(p.URL)
		previews[i] = p
	}
	for i, p := range c.Plans {
		p.Text, p.Whole = mask.text(p.Text), mask.plan(p.Whole)
		plans[i] = p
	}
	c.Previews, c.Plans = previews, plans
	return c
}

// masks replaces secrets in copies of what it is given.
type masks struct{ secrets *secret.Set }

// text masks as much of text as any part of a page can take; the place where it
// is cut is never shown.
func (m masks) text(text string) string { return m.secrets.RedactString(cutText(text, 2*diffSize)) }

func (m masks) texts(texts []string) []string {
	masked := make([]string, len(texts))
	for i, text := range texts {
		masked[i] = m.text(text)
	}
	return masked
}

func (m masks) plan(p component.Plan) component.Plan {
	if p.Changes == nil {
		return p // another verb
	}
	masked := component.Plan{Changes: []component.Change{}}
	size := 0
	for _, c := range p.Changes {
		if size > planSize { // from here on changes are counted, and not shown
			masked.Changes = append(masked.Changes, component.Change{Action: c.Action})
			continue
		}
		c.Subject, c.Reason, c.Diff = m.text(c.Subject), m.text(c.Reason), cutLines(m.text(c.Diff), diffSize)
		size += len(c.Subject) + len(c.Diff)
		masked.Changes = append(masked.Changes, c)
	}
	return masked
}

func (m masks) problems(problems hcl.Diagnostics) hcl.Diagnostics {
	var masked hcl.Diagnostics
	for _, p := range problems {
		shown := *p
		shown.Summary, shown.Detail = m.text(p.Summary), m.text(p.Detail)
		masked = append(masked, &shown)
	}
	return masked
}

func (m masks) failure(f *Failure) *Failure {
	if f == nil {
		return nil
	}
	masked := *f
	masked.Cause, masked.Logs = m.problems(f.Cause), nil
	masked.Serving, masked.Left, masked.Next = m.text(f.Serving), m.text(f.Left), m.text(f.Next)
	for _, l := range f.Logs[max(0, len(f.Logs)-logLines):] { // no others are shown
		l.Text = m.text(l.Text)
		masked.Logs = append(masked.Logs, l)
	}
	return &masked
}
