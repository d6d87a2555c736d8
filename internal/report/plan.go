package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/state"
)

// signs begin the lines of a plan. The first character is what colours a line
// of a diff.
var signs = map[component.Action]string{
	component.Create:  "+",
	component.Update:  "!",
	component.Replace: "!",
	component.Delete:  "-",
	component.Keep:    " ",
}

// writePlan writes what would change as a diff.
func writePlan(b *strings.Builder, app App) {
	if len(app.Plan.Changes) == 0 {
		return
	}
	var text strings.Builder
	for i, c := range app.Plan.Changes {
		if text.Len() > planSize {
			fmt.Fprintf(&text, "and %d more changes, in the log\n", len(app.Plan.Changes)-i)
			break
		}
		fmt.Fprintf(&text, "%s %s %s", signs[c.Action], c.Action, oneLine(cutText(c.Subject, logWidth)))
		if c.Reason != "" {
			fmt.Fprintf(&text, " (%s)", oneLine(cutText(c.Reason, logWidth)))
		}
		text.WriteString("\n")
		if c.Diff != "" {
			text.WriteString(cutText(strings.TrimRight(c.Diff, "\n"), diffSize) + "\n")
		}
	}
	fmt.Fprintf(b, "### Plan for %s\n\n%s\n", escape(cutText(app.Name, logWidth)), fence("diff", text.String()))
}

// ganttTags colour a bar.
var ganttTags = map[state.Status]string{
	state.Succeeded:   "done, ",
	state.Interrupted: "active, ",
	state.Failed:      "crit, ",
}

// writeGantt draws where the time went, if that was in more than one place.
func writeGantt(b *strings.Builder, apps []App) {
	var chart strings.Builder
	bars := 0
	for _, app := range apps {
		if chart.Len() > ganttSize {
			break // the table has all of them
		}
		section := false
		for _, r := range slices.SortedStableFunc(slices.Values(app.Records), func(a, b state.Record) int { return a.Started.Compare(b.Started) }) {
			if r.Ended.IsZero() {
				continue
			}
			if !section {
				fmt.Fprintf(&chart, "    section %s\n", ganttLabel(app.Name))
				section = true
			}
			// Mermaid drops a bar that ends where it begins.
			end := max(r.Ended.UnixMilli(), r.Started.UnixMilli()+1)
			fmt.Fprintf(&chart, "    %s %s :%s%d, %d\n", ganttLabel(r.Operation), duration(r.Ended.Sub(r.Started)), ganttTags[r.Status], r.Started.UnixMilli(), end)
			bars++
		}
	}
	if bars < 2 {
		return
	}
	const head = "gantt\n    dateFormat x\n    axisFormat %H:%M:%S\n"
	fmt.Fprintf(b, "<details><summary>Where the time went</summary>\n\n%s\n</details>\n\n", fence("mermaid", head+chart.String()))
}

// ganttLabel keeps what means nothing to Mermaid.
func ganttLabel(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '-'
	}, cutText(text, 60))
}

// cutText returns the beginning of text, in at most size bytes and a mark.
func cutText(text string, size int) string {
	if len(text) <= size {
		return text
	}
	return strings.ToValidUTF8(text[:size], "") + "…"
}
