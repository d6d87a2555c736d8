package app

import (
	"regexp"
	"strings"

	"github.com/mitchellh/go-wordwrap"
)

// plainReference turns the Markdown of a plugin's reference into text for a
// terminal of that width: headings in capitals, examples indented, and a
// paragraph for each row of a table, which would not fit on a line.
func plainReference(markdown string, width int) string {
	var b strings.Builder
	write := func(indent, text string) {
		wrapped := wordwrap.WrapString(text, uint(width-len(indent)))
		b.WriteString(indent + strings.ReplaceAll(wrapped, "\n", "\n"+indent) + "\n")
	}
	code := false
	beginning := regexp.MustCompile(`^Package \w+ (\w)`) // of a comment that Go's tools read
	for line := range strings.SplitSeq(strings.TrimSpace(markdown), "\n") {
		switch {
		case strings.HasPrefix(line, "```"):
			code = !code
		case code:
			b.WriteString(strings.TrimRight("    "+line, " ") + "\n")
		case strings.HasPrefix(line, "#### block "):
			write("  ", "Block "+strings.Trim(strings.TrimPrefix(line, "#### block "), "`"))
		case strings.HasPrefix(line, "### "):
			_, kind, _ := strings.Cut(line, ": ")
			write("", strings.ToUpper(kind))
		case strings.HasPrefix(line, "## "):
			write("", strings.ToUpper(strings.TrimPrefix(line, "## ")))
		case strings.HasPrefix(line, "|---"), strings.HasPrefix(line, "| attribute |"):
		case strings.HasPrefix(line, "|"):
			name, about := plainRow(line)
			write("  ", name)
			write("      ", about)
		case line == "":
			b.WriteString("\n")
		default:
			line = beginning.ReplaceAllStringFunc(line, func(text string) string { return strings.ToUpper(text[len(text)-1:]) })
			write("  ", strings.ReplaceAll(line, "`", ""))
		}
	}
	return b.String()
}

// plainRow takes apart a row of a table of attributes.
func plainRow(row string) (name, about string) {
	const bar = "\x00" // in place of a bar that is text
	cells := strings.Split(strings.ReplaceAll(strings.Trim(row, "| "), `\|`, bar), " | ")
	for i, cell := range cells {
		cells[i] = strings.ReplaceAll(strings.TrimSpace(cell), bar, "|")
	}
	if len(cells) < 4 {
		return strings.Join(cells, " "), ""
	}
	name = strings.Trim(cells[0], "`") + " (" + cells[1]
	if cells[2] != "" {
		name += ", " + cells[2]
	}
	return name + ")", cells[3]
}
