package report

import (
	"fmt"
	"strings"

	"github.com/deploy-action/deploy-action/internal/doctor"
)

// checkMarks are how the states of checks look.
var checkMarks = map[doctor.State]string{doctor.OK: "✅", doctor.Warning: "⚠️", doctor.Problem: "❌", doctor.NotChecked: "➖"}

// Examination returns the table of what doctor found, and permissions, a block of
// a workflow.
func Examination(rows []doctor.Row, permissions string) string {
	var b strings.Builder
	b.WriteString("## doctor\n\n| check | result | finding | to mend it |\n|---|---|---|---|\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %s %s | %s | %s |\n", escape(r.Name), checkMarks[r.State], r.State, escape(r.Finding), escape(r.Remedy))
	}
	b.WriteString("\nAll permissions that a job can need:\n\n" + fence("yaml", permissions))
	return b.String()
}
