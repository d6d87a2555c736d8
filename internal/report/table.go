package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/deploy-action/deploy-action/internal/state"
)

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
	{"what would change", planCell},
	{"URL", func(a App) string { return link(cutText(a.URL, logWidth)) }},
	{"deployment", deploymentCell},
	{"image", imageCell},
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
	for i, app := range apps {
		if b.Len() > tableSize {
			fmt.Fprintf(b, "\nApps that are left out here: %d.\n", len(apps)-i)
			break
		}
		fmt.Fprintf(b, "| **%s**", escape(cutText(app.Name, logWidth)))
		if app.Outcome != "" && app.Outcome != "changed" {
			fmt.Fprintf(b, " (%s)", escape(cutText(app.Outcome, logWidth)))
		}
		b.WriteString(" |")
		for _, c := range shown {
			fmt.Fprintf(b, " %s |", c.cell(app))
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
}

// deploymentCell names the deployment of an app.
func deploymentCell(a App) string {
	if a.Deployment == "" {
		return ""
	}
	text := inTable(code(cutText(a.Deployment, logWidth)))
	if a.Sequence > 0 {
		text += fmt.Sprintf(" · no. %d", a.Sequence)
	}
	return text
}

// planCell is a plan in short; nothing for a verb that makes none.
func planCell(a App) string {
	if a.Plan.Changes == nil {
		return ""
	}
	return PlanText(a.Plan)
}

// imageCell names an image by as much of its digest as people compare.
func imageCell(a App) string {
	image := a.Image
	if at := strings.LastIndex(image, "@"); at >= 0 && len(image) > at+1+shownDigest {
		image = image[:at+1+shownDigest] + "…"
	}
	return inTable(code(cutText(image, logWidth)))
}

// writeImages lists the images in a form to copy.
func writeImages(b *strings.Builder, apps []App) {
	var images strings.Builder
	for i, app := range apps {
		if images.Len() > imagesSize {
			fmt.Fprintf(&images, "… and up to %d more\n", len(apps)-i)
			break
		}
		if app.Image != "" {
			images.WriteString(oneLine(cutText(app.Image, logWidth)) + "\n")
		}
	}
	if images.Len() > 0 {
		fmt.Fprintf(b, "<details><summary>Images to copy</summary>\n\n%s\n</details>\n\n", fence("text", images.String()))
	}
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
		// Spaces that break no line.
		return strings.ReplaceAll(marks[r.Status]+" "+duration(r.Ended.Sub(r.Started)), " ", "\u00a0")
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
