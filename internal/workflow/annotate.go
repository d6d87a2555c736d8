package workflow

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/sethvargo/go-githubactions"
)

// The runner keeps this much of what a step sends.
const (
	annotationsPerKind = 10
	longestMessage     = 4096 // characters
)

// The kinds of annotation.
const (
	kindError   = "error"
	kindWarning = "warning"
	kindNotice  = "notice"
)

// Notice attaches a remark to the run.
func (r *Runner) Notice(text string) { r.annotate(kindNotice, text, nil) }

// Warning attaches a warning to the run.
func (r *Runner) Warning(text string) { r.annotate(kindWarning, text, nil) }

// Annotate attaches diagnostics to files of the repository. The service
// keeps few annotations per step, so errors go first, then warnings, both in
// the order of the files; the rest is counted in a notice.
func (r *Runner) Annotate(diags hcl.Diagnostics) {
	sorted := slices.Clone(diags)
	slices.SortStableFunc(sorted, compareDiagnostics)
	more := 0
	for _, d := range sorted {
		kind := kindError
		if d.Severity == hcl.DiagWarning {
			kind = kindWarning
		}
		properties := r.location(d.Subject)
		message := d.Summary
		if d.Detail != "" {
			message = d.Detail
			properties["title"] = r.redact(flatten(d.Summary))
		}
		if !r.annotate(kind, message, properties) {
			more++
		}
	}
	switch more {
	case 0:
	case 1:
		r.Notice("1 more problem is in the log.")
	default:
		r.Notice(fmt.Sprintf("%d more problems are in the log.", more))
	}
}

// annotate issues one annotation, and reports whether the runner still keeps
// one of that kind. A diagnostic (it has properties) that would not be kept is
// not sent, for the log shows it anyway; the log shows a bare notice or warning
// only if it is sent.
func (r *Runner) annotate(kind, message string, properties map[string]string) (kept bool) {
	message = cutMessage(r.redact(message))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.annotations[kind]++
	kept = r.annotations[kind] <= annotationsPerKind
	if kept || properties == nil {
		r.issue(githubactions.Command{Name: kind, Message: message, Properties: properties})
	}
	return kept
}

// compareDiagnostics orders errors before warnings, and each by place.
func compareDiagnostics(a, b *hcl.Diagnostic) int {
	if c := cmp.Compare(a.Severity, b.Severity); c != 0 {
		return c
	}
	var before, after hcl.Range // those without a place come first
	if a.Subject != nil {
		before = *a.Subject
	}
	if b.Subject != nil {
		after = *b.Subject
	}
	return cmp.Or(cmp.Compare(before.Filename, after.Filename), cmp.Compare(before.Start.Byte, after.Start.Byte))
}

// location returns the properties that place an annotation. A range of HCL
// ends after its last character, and an annotation with it. The runner takes
// columns only where the range is on one line. A place outside the repository
// has no properties, for the service could show nothing there.
func (r *Runner) location(subject *hcl.Range) map[string]string {
	properties := map[string]string{}
	if subject == nil {
		return properties
	}
	file, ok := r.inRepository(subject.Filename)
	if !ok {
		return properties
	}
	start, end := subject.Start, subject.End
	properties["file"] = file
	properties["line"] = strconv.Itoa(start.Line)
	if start.Line == end.Line {
		properties["endLine"] = strconv.Itoa(end.Line)
		properties["col"] = strconv.Itoa(start.Column)
		properties["endColumn"] = strconv.Itoa(max(start.Column, end.Column-1))
		return properties
	}
	if end.Column == 1 { // the range ends with a line end
		end.Line--
	}
	properties["endLine"] = strconv.Itoa(max(start.Line, end.Line))
	return properties
}

// inRepository returns name relative to the repository, with slashes. A
// relative name is taken to be so already.
func (r *Runner) inRepository(name string) (path string, ok bool) {
	if filepath.IsAbs(name) {
		var err error
		if name, err = filepath.Rel(r.Root, name); err != nil {
			return "", false
		}
	}
	if name == "" || !filepath.IsLocal(name) {
		return "", false
	}
	return filepath.ToSlash(filepath.Clean(name)), true
}

// cutMessage returns as much of message as an annotation holds.
func cutMessage(message string) string {
	message = strings.TrimSpace(message)
	if characters := []rune(message); len(characters) > longestMessage {
		return string(characters[:longestMessage-1]) + "…"
	}
	return message
}
