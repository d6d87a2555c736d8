package ui

import "strings"

// style is a way to print text, as the parameter of a terminal's sequence.
type style string

// The styles.
const (
	bold   style = "1"
	dim    style = "2"
	red    style = "31"
	green  style = "32"
	yellow style = "33"
	cyan   style = "36"
)

const reset = "\x1b[0m"

// paint prints text in a style, where the log may hold colours.
func (u *UI) paint(s style, text string) string {
	if !u.o.Color || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + reset
}

// sanitize takes from text what a terminal would obey: escape sequences and
// control characters. Tabs stay; so do colours where they are wanted, and a
// line that has any ends without.
func sanitize(text string, color bool) string {
	if strings.IndexFunc(text, control) < 0 {
		return strings.ToValidUTF8(text, "�")
	}
	var b strings.Builder
	colored := false
	for text != "" {
		if text[0] == '\x1b' {
			sequence := text[:sequenceLength(text)]
			if color && isColor(sequence) {
				b.WriteString(sequence)
				colored = sequence != reset && sequence != "\x1b[m"
			}
			text = text[len(sequence):]
			continue
		}
		plain, _, _ := strings.Cut(text, "\x1b")
		b.WriteString(strings.Map(dropControl, plain))
		text = text[len(plain):]
	}
	cleaned := strings.ToValidUTF8(b.String(), "�")
	if colored {
		cleaned += reset
	}
	return cleaned
}

// control reports whether c is a control character, of the old set or of the
// new, but for the tab.
func control(c rune) bool { return c < ' ' && c != '\t' || c >= 0x7f && c < 0xa0 }

func dropControl(c rune) rune {
	if control(c) {
		return -1
	}
	return c
}

// isColor reports whether an escape sequence only selects how text looks.
func isColor(sequence string) bool {
	parameters, ok := strings.CutPrefix(sequence, "\x1b[")
	if !ok {
		return false
	}
	parameters, ok = strings.CutSuffix(parameters, "m")
	return ok && strings.Trim(parameters, "0123456789;:") == ""
}

// sequenceLength returns the length of the escape sequence that text begins
// with, by ECMA-48: a control sequence ends with its final byte, a string
// (title, link) with a terminator, any other after one byte and what comes
// between. One that is cut short ends with the text.
func sequenceLength(text string) int {
	if len(text) < 2 {
		return len(text)
	}
	switch text[1] {
	case '[':
		for i := 2; i < len(text); i++ {
			if text[i] >= '@' && text[i] <= '~' {
				return i + 1
			}
		}
		return len(text)
	case ']', 'P', 'X', '^', '_':
		if end := strings.IndexAny(text[2:], "\a\x1b"); end >= 0 {
			end += 2
			if strings.HasPrefix(text[end:], "\x1b\\") {
				return end + 2
			}
			if text[end] == '\a' {
				return end + 1
			}
			return end // another sequence breaks it off
		}
		return len(text)
	}
	i := 1
	for i < len(text)-1 && text[i] >= ' ' && text[i] <= '/' {
		i++
	}
	return i + 1
}
