// Package ui is what the user sees of a run, on the runner and on a terminal.
//
// It shows what it is told, in an order and a form that people can read: one
// line per step, one block per step, problems with their source lines. It
// decides nothing about a run, and it writes nothing that survives the log
// but the summary, which it hands to package workflow.
package ui

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/workflow"
)

// Options say where and how a [UI] shows a run.
type Options struct {
	// Out takes the log. It is not used where Runner is set.
	Out io.Writer

	// Runner takes the log inside a job: foldable groups, tool output in full,
	// annotations, the summary. Nil on a terminal.
	Runner *workflow.Runner

	Secrets *secret.Set                 // masked in all that is shown; nil for none
	Files   func() map[string]*hcl.File // sources for diagnostics; nil for none
	Heard   func(hcl.Diagnostics)       // is called with all diagnostics that are shown, one call at a time; nil for none
	Dir     string                      // paths in diagnostics are relative to it; "" as they are
	Color   bool                        // the log may hold colours
	Live    bool                        // Out is a terminal: running steps are updated in place; not with Runner
	Width   int                         // columns of the terminal; 0 for no limit
	Now     func() time.Time            // times steps; nil for the clock of the machine
	Debug   bool                        // show tool output in full, and what [UI.Logger] takes
}

// UI shows one run. It implements engine.UI. All its methods are safe for
// concurrent use; whole blocks appear one after the other however many steps
// run at once.
type UI struct {
	o Options

	mu     sync.Mutex // guards what follows, every block, and the order of the log
	root   block
	groups []*block // the open ones, innermost last
	failed *block   // on the runner: the step whose last output goes outside its group
	buffer strings.Builder
	ragged bool // the last line of the log is not empty

	running int           // steps
	drawn   int           // lines of the live region on the screen
	stop    chan struct{} // ends the animation
}

// New returns a UI that has shown nothing yet. A Runner without secrets of its
// own gets those of o: what it writes by itself is shown too.
func New(o Options) *UI {
	if o.Runner != nil && o.Runner.Secrets == nil {
		o.Runner.Secrets = o.Secrets
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Live = o.Live && o.Runner == nil
	return &UI{o: o}
}

// Group opens a section of the log; end closes it, and may be called more than
// once. On a runner it can be folded; elsewhere it is a heading. A group in
// which nothing happens is not shown. An error shown by [UI.Diagnostics] ends
// every open group, so that it is never folded away.
func (u *UI) Group(title string) (end func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	g := &block{parent: u.current(), title: oneLine(title)}
	g.parent.entries = append(g.parent.entries, entry{block: g})
	u.groups = append(u.groups, g)
	u.failed = nil // what failed before was not worth an error
	return func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.groups = slices.DeleteFunc(u.groups, func(open *block) bool { return open == g })
		g.done = true
		u.refresh()
	}
}

// Print shows text, one line or more, formatted as by [fmt.Sprintf]. It
// appears at once, above a running step that has shown nothing yet.
func (u *UI) Print(format string, args ...any) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.show(u.current(), strings.Split(strings.TrimSuffix(fmt.Sprintf(format, args...), "\n"), "\n")...)
}

// Diagnostics shows each diagnostic with its source lines, and on a runner as
// an annotation. Before an error it shows the last output of the step that
// failed, if that is folded away in a group.
func (u *UI) Diagnostics(diags hcl.Diagnostics) {
	if len(diags) == 0 {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.o.Heard != nil {
		u.o.Heard(diags)
	}
	if diags.HasErrors() {
		for _, g := range u.groups {
			g.done = true
		}
		u.groups = nil
	}
	b := u.current()
	if diags.HasErrors() && u.failed != nil {
		u.add(b, entry{gap: true})
		u.show(b, fmt.Sprintf("The last output of %q:", u.failed.title))
		u.show(b, u.failed.tailLines(u)...)
		u.failed = nil
	}
	for _, d := range diags {
		u.add(b, entry{gap: true})
		u.show(b, u.diagnostic(d)...)
	}
	u.add(b, entry{gap: true})
	if u.o.Runner != nil {
		u.add(b, entry{diags: diags})
	}
	u.refresh()
}

// Plan shows what would change for app.
func (u *UI) Plan(app string, p component.Plan) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.show(u.current(), u.plan(app, p)...)
}

// Summary appends Markdown to the page of the run. A terminal has none.
func (u *UI) Summary(markdown string) {
	if u.o.Runner == nil {
		return
	}
	if err := u.o.Runner.AppendSummary(u.o.Secrets.RedactString(markdown)); err != nil {
		u.Print("The summary of the run is incomplete: %v", err)
	}
}

// current returns the innermost open group, or the root.
func (u *UI) current() *block {
	if len(u.groups) == 0 {
		return &u.root
	}
	return u.groups[len(u.groups)-1]
}

// show adds lines to a block and brings the log up to date.
func (u *UI) show(b *block, lines ...string) {
	for _, line := range lines {
		u.add(b, entry{text: line})
	}
	u.refresh()
}

// add puts e at the end of a block, or before a running step of it that has
// shown nothing yet and would only hold e up.
func (u *UI) add(b *block, e entry) {
	at := slices.IndexFunc(b.entries, func(other entry) bool {
		return other.block != nil && other.block.step && !other.block.opened && !other.block.done
	})
	if at < 0 {
		at = len(b.entries)
	}
	b.entries = slices.Insert(b.entries, at, e)
}

// oneLine makes one line of text that is shown on one.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
