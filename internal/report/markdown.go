package report

import (
	"html"
	"net/url"
	"regexp"
	"strings"
	"unicode"
)

// oneLine returns text without line breaks and control characters.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r):
			return ' '
		case unicode.Is(unicode.Bidi_Control, r):
			return -1 // it would turn around what we write after it
		}
		return r
	}, terminalCodes.ReplaceAllString(text, ""))
	return strings.Join(strings.Fields(text), " ")
}

// terminalCodes are the escape sequences with which tools colour their output.
var terminalCodes = regexp.MustCompile(`\x1b(\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?)`)

// blockStart is what makes a list, a heading or a rule at the start of a line.
var blockStart = regexp.MustCompile(`^([-+=]|[0-9]+[.)])`)

// escape returns text as one line of Markdown that shows it as it is, also
// inside a table.
func escape(text string) string {
	text = oneLine(text)
	var b strings.Builder
	if start := blockStart.FindString(text); start != "" {
		b.WriteString(start[:len(start)-1] + `\` + start[len(start)-1:])
		text = text[len(start):]
	}
	for _, r := range text {
		if strings.ContainsRune("\\`*_[]<>&|~#!$", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// noisy is what GitHub makes a mention, a reference or a link of, up to the
// place where a character that nobody sees prevents it. Escaping does not: it
// looks at the text that is shown.
var noisy = regexp.MustCompile(`(?i)@[\w-]|#\d|\bGH-\d|://|\bwww\.`)

// quietly returns text of which GitHub makes no mention, no reference and no
// link: in a comment those notify people and other threads.
func quietly(text string) string {
	return noisy.ReplaceAllStringFunc(oneLine(text), func(match string) string {
		return match[:len(match)-1] + "\u200b" + match[len(match)-1:]
	})
}

// quiet is [escape] for a comment.
func quiet(text string) string { return escape(quietly(text)) }

// asHTML is text for between two tags of a comment.
func asHTML(text string) string { return html.EscapeString(quietly(cutText(text, logWidth))) }

// code returns text as a code span, and no text as nothing. See [inTable].
func code(text string) string {
	text = oneLine(text)
	if text == "" {
		return ""
	}
	ticks := strings.Repeat("`", longestRun(text, '`')+1)
	if strings.HasPrefix(text, "`") || strings.HasSuffix(text, "`") {
		text = " " + text + " " // Markdown takes one space off on both sides
	}
	return ticks + text + ticks
}

// inTable makes a code span fit for the cell of a table: there a bar ends the
// cell, even inside of code.
func inTable(span string) string { return strings.ReplaceAll(span, "|", `\|`) }

// fence returns text as a block of code that ends where it should, whatever
// the text holds.
func fence(language, text string) string {
	text = terminalCodes.ReplaceAllString(text, "")
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		return r
	}, text)
	ticks := strings.Repeat("`", max(3, longestRun(text, '`')+1))
	return ticks + language + "\n" + strings.TrimRight(text, "\n") + "\n" + ticks + "\n"
}

// link returns a link to an address of the web, without its user and query.
// What is no such address is shown as code.
func link(address string) string {
	if address == "" {
		return ""
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return inTable(code(address))
	}
	shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	target := strings.NewReplacer("<", "%3C", ">", "%3E", "|", "%7C", `\`, "%5C", " ", "%20").Replace(shown.String())
	return "[" + escape(shown.Host+shown.Path) + "](<" + target + ">)"
}

// longestRun returns the length of the longest run of r in text.
func longestRun(text string, r rune) int {
	longest, run := 0, 0
	for _, c := range text {
		if c != r {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}
