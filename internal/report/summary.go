package report

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/state"
)

// Run is what the page of a run shows.
type Run struct {
	Verb      string
	Workspace string
	Apps      []App
	Root      string          // folder of the repository, which shown paths are relative to; "" for paths as they are
	Problems  hcl.Diagnostics // with the configuration or the call: nothing was touched
	Notes     []string        // what else the reader should know, one line each
}

// App is what the verb did to one app.
type App struct {
	Name    string
	Outcome string // changed, unchanged, outdated or skipped
	URL     string // where users reach it; or ""
	Image   string // with digest; or ""
	Plan    component.Plan
	Records []state.Record // that this run wrote, each as it ended
	Failure *Failure       // nil when all went well
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
// place. Whoever writes the result masks secrets.
func Summary(r Run) string {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n", title(r))
	writeProblems(&b, r.Root, r.Problems)
	for _, app := range r.Apps {
		if app.Failure != nil {
			writeFailure(&b, r.Root, app)
		}
	}
	writeTable(&b, r.Apps)
	for _, app := range r.Apps {
		writePlan(&b, app)
	}
	writeGantt(&b, r.Apps)
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "- %s\n", escape(note))
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

func title(r Run) string {
	what := "deploy-action " + escape(r.Verb)
	if r.Workspace != "" {
		what += " in " + escape(r.Workspace)
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
	for _, p := range problems {
		fmt.Fprintf(b, "**%s**", escape(p.Summary))
		if p.Subject != nil {
			fmt.Fprintf(b, " (%s)", code(fmt.Sprintf("%s:%d", relative(root, p.Subject.Filename), p.Subject.Start.Line)))
		}
		b.WriteString("\n\n")
		for paragraph := range strings.SplitSeq(p.Detail, "\n\n") {
			if text := escape(paragraph); text != "" {
				fmt.Fprintf(b, "%s\n\n", text)
			}
		}
	}
}

// relative returns a path as readers of the repository know it. One outside of
// the repository stays as it is.
func relative(root, path string) string {
	if inside, err := filepath.Rel(root, path); root != "" && err == nil && filepath.IsLocal(inside) {
		return filepath.ToSlash(inside)
	}
	return path
}

// logLines and logWidth bound what a failing workload can put on the page.
const (
	logLines = 40
	logWidth = 500
)

func writeFailure(b *strings.Builder, root string, app App) {
	f := app.Failure
	fmt.Fprintf(b, "### ❌ %s: %s failed\n\n", escape(app.Name), escape(f.Stage))
	writeProblems(b, root, f.Cause)
	for _, line := range []struct{ what, text string }{
		{"Serves users now", f.Serving}, {"Left behind", f.Left}, {"Next step", f.Next},
	} {
		if line.text != "" {
			fmt.Fprintf(b, "- **%s:** %s\n", line.what, escape(line.text))
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

// column is one column of the table of apps.
type column struct {
	head string
	cell func(App) string
}

// columns are those of the table, in the order of the pipeline.
var columns = []column{
	{"build", stageCell("build")},
	{"push", stageCell("push")},
	{"deploy", stageCell("deploy")},
	{"release", stageCell("release")},
	{"image", func(a App) string { return inTable(code(a.Image)) }},
	{"URL", func(a App) string { return link(a.URL) }},
}

// writeTable writes one row for each app, without the columns in which no app
// has anything.
func writeTable(b *strings.Builder, apps []App) {
	shown := slices.DeleteFunc(slices.Clone(columns), func(c column) bool {
		return !slices.ContainsFunc(apps, func(a App) bool { return c.cell(a) != "" })
	})
	if len(shown) == 0 {
		return
	}
	b.WriteString("| app |")
	for _, c := range shown {
		fmt.Fprintf(b, " %s |", c.head)
	}
	fmt.Fprintf(b, "\n|%s\n", strings.Repeat(" --- |", len(shown)+1))
	for _, app := range apps {
		fmt.Fprintf(b, "| **%s**", escape(app.Name))
		if app.Outcome != "" && app.Outcome != "changed" {
			fmt.Fprintf(b, " (%s)", escape(app.Outcome))
		}
		b.WriteString(" |")
		for _, c := range shown {
			fmt.Fprintf(b, " %s |", c.cell(app))
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
}

// record returns the last record of a stage, or nil.
func (a App) record(stage string) *state.Record {
	for _, r := range slices.Backward(a.Records) {
		if r.Operation == stage {
			return &r
		}
	}
	return nil
}

// marks stand for a status in the table.
var marks = map[state.Status]string{
	state.Running:     "⏳",
	state.Interrupted: "⏹ cancelled",
	state.Failed:      "❌",
	state.Succeeded:   "✅",
	state.Destroyed:   "removed",
}

// stageCell returns the function that shows how a stage of an app went and how
// long it took.
func stageCell(stage string) func(App) string {
	return func(a App) string {
		r := a.record(stage)
		switch {
		case r == nil:
			return ""
		case r.Ended.IsZero():
			return marks[r.Status]
		}
		return marks[r.Status] + " " + duration(r.Ended.Sub(r.Started))
	}
}

// duration is as exact as people care.
func duration(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	}
	d = d.Round(time.Second)
	return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
}
