package report

import "strings"

// What the parts of a page can take, in bytes. All of them together stay below
// what a runner takes, with room for what other programs write.
const (
	pageSize   = 768 << 10
	tableSize  = 256 << 10
	notesSize  = 64 << 10
	planSize   = 128 << 10 // of one app
	imagesSize = 64 << 10
	diffSize   = 20 << 10 // of one change
	ganttSize  = 40 << 10 // Mermaid draws nothing that is longer than 50,000 characters
	detailSize = 4 << 10  // of one problem

	commentPlanSize = 20 << 10 // of one app, in a comment

	mostProblems = 20 // of the run, or of one app
	logLines     = 40
	logWidth     = 500 // of a line that somebody else wrote, in bytes
)

// page adds parts as long as there is room. The parts come in the order in
// which they matter.
type page struct {
	b       *strings.Builder
	room    int
	omitted int // parts for which there was none
}

// add writes a part that is written as a whole or not at all.
func (p *page) add(write func(*strings.Builder)) {
	text := written(write)
	if len(text) > p.room {
		p.omitted++
		return
	}
	p.room -= len(text)
	p.b.WriteString(text)
}

// written returns what write writes.
func written(write func(*strings.Builder)) string {
	var b strings.Builder
	write(&b)
	return b.String()
}

// cutText returns the beginning of text, in at most size bytes and a mark.
func cutText(text string, size int) string {
	if len(text) <= size {
		return text
	}
	return strings.ToValidUTF8(text[:size], "") + "…"
}

// cutLines returns as many lines of text as size bytes have room for, and says
// so where that is not all. Long lines are cut.
func cutLines(text string, size int) string {
	if text = strings.TrimRight(text, "\n"); text == "" {
		return ""
	}
	var b strings.Builder
	for line := range strings.SplitSeq(text, "\n") {
		line = cutText(line, logWidth)
		if b.Len()+len(line) > size {
			b.WriteString("… the rest is in the log\n")
			break
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}
