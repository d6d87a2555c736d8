package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/doctor"
	"github.com/deploy-action/deploy-action/internal/engine"
	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/report"
	"github.com/deploy-action/deploy-action/internal/ui"
)

// answerTime is how long each check of doctor may take.
const answerTime = 10 * time.Second

// examination is one call of doctor: a session of which parts may be missing.
type examination struct {
	*session
	options sessionOptions
	valid   bool           // the file and its variables are good
	client  *github.Client // nil where the repository or the token is not known

	rows []doctor.Row // what was found on the way
}

// examine looks at everything that a deploy needs, changes nothing, and says
// what to mend.
func examine(ctx context.Context, s *session, f *flags, _ []string) error {
	e := &examination{session: s, options: f.session}
	e.openFile(ctx)
	e.openClient()
	checks := slices.Concat(e.runnerChecks(), e.githubChecks(), e.stateChecks(ctx), e.identityChecks(), e.fileChecks())
	rows := slices.Concat(e.rows, doctor.Run(ctx, checks, answerTime))
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	rows = append(rows, e.lockRow(rows))
	if err := s.showExamination(rows, f.session.json); err != nil {
		return err
	}
	if doctor.Stops(rows) {
		return exitError(exitInvalid)
	}
	return nil
}

// openFile opens the file, with a row for each of its problems.
func (e *examination) openFile(ctx context.Context) {
	err := e.open(e.options, verb{})
	if e.http == nil {
		client, failed := e.machine.client()
		e.http, err = client, errors.Join(err, failed)
	}
	switch {
	case err != nil:
	case e.problems.HasErrors():
		err = e.problems
	default:
		err = e.engine.Validate(ctx, engine.Options{})
	}
	if e.valid = err == nil; e.valid {
		e.rows = append(e.rows, doctor.Row{Name: "waypoint.hcl", State: doctor.OK, Finding: e.machine.relative(e.project.Path())})
		return
	}
	for _, d := range diagnosticsOf(err) {
		if d.Severity == hcl.DiagError {
			row := rowOf("waypoint.hcl", doctor.Problem, d)
			if at := d.Subject; at != nil && at.Filename != "" {
				place := *at
				place.Filename = e.machine.relative(at.Filename)
				row.Finding += ", " + place.String()
			}
			e.rows = append(e.rows, row)
		}
	}
}

// openClient makes the client of the repository's API, where there is one to
// ask.
func (e *examination) openClient() {
	m := e.machine
	if e.http == nil || m.runner.Context().Repository == "" || m.getenv("GITHUB_TOKEN") == "" && m.runner.Input("github-app-id") == "" {
		return
	}
	client, _, err := m.github(e.http, e.secrets)
	if err != nil {
		e.rows = append(e.rows, rowOf("GitHub", doctor.Problem, diagnosticsOf(err)[0]))
		return
	}
	e.client = client
}

// diagnosticsOf returns what there is to say of an error: one diagnostic at
// least.
func diagnosticsOf(err error) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, one := range flatten(err) {
		if invalid, ok := errors.AsType[*engine.InvalidError](one); ok {
			diags = append(diags, invalid.Diags...)
			continue
		}
		diags = append(diags, diag.Locate(one, nil, hcl.Range{})...)
	}
	return diags
}

// rowOf is a row that says what a diagnostic does.
func rowOf(name string, state doctor.State, d *hcl.Diagnostic) doctor.Row {
	return doctor.Row{Name: name, State: state, Finding: d.Summary, Remedy: strings.Join(strings.Fields(d.Detail), " ")}
}

// verdict is a row about err, which is nil where all is well. It is for the end
// of a check: what ended with ctx is the check's own error.
func verdict(ctx context.Context, row doctor.Row, err error) ([]doctor.Row, error) {
	switch {
	case err == nil:
		row.State = doctor.OK
		return []doctor.Row{row}, nil
	case ctx.Err() != nil:
		return nil, err
	}
	found := rowOf(row.Name, cmp.Or(row.State, doctor.Problem), diagnosticsOf(err)[0])
	if refusal, ok := errors.AsType[*github.PermissionError](err); ok && refusal.Permission != "" {
		found.Remedy = remedyFor(refusal.Permission)
	}
	return []doctor.Row{found}, nil
}

// remedyFor says which line of a workflow gives a permission.
func remedyFor(permission string) string {
	line := permission
	scope, _, _ := strings.Cut(permission, ":")
	for _, p := range permissions {
		if p.scope == scope {
			line = p.line()
		}
	}
	return fmt.Sprintf("add `%s` to the `permissions` of the job", line)
}

// jsonExamination is doctor --json.
type jsonExamination struct {
	OK          bool         `json:"ok"` // nothing would stop a deploy
	Rows        []doctor.Row `json:"rows"`
	Permissions string       `json:"permissions"` // a block of a workflow, in YAML
}

// showExamination shows the rows in the log and on the page of the run.
func (s *session) showExamination(rows []doctor.Row, asJSON bool) error {
	block := permissionBlock(identityPermission)
	s.ui.Summary(report.Examination(rows, block, s.secrets))
	if asJSON {
		return s.printJSON(jsonExamination{!doctor.Stops(rows), rows, block})
	}
	table := make([][]string, len(rows))
	var remedies strings.Builder
	lacking := false
	for i, r := range rows {
		table[i] = []string{r.Name, string(r.State), r.Finding}
		if r.Remedy != "" {
			remedies.WriteString("  " + r.Name + ": " + r.Remedy + "\n")
		}
		lacking = lacking || strings.HasPrefix(r.Name, permissionRow) && r.Remedy != ""
	}
	s.ui.Print("%s", ui.Table([]string{"CHECK", "RESULT", "FINDING"}, table))
	if remedies.Len() > 0 {
		s.ui.Print("To mend it:\n%s", remedies.String())
	}
	if lacking {
		s.ui.Print("All permissions that a job can need:\n\n%s\n", block)
	}
	return nil
}
