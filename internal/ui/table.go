package ui

import (
	"strings"
	"unicode/utf8"
)

// Table returns rows in aligned columns below their header, one line each.
// Rows may be shorter than the header. It ends with a line end, and is meant
// for [UI.Print].
func Table(header []string, rows [][]string) string {
	all := append([][]string{header}, rows...)
	widths := make([]int, len(header))
	for _, row := range all {
		for i, cell := range row[:min(len(row), len(widths))] {
			widths[i] = max(widths[i], utf8.RuneCountInString(oneLine(cell)))
		}
	}
	var b strings.Builder
	for _, row := range all {
		var line strings.Builder
		for i, cell := range row[:min(len(row), len(widths))] {
			cell = oneLine(cell)
			line.WriteString(cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)) + indent)
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String()
}
