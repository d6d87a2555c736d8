package ui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/workflow"
)

const (
	indent     = "  "
	tailLength = 40                     // lines of output that a failed step shows
	noticeable = 100 * time.Millisecond // from which a step's duration is worth showing
)

// block is a part of the log that is never torn apart: the whole log, a group,
// or a step. What is in it is written in order, as soon as all before it has
// been; so the first of several running steps is seen as it goes, and the
// others wait in memory.
type block struct {
	parent  *block // nil for the whole log
	title   string
	step    bool    // rather than a group
	entries []entry // still to be written
	opened  bool    // its heading is written
	done    bool
	end     func() // on a runner: ends the group; nil while it is not opened

	// What follows is of steps only.
	err      error
	started  time.Time
	took     time.Duration
	status   string
	statusAt time.Time            // when the status was last put in the log
	output   *workflow.LineWriter // nil before the first call of Output
	tail     []string             // the last lines of its output
	dropped  int                  // how many lines were before them
}

// entry is one thing in a block: a line of text, a block, diagnostics to
// annotate, or a gap, which is an empty line where there is none yet.
type entry struct {
	text  string
	block *block
	diags hcl.Diagnostics
	gap   bool
}

// refresh writes what can be written by now, and draws the live region anew.
func (u *UI) refresh() {
	erase := u.drawn > 0
	if erase {
		fmt.Fprintf(&u.buffer, "\x1b[%dA\r\x1b[J", u.drawn)
		u.drawn = 0
	}
	u.flush(&u.root)
	if u.o.Live {
		u.draw()
	}
	if u.buffer.Len() > 0 {
		// A terminal that is gone leaves nobody to tell.
		_, _ = io.WriteString(u.o.Out, u.buffer.String())
		u.buffer.Reset()
	}
}

// flush writes what it can of b, and reports whether that was all of it.
func (u *UI) flush(b *block) (all bool) {
	for len(b.entries) > 0 {
		switch e := b.entries[0]; {
		case e.block != nil:
			if !u.flush(e.block) {
				return false
			}
		case e.diags != nil:
			u.o.Runner.Annotate(e.diags)
		case e.gap:
			if u.ragged {
				u.write("")
			}
		default:
			u.open(b)
			u.write(u.indentation(b) + e.text)
		}
		b.entries = b.entries[1:]
	}
	if b.done {
		u.close(b)
	}
	return b.done
}

// open writes the headings of b and of the blocks around it, once.
func (u *UI) open(b *block) {
	if b.opened || b.parent == nil {
		return
	}
	b.opened = true
	if !b.step && u.o.Runner != nil {
		// Groups do not nest there: the heading of one inside another says both.
		b.end = u.o.Runner.Group(u.clean(b.path()))
		return
	}
	u.open(b.parent)
	heading := u.paint(bold, b.title)
	if b.step {
		heading = "▸ " + b.title
	}
	u.write(u.indentation(b.parent) + heading)
}

// path is the titles of b and of the blocks around it.
func (b *block) path() string {
	if b.parent == nil || b.parent.parent == nil {
		return b.title
	}
	return b.parent.path() + " › " + b.title
}

// grouped reports whether b is in a group.
func (b *block) grouped() bool {
	for ; b.parent != nil; b = b.parent {
		if !b.step {
			return true
		}
	}
	return false
}

// within reports whether b is outer, or somewhere in it.
func (b *block) within(outer *block) bool {
	for ; b != nil; b = b.parent {
		if b == outer {
			return true
		}
	}
	return false
}

// close writes the last lines of b.
func (u *UI) close(b *block) {
	if b.end != nil {
		b.end()
	}
	if !b.step {
		return
	}
	u.open(b.parent)
	margin := u.indentation(b.parent)
	u.write(margin + u.outcome(b))
	if b.err == nil || u.showsOutput() {
		return
	}
	for _, line := range b.tailLines(u) {
		u.write(margin + line)
	}
}

// outcome is the one line that a step leaves behind.
func (u *UI) outcome(b *block) string {
	symbol := u.paint(green, "✓")
	if b.err != nil {
		symbol = u.paint(red, "✗")
	}
	line := symbol + " " + b.title
	if b.took >= noticeable {
		line += u.paint(dim, " ("+formatDuration(b.took)+")")
	}
	switch {
	case b.err == nil:
	case errors.Is(b.err, context.Canceled):
		line += ": interrupted"
	case b.status != "":
		line += ": " + b.status
	}
	return line
}

// tailLines are the last lines of the output of b.
func (b *block) tailLines(u *UI) []string {
	var lines []string
	switch {
	case b.dropped == 1:
		lines = append(lines, indent+u.paint(dim, "… 1 line before"))
	case b.dropped > 1:
		lines = append(lines, indent+u.paint(dim, fmt.Sprintf("… %d lines before", b.dropped)))
	}
	for _, line := range b.tail {
		lines = append(lines, indent+u.gutter(line))
	}
	return lines
}

// gutter sets a line of a tool's output apart from ours.
func (u *UI) gutter(line string) string { return u.paint(dim, "│") + " " + line }

// showsOutput reports whether the output of tools is shown in full.
func (u *UI) showsOutput() bool { return u.o.Runner != nil || u.o.Debug }

// indentation is what comes before a line in b. On a runner groups are folded
// and need none.
func (u *UI) indentation(b *block) string {
	depth := 0
	for ; b.parent != nil; b = b.parent {
		if b.step || u.o.Runner == nil {
			depth++
		}
	}
	return strings.Repeat(indent, depth)
}

// write writes one line of the log. Everything that is shown passes here.
func (u *UI) write(line string) {
	line = strings.TrimRight(u.clean(line), " ")
	u.ragged = line != ""
	if u.o.Runner != nil {
		u.o.Runner.Print(line)
		return
	}
	u.buffer.WriteString(line)
	u.buffer.WriteByte('\n')
}

// clean makes text safe to show: no secret, and nothing that a terminal would
// obey but colours.
func (u *UI) clean(text string) string { return u.o.Secrets.RedactString(sanitize(text, u.o.Color)) }

// formatDuration is exact to a tenth of a second below a minute, and to a
// second above.
func formatDuration(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1fs", d.Truncate(100*time.Millisecond).Seconds())
	}
	minutes, seconds := int(d.Minutes()), int(d.Seconds())%60
	if minutes < 60 {
		return fmt.Sprintf("%dm%02ds", minutes, seconds)
	}
	return fmt.Sprintf("%dh%02dm", minutes/60, minutes%60)
}
