package report

import "github.com/deploy-action/deploy-action/internal/state"

// Outdated says that the run went no further with an app, because a newer one
// was faster. That is no failure: [Reporter.Settle] gives its commit the state
// success and the text, and says of what the run deployed that it was not
// released. Call it after the app's last operation.
//
// The text names no deployment, for what is told of the commit is told of none
// of its own.
func (r *Reporter) Outdated(project, app, workspace, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	record := state.Record{Project: project, App: app, Workspace: workspace}
	name := statusName(record)
	p := r.told[name]
	if p == nil {
		p = &progress{made: map[string]*deployed{}, last: record}
		r.told[name] = p
	}
	if p.wrong() {
		return // which says more
	}
	p.verdict, p.text = success, statusText(r.options.Secrets.RedactString(text), identity{})
}
