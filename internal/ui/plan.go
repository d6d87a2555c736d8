package ui

import (
	"fmt"
	"strings"

	"github.com/deploy-action/deploy-action/internal/component"
)

// actions are the actions of a plan, in the order in which they are counted.
var actions = []struct {
	action component.Action
	symbol string
	style  style
	count  string
}{
	{component.Create, "+", green, "to create"},
	{component.Update, "~", yellow, "to update"},
	{component.Replace, "-/+", yellow, "to replace"},
	{component.Delete, "-", red, "to delete"},
	{component.Keep, "", dim, "unchanged"},
}

// plan returns the lines that show p: one for each change, with the difference
// below it, and the sum. What stays as it is is only counted.
func (u *UI) plan(app string, p component.Plan) []string {
	lines := []string{u.paint(bold, app)}
	widest := 0
	for _, c := range p.Changes {
		if c.Action != component.Keep {
			widest = max(widest, len([]rune(oneLine(c.Subject))))
		}
	}
	var counts []string
	changed := false
	for _, a := range actions {
		n := 0
		for _, c := range p.Changes {
			if c.Action == a.action {
				n++
			}
		}
		if n > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", n, a.count))
			changed = changed || a.action != component.Keep
		}
	}
	for _, c := range p.Changes {
		if c.Action != component.Keep {
			lines = append(lines, u.change(c, widest)...)
		}
	}
	switch {
	case changed:
		return append(lines, "Plan: "+strings.Join(counts, ", "))
	case len(counts) > 0:
		return append(lines, "Plan: nothing to change, "+counts[0])
	}
	return append(lines, "Plan: nothing to change")
}

// change returns the lines of one change. Its subject is padded to widest, so
// that reasons stand below each other.
func (u *UI) change(c component.Change, widest int) []string {
	symbol, color := "?", bold
	for _, a := range actions {
		if a.action == c.Action {
			symbol, color = a.symbol, a.style
		}
	}
	subject := oneLine(c.Subject)
	line := indent + u.paint(color, fmt.Sprintf("%3s", symbol)) + " " + subject
	if c.Reason != "" {
		line += strings.Repeat(" ", widest-len([]rune(subject))) + indent + u.paint(dim, oneLine(c.Reason))
	}
	lines := []string{line}
	for text := range strings.Lines(c.Diff) {
		lines = append(lines, strings.Repeat(" ", 8)+u.diffLine(strings.TrimRight(text, "\r\n")))
	}
	return lines
}

// diffLine colours one line of a unified diff.
func (u *UI) diffLine(line string) string {
	switch {
	case strings.HasPrefix(line, "+++"), strings.HasPrefix(line, "---"):
		return u.paint(bold, line)
	case strings.HasPrefix(line, "+"):
		return u.paint(green, line)
	case strings.HasPrefix(line, "-"):
		return u.paint(red, line)
	case strings.HasPrefix(line, "@@"):
		return u.paint(cyan, line)
	}
	return line
}
