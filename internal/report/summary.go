package report

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/state"
)

// Run is what the page of a run shows.
type Run struct {
	Verb        string
	Workspace   string
	Commit      string // that people look at; or ""
	Repository  string // the address of its page, for links; or ""
	Environment string // in which the repository shows the Deployments; or ""
	Apps        []App
	Root        string          // folder of the repository, which shown paths are relative to; "" for paths as they are
	Problems    hcl.Diagnostics // with the configuration or the call: nothing was touched
	Notes       []string        // what else the reader should know, one line each
	Secrets     *secret.Set     // that are masked; or nil
}

// App is what the verb did to one app.
type App struct {
	Name       string
	Outcome    string // changed, unchanged, outdated or skipped
	URL        string // where users reach it; or ""
	Image      string // with digest; or ""
	Deployment string // its ID; or ""
	Sequence   int    // of the deployment; or 0
	Plan       component.Plan
	Records    []state.Record // that this run wrote, each as it ended
	Shares     []Share        // that a release in steps gave, in order
	Notes      []string       // what happened besides, one line each
	Failure    *Failure       // nil when all went well
}

// Share is a part of the traffic that a deployment had for a while.
type Share struct {
	Percent        int
	Started, Ended time.Time
}

// Failure is why an app's operation went wrong, and where that leaves it.
type Failure struct {
	Stage   string
	Cause   hcl.Diagnostics     // the first one is the headline
	Serving string              // what serves users now; or ""
	Left    string              // what was left behind; or ""
	Next    string              // the next step; or ""
	Logs    []component.LogLine // the last ones of the failing workload
}

