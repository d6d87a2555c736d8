package ui

import (
	"bytes"
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/mitchellh/go-wordwrap"
	"github.com/zclconf/go-cty/cty"
)

const (
	widestText   = 100 // columns of explaining text, where a terminal is wider
	longestValue = 60  // characters of a variable's value
	longestLine  = 200 // characters; a longer source line is not shown
)

// diagnostic returns the lines that show d: what is wrong, where, and why.
func (u *UI) diagnostic(d *hcl.Diagnostic) []string {
	severity := u.paint(red, "Error")
	if d.Severity == hcl.DiagWarning {
		severity = u.paint(yellow, "Warning")
	}
	lines := []string{severity + ": " + u.paint(bold, oneLine(d.Summary))}
	if d.Subject != nil {
		lines = append(lines, u.source(*d.Subject)...)
	}
	lines = append(lines, u.values(d)...)
	detail := strings.TrimSpace(d.Detail)
	if u.o.Width > 0 {
		detail = wordwrap.WrapString(detail, uint(max(min(u.o.Width, widestText)-len(indent), 20)))
	}
	for line := range strings.Lines(detail) {
		lines = append(lines, indent+strings.TrimRight(line, "\r\n"))
	}
	return lines
}

// source returns the place of a range and its first line, underlined.
func (u *UI) source(subject hcl.Range) []string {
	var file *hcl.File
	if u.o.Files != nil {
		file = u.o.Files()[subject.Filename]
	}
	place := fmt.Sprintf("%s%s:%d:%d", indent, u.relative(subject.Filename), subject.Start.Line, subject.Start.Column)
	if file == nil {
		return []string{place}
	}
	// HCL tells which block a place is in through an interface that it leaves
	// to its users to name.
	if nav, ok := file.Nav.(interface{ ContextString(offset int) string }); ok {
		if context := nav.ContextString(subject.Start.Byte); context != "" {
			place += ", in " + context
		}
	}
	before, marked, after, ok := partition(file.Bytes, subject)
	line := before + marked + after
	if !ok || len([]rune(line)) > longestLine {
		return []string{place}
	}
	number := fmt.Sprintf("%*d", max(4, len(fmt.Sprint(subject.Start.Line))), subject.Start.Line)
	lines := []string{place, number + u.paint(dim, " │ ") + line}
	if u.clean(line) != line {
		return lines // a mask moved what would be underlined
	}
	underline := strings.Repeat(" ", len([]rune(before))) + u.paint(red, strings.Repeat("^", max(1, len([]rune(marked)))))
	return append(lines, strings.Repeat(" ", len(number))+u.paint(dim, " │ ")+underline)
}

// partition returns the line of source where a range begins: what is before
// the range, in it, and after it. Tabs become spaces. It is not ok where the
// range is not of this source.
func partition(source []byte, subject hcl.Range) (before, marked, after string, ok bool) {
	start, end := subject.Start.Byte, subject.End.Byte
	if start < 0 || start > len(source) || end < start {
		return "", "", "", false
	}
	first := bytes.LastIndexByte(source[:start], '\n') + 1
	last := len(source)
	if i := bytes.IndexByte(source[start:], '\n'); i >= 0 {
		last = start + i
	}
	end = min(end, last)
	text := func(from, to int) string {
		return strings.ReplaceAll(strings.TrimRight(string(source[from:to]), "\r"), "\t", indent)
	}
	return text(first, start), text(start, end), text(end, last), true
}

// values returns a line for each variable in the expression that d is about,
// with its value, unless it is sensitive, unknown, or not a plain value.
func (u *UI) values(d *hcl.Diagnostic) []string {
	if d.Expression == nil || d.EvalContext == nil {
		return nil
	}
	var lines []string
	for _, traversal := range d.Expression.Variables() {
		value, diags := traversal.TraverseAbs(d.EvalContext)
		if diags.HasErrors() || value.IsMarked() || !value.IsKnown() {
			continue
		}
		shown, ok := plainValue(value)
		if !ok {
			continue
		}
		line := indent + "with " + traversalName(traversal) + " as " + shown
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return lines
}

// plainValue returns a string, number, bool or null as it would be written.
func plainValue(value cty.Value) (text string, ok bool) {
	switch {
	case value.IsNull():
		return "null", true
	case value.Type() == cty.String:
		text = fmt.Sprintf("%q", value.AsString())
	case value.Type() == cty.Number:
		text = value.AsBigFloat().Text('g', 10)
	case value.Type() == cty.Bool:
		text = fmt.Sprint(value.True())
	default:
		return "", false
	}
	if characters := []rune(text); len(characters) > longestValue {
		text = string(characters[:longestValue]) + "…"
	}
	return text, true
}

// traversalName writes a reference as in configuration, but for what is in
// brackets.
func traversalName(traversal hcl.Traversal) string {
	var b strings.Builder
	for _, part := range traversal {
		switch part := part.(type) {
		case hcl.TraverseRoot:
			b.WriteString(part.Name)
		case hcl.TraverseAttr:
			b.WriteString("." + part.Name)
		case hcl.TraverseIndex:
			key, _ := plainValue(part.Key)
			b.WriteString("[" + cmp.Or(key, "…") + "]")
		}
	}
	return b.String()
}

// relative returns a file's name as the user would write it.
func (u *UI) relative(name string) string {
	if u.o.Dir == "" || !filepath.IsAbs(name) {
		return name
	}
	relative, err := filepath.Rel(u.o.Dir, name)
	if err != nil || !filepath.IsLocal(relative) {
		return name
	}
	return cmp.Or(relative, name)
}
