package app

import (
	"cmp"
	"context"
	"path/filepath"

	"github.com/hashicorp/hcl/v2"
)

// validate checks the file and everything in it that can be checked without
// running anything.
func validate(ctx context.Context, s *session, f *flags, _ []string) error {
	if err := s.engine.Validate(ctx, f.Options); err != nil {
		return err
	}
	s.ui.Print("%s is valid.", s.project.Path())
	return nil
}

// jsonValidity is what validate --json prints.
type jsonValidity struct {
	Valid       bool             `json:"valid"`
	Diagnostics []jsonDiagnostic `json:"diagnostics"`
}

// jsonDiagnostic is a problem, with its place where it has one.
type jsonDiagnostic struct {
	Severity string        `json:"severity"`
	Summary  string        `json:"summary"`
	Detail   string        `json:"detail"`
	File     string        `json:"file,omitempty"`
	Start    *jsonPosition `json:"start,omitempty"`
	End      *jsonPosition `json:"end,omitempty"`
}

// jsonPosition is a place in a file; both numbers begin with 1. The end of a
// range is the place after its last character.
type jsonPosition struct {
	Line   int `json:"line"`
	Column int `json:"column"`
}

// reportValidity prints what --json asks for, whatever validate met.
func reportValidity(s *session, f *flags, status int) {
	if !f.session.json || status == exitCancelled {
		return
	}
	report := jsonValidity{Valid: status == exitDone, Diagnostics: []jsonDiagnostic{}}
	for _, d := range s.shown {
		report.Diagnostics = append(report.Diagnostics, s.machine.diagnosticJSON(d))
	}
	_ = s.printJSON(report) // standard output that is gone leaves nobody to tell
}

// diagnosticJSON is d as --json shows it.
func (m *machine) diagnosticJSON(d *hcl.Diagnostic) jsonDiagnostic {
	j := jsonDiagnostic{Severity: "error", Summary: d.Summary, Detail: d.Detail}
	if d.Severity == hcl.DiagWarning {
		j.Severity = "warning"
	}
	if at := d.Subject; at != nil {
		j.File = m.relative(at.Filename)
		j.Start = &jsonPosition{at.Start.Line, at.Start.Column}
		j.End = &jsonPosition{at.End.Line, at.End.Column}
	}
	return j
}

// relative returns a file's name as the user would write it.
func (m *machine) relative(name string) string {
	if !filepath.IsAbs(name) {
		return name
	}
	relative, err := filepath.Rel(m.Dir, name)
	if err != nil || !filepath.IsLocal(relative) {
		return name
	}
	return cmp.Or(relative, name)
}