// Summary returns the Markdown of a run's page: first what went wrong and what
// to do about it, then what was done, then what would be, then where the time
// went. All text in r may come from outside: none of it can break out of its
// place. It has at most 768 KiB, whatever r holds: the runner drops a page of
// more than 1 MiB as a whole.
func Summary(r Run) string {
	r = r.masked()
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n", title(r))
	writePlace(&b, r)
	p := page{b: &b, room: pageSize - b.Len() - notesSize}
	table, notes := written(func(b *strings.Builder) { writeTable(b, r.Apps) }), written(func(b *strings.Builder) { writeNotes(b, r) })
	p.room -= len(table)

	p.add(func(b *strings.Builder) { writeProblems(b, r.Root, r.Problems) })
	for _, app := range r.Apps {
		if app.Failure != nil {
			p.add(func(b *strings.Builder) { writeFailure(b, r.Root, app) })
		}
	}
	b.WriteString(table)
	for _, app := range r.Apps {
		p.add(func(b *strings.Builder) { writePlan(b, app) })
	}
	p.add(func(b *strings.Builder) { writeImages(b, r.Apps) })
	p.add(func(b *strings.Builder) { writeGantt(b, r.Apps) })
	b.WriteString(notes)
	if p.omitted > 0 {
		fmt.Fprintf(&b, "- This page would be too long with everything on it. Parts that are left out: %d. They are in the log.\n", p.omitted)
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// writePlace says which commit this is about, and where its environment is.
func writePlace(b *strings.Builder, r Run) {
	var parts []string
	if r.Commit != "" {
		short := code(r.Commit[:min(len(r.Commit), 7)])
		parts = append(parts, "Commit "+linked(short, r.Repository, "commit", r.Commit))
	}
	if r.Environment != "" {
		parts = append(parts, "environment "+linked(escape(cutText(r.Environment, logWidth)), r.Repository, "deployments", r.Environment))
	}
	if len(parts) > 0 {
		fmt.Fprintf(b, "%s\n\n", strings.Join(parts, " · "))
	}
}

// linked returns shown as a link to a page of the repository.
func linked(shown, repository string, path ...string) string {
	if repository == "" {
		return shown
	}
	for _, p := range path {
		repository += "/" + url.PathEscape(cutText(p, logWidth))
	}
	return "[" + shown + "](<" + repository + ">)"
}

// writeNotes lists what happened besides, of each app and of the run.
func writeNotes(b *strings.Builder, r Run) {
	var notes []string
	for _, app := range r.Apps {
		for _, note := range app.Notes {
			notes = append(notes, fmt.Sprintf("**%s:** %s", escape(cutText(app.Name, logWidth)), escape(cutText(note, logWidth))))
		}
	}
	for _, note := range r.Notes {
		notes = append(notes, escape(cutText(note, logWidth)))
	}
	for i, note := range notes {
		if b.Len()+len(note) > notesSize/2 {
			fmt.Fprintf(b, "- and %d more\n", len(notes)-i)
			break
		}
		fmt.Fprintf(b, "- %s\n", note)
	}
}

func title(r Run) string {
	what := "deploy-action " + escape(cutText(r.Verb, logWidth))
	if r.Workspace != "" {
		what += " in " + escape(cutText(r.Workspace, logWidth))
	}
	failed := 0
	for _, app := range r.Apps {
		if app.Failure != nil {
			failed++
		}
	}
	switch {
	case len(r.Problems) > 0 && r.Problems.HasErrors():
		return what + ": nothing was touched"
	case failed == 0:
		return what
	case len(r.Apps) == 1:
		return what + ": failed"
	}
	return fmt.Sprintf("%s: %d of %d apps failed", what, failed, len(r.Apps))
}

// writeProblems writes each problem with its place.
func writeProblems(b *strings.Builder, root string, problems hcl.Diagnostics) {
	for i, p := range problems {
		if i == mostProblems {
			fmt.Fprintf(b, "**and %d more**, in the log\n\n", len(problems)-i)
			return
		}
		fmt.Fprintf(b, "**%s**", escape(cutText(p.Summary, logWidth)))
		if p.Subject != nil {
			fmt.Fprintf(b, " (%s)", code(fmt.Sprintf("%s:%d", cutText(relative(root, p.Subject.Filename), logWidth), p.Subject.Start.Line)))
		}
		b.WriteString("\n\n")
		for paragraph := range strings.SplitSeq(cutText(p.Detail, detailSize), "\n\n") {
			text := escape(paragraph)
			switch {
			case text == "":
			case strings.HasPrefix(paragraph, "    "): // lines to copy
				fmt.Fprintf(b, "%s\n", fence("yaml", unindent(paragraph)))
			default:
				fmt.Fprintf(b, "%s\n\n", text)
			}
		}
	}
}

// unindent takes the indentation of the first line off every line.
func unindent(text string) string {
	indent := text[:len(text)-len(strings.TrimLeft(text, " "))]
	return strings.TrimPrefix(strings.ReplaceAll(text, "\n"+indent, "\n"), indent)
}

// relative returns a path as readers of the repository know it. One outside of
// the repository stays as it is.
func relative(root, path string) string {
	if inside, err := filepath.Rel(root, path); root != "" && err == nil && filepath.IsLocal(inside) {
		return filepath.ToSlash(inside)
	}
	return path
}

func writeFailure(b *strings.Builder, root string, app App) {
	f := app.Failure
	fmt.Fprintf(b, "### ❌ %s: %s failed\n\n", escape(cutText(app.Name, logWidth)), escape(cutText(f.Stage, logWidth)))
	writeProblems(b, root, f.Cause)
	for _, line := range []struct{ what, text string }{
		{"Serves users now", f.Serving}, {"Left behind", f.Left}, {"Next step", f.Next},
	} {
		if line.text != "" {
			fmt.Fprintf(b, "- **%s:** %s\n", line.what, escape(cutText(line.text, detailSize)))
		}
	}
	b.WriteString("\n")
	if len(f.Logs) == 0 {
		return
	}
	last := f.Logs[max(0, len(f.Logs)-logLines):]
	var text strings.Builder
	for _, l := range last {
		text.WriteString(cutText(strings.TrimSpace(l.Instance+" "+l.Text), logWidth) + "\n")
	}
	heading := "The last line of the workload"
	if len(last) > 1 {
		heading = fmt.Sprintf("The last %d lines of the workload", len(last))
	}
	fmt.Fprintf(b, "<details open><summary>%s</summary>\n\n%s\n</details>\n\n", heading, fence("text", text.String()))
}
