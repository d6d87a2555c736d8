package report

import (
	"fmt"
	"strings"

	"github.com/deploy-action/deploy-action/internal/component"
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
	if len(app.Plan.Changes) > 0 {
		fmt.Fprintf(b, "### Plan for %s\n\n%s\n", escape(cutText(app.Name, logWidth)), fence("diff", planDiff(app.Plan, planSize)))
	}
}

// planDiff is a plan as a diff of about size bytes at most. What does not fit is
// counted.
func planDiff(plan component.Plan, size int) string {
	var text strings.Builder
	for i, c := range plan.Changes {
		line := fmt.Sprintf("%s %s %s", signs[c.Action], c.Action, oneLine(cutText(c.Subject, logWidth)))
		if c.Reason != "" {
			line += fmt.Sprintf(" (%s)", oneLine(cutText(c.Reason, logWidth)))
		}
		diff := cutLines(c.Diff, min(diffSize, size/2))
		if text.Len()+len(line)+len(diff) > size {
			fmt.Fprintf(&text, "and %d more changes, in the log\n", len(plan.Changes)-i)
			break
		}
		text.WriteString(line + "\n" + diff)
	}
	return text.String()
}
