package report

import (
	"fmt"
	"strings"

	"github.com/deploy-action/deploy-action/internal/doctor"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// checkMarks are how the states of checks look.
var checkMarks = map[doctor.State]string{doctor.OK: "✅", doctor.Warning: "⚠️", doctor.Problem: "❌", doctor.NotChecked: "➖"}

// Examination returns the table of what doctor found, without the secrets that
// are known, and permissions, a block of a workflow.
func Examination(rows []doctor.Row, permissions string, known *secret.Set) string {
	mask := masks{known}
	var b strings.Builder
	b.WriteString("## doctor\n\n| check | result | finding | to mend it |\n|---|---|---|---|\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %s %s | %s | %s |\n", escape(mask.text(r.Name)), checkMarks[r.State], r.State, escape(mask.text(r.Finding)), escape(mask.text(r.Remedy)))
	}
	b.WriteString("\nAll permissions that a job can need:\n\n" + fence("yaml", permissions))
	return b.String()
}
