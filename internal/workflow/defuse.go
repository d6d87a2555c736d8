package workflow

import (
	"bytes"
	"strings"
	"unicode"

	"github.com/deploy-action/deploy-action/internal/secret"
)

// Defuse returns text so that the runner obeys none of its lines. What it
// changes stays visible: a backslash, as the runner itself writes where it
// disarms its own markers.
//
// The runner obeys "::name::…" where a line begins with it after white space,
// and "##[name]…" anywhere. It compares by the rules of a culture, which
// ignore zero-width characters: these may stand before and between the signs,
// and inserting one would disarm nothing.
func Defuse(text string) string {
	if !strings.ContainsAny(text, ":[") {
		return text
	}
	var b strings.Builder
	for len(text) > 0 {
		end := strings.IndexAny(text, "\n\r") + 1 // for the runner either one ends a line
		if end == 0 {
			end = len(text)
		}
		defuseLine(&b, text[:end])
		text = text[end:]
	}
	return b.String()
}

// defuseLine writes line to b with a backslash before the colons that begin
// it, and one after each "##[".
func defuseLine(b *strings.Builder, line string) {
	rest := strings.TrimLeftFunc(line, func(c rune) bool { return unicode.IsSpace(c) || ignored(c) })
	if after, ok := strings.CutPrefix(rest, ":"); ok && strings.HasPrefix(strings.TrimLeftFunc(after, ignored), ":") {
		b.WriteString(line[:len(line)-len(rest)])
		b.WriteByte('\\')
		line = rest
	}
	for {
		bracket := strings.IndexByte(line, '[') + 1
		if bracket == 0 {
			b.WriteString(line)
			return
		}
		b.WriteString(line[:bracket])
		if endsInSigns(line[:bracket-1]) {
			b.WriteByte('\\')
		}
		line = line[bracket:]
	}
}

// endsInSigns reports whether text ends with what comes before the bracket of
// a command.
func endsInSigns(text string) bool {
	text, first := strings.CutSuffix(strings.TrimRightFunc(text, ignored), "#")
	return first && strings.HasSuffix(strings.TrimRightFunc(text, ignored), "#")
}

// ignored reports whether a comparison by culture may overlook c.
func ignored(c rune) bool {
	return unicode.In(c, unicode.Cf, unicode.Mn) || unicode.IsControl(c) && !unicode.IsSpace(c)
}

const (
	longestLine = 64 << 10
	heldBack    = 4 << 10 // of a line that is cut, for the secret that may stand across the cut
)

// LineWriter is an [io.Writer] that hands on whole lines, without their ends.
// Like a terminal it lets a carriage return begin the line anew, so of a
// progress bar only the last state is handed on. A line longer than 64 KiB
// comes in parts. It is not safe for concurrent use.
type LineWriter struct {
	Line    func(line string) // called for each line
	Secrets *secret.Set       // known secrets do not slip through where a long line is cut; or nil

	pending []byte
	shown   []byte // what the carriage return before pending erased
}

// Write takes the next bytes of the stream. Its error is nil.
func (w *LineWriter) Write(p []byte) (int, error) {
	written := len(p)
	for len(p) > 0 {
		end := bytes.IndexAny(p, "\n\r")
		if end < 0 {
			w.pending = append(w.pending, p...)
			break
		}
		w.pending = append(w.pending, p[:end]...)
		switch {
		case p[end] == '\n':
			w.flush()
		case len(w.pending) > 0: // erases nothing by itself, as the line end \r\n shows
			w.shown, w.pending = w.pending, nil
		}
		p = p[end+1:]
	}
	if len(w.pending) > longestLine {
		w.pending, _ = w.Secrets.Redact(w.pending)
		cut := max(len(w.pending)-heldBack, 0) // a mask may have made it short
		w.Line(string(w.pending[:cut]))
		w.pending = bytes.Clone(w.pending[cut:])
	}
	return written, nil
}

// Pending returns the line as it stands while its end is still to come.
func (w *LineWriter) Pending() string {
	if len(w.pending) > 0 {
		return string(w.pending)
	}
	return string(w.shown)
}

// Close hands on a last line that has no end. Its error is nil.
func (w *LineWriter) Close() error {
	if w.Pending() != "" {
		w.flush()
	}
	return nil
}

func (w *LineWriter) flush() {
	line := w.Pending()
	w.pending, w.shown = nil, nil
	w.Line(line)
}

// Writer returns a writer that defuses what a tool writes and puts it in the
// log line by line. Close it for a last line without an end.
func (r *Runner) Writer() *LineWriter { return &LineWriter{Line: r.Print, Secrets: r.Secrets} }
