package report_test

import (
	"strings"
	"testing"

	"github.com/deploy-action/deploy-action/internal/doctor"
	"github.com/deploy-action/deploy-action/internal/report"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// A secret is masked before anything of it is escaped: afterwards nobody would
// recognize it.
func TestExaminationMasks(t *testing.T) {
	t.Parallel()
	var known secret.Set
	known.Add("pass|word<of>alice")
	rows := []doctor.Row{{
		Name: "source vault", State: doctor.Problem, Finding: "refused pass|word<of>alice", Remedy: "replace pass|word<of>alice",
	}}
	page := report.Examination(rows, "permissions: {}", &known)
	if strings.Contains(page, "alice") || !strings.Contains(page, `refused \*\*\*`) {
		t.Errorf("the page says\n%s", page)
	}
}
