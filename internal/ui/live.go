package ui

import (
	"fmt"
	"strings"
	"time"
)

const (
	frameInterval = 100 * time.Millisecond
	regionHeight  = 12 // lines at most, so that the region never scrolls
)

// spinner is shown one frame after the other beside a running step.
var spinner = []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")

// animate draws the live region anew, frame by frame, until stop is closed.
func (u *UI) animate(stop <-chan struct{}) {
	ticker := time.NewTicker(frameInterval)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
		}
		u.mu.Lock()
		if u.running > 0 {
			u.refresh()
		}
		u.mu.Unlock()
	}
}

// draw puts the live region below the log: what runs, and what is over but
// waits for a step before it. Lines are cut to the width of the terminal, and
// wrapping is off meanwhile, for the next frame moves up by the number of lines.
func (u *UI) draw() {
	lines := u.region(&u.root, nil)
	if len(lines) == 0 {
		return
	}
	if more := len(lines) - regionHeight; more > 0 {
		lines = append(lines[:regionHeight-1], fmt.Sprintf("… and %d more lines", more+1))
	}
	u.buffer.WriteString("\x1b[?7l")
	for _, line := range lines {
		u.buffer.WriteString(line + "\n")
	}
	u.buffer.WriteString("\x1b[?7h")
	u.drawn = len(lines)
}

// region appends the lines for the blocks in b that are not yet in the log.
func (u *UI) region(b *block, lines []string) []string {
	for _, e := range b.entries {
		child := e.block
		if child == nil || !child.step && len(child.entries) == 0 {
			continue
		}
		margin := u.indentation(b)
		switch {
		case !child.step && !child.opened:
			lines = append(lines, margin+u.paint(bold, u.cut(u.clean(child.title), margin)))
		case child.done:
			lines = append(lines, margin+u.clean(u.outcome(child)))
		case child.step:
			lines = append(lines, margin+u.runningLine(child, margin))
		}
		lines = u.region(child, lines)
	}
	if last := b.lastOutput(); last != "" {
		margin := u.indentation(b)
		lines = append(lines, margin+u.paint(dim, u.cut(sanitize("│ "+u.clean(last), false), margin)))
	}
	return lines
}

// runningLine is the line of a running step: title, time, status.
func (u *UI) runningLine(b *block, margin string) string {
	elapsed := u.o.Now().Sub(b.started)
	frame := string(spinner[int(elapsed/frameInterval)%len(spinner)])
	text := " " + b.title
	if elapsed >= time.Second {
		text += " (" + formatDuration(elapsed) + ")"
	}
	if b.status != "" {
		text += ": " + b.status
	}
	return u.paint(cyan, frame) + u.cut(u.clean(text), margin+"⠋")
}

// lastOutput is the line that the tool of a running step wrote last.
func (b *block) lastOutput() string {
	if b.done || b.output == nil {
		return ""
	}
	if pending := strings.TrimSpace(b.output.Pending()); pending != "" {
		return pending
	}
	if len(b.tail) > 0 {
		return b.tail[len(b.tail)-1]
	}
	return ""
}

// cut shortens text, which holds no colours, to what the terminal has room
// for after margin.
func (u *UI) cut(text, margin string) string {
	room := u.o.Width - len([]rune(margin))
	characters := []rune(text)
	if u.o.Width == 0 || len(characters) <= room {
		return text
	}
	return string(characters[:max(room-1, 0)]) + "…"
}
