package ui

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/workflow"
)

// statusInterval is how often the log of a runner repeats a status that
// changes. A step that is over sooner shows none.
const statusInterval = 5 * time.Second

var (
	_ component.Progress = (*UI)(nil)
	_ component.Step     = step{}
)

// stepKey is the key of the running step in a context: steps that start under
// it nest.
type stepKey struct{}

// Step runs fn as one named step: it times fn, marks the step done or failed by
// fn's error, and returns that error. Under the context that fn gets, further
// steps nest.
func (u *UI) Step(ctx context.Context, title string, fn func(context.Context, component.Step) error) error {
	b := u.begin(ctx, title)
	err := fn(context.WithValue(ctx, stepKey{}, b), step{u, b})
	u.finish(b, err)
	return err
}

// begin adds a step to the log, below the step of ctx.
func (u *UI) begin(ctx context.Context, title string) *block {
	u.mu.Lock()
	defer u.mu.Unlock()
	b := &block{step: true, title: oneLine(title), started: u.o.Now()}
	b.statusAt = b.started
	parent, nested := ctx.Value(stepKey{}).(*block)
	if !nested || parent.done {
		parent = u.current()
	}
	b.parent = parent
	parent.entries = append(parent.entries, entry{block: b})
	u.running++
	if u.running == 1 && u.o.Live {
		u.stop = make(chan struct{})
		go u.animate(u.stop)
	}
	u.refresh()
	return b
}

// finish marks a step done or failed.
func (u *UI) finish(b *block, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if b.output != nil {
		_ = b.output.Close() // hands on the last line; its error is nil
	}
	b.done, b.err, b.took = true, err, u.o.Now().Sub(b.started)
	if err != nil && u.o.Runner != nil && len(b.tail) > 0 && b.grouped() && !u.failed.within(b) {
		u.failed = b
	}
	u.running--
	if u.running == 0 && u.o.Live {
		close(u.stop)
	}
	u.refresh()
}

// step is a running step, as its function sees it.
type step struct {
	u *UI
	b *block
}

// Update replaces the status line of s. On a terminal it is seen with the next
// frame; the log of a runner shows it every few seconds, and a failed step the last one.
func (s step) Update(format string, args ...any) {
	u, b := s.u, s.b
	status := oneLine(fmt.Sprintf(format, args...))
	u.mu.Lock()
	defer u.mu.Unlock()
	if b.done || b.status == status {
		return
	}
	b.status = status
	if now := u.o.Now(); u.showsOutput() && now.Sub(b.statusAt) >= statusInterval {
		b.statusAt = now
		b.entries = append(b.entries, entry{text: u.paint(dim, "… "+status)})
		u.refresh()
	}
}

// Output returns a writer for the raw output of a tool. Several goroutines may
// write to it. What comes after the end of the step is dropped.
func (s step) Output() io.Writer { return output(s) }

// output is [io.Writer] for the output of a step.
type output struct {
	u *UI
	b *block
}

// Write takes the next bytes. Its error is nil.
func (o output) Write(p []byte) (int, error) {
	u, b := o.u, o.b
	u.mu.Lock()
	defer u.mu.Unlock()
	if b.done {
		return len(p), nil
	}
	if b.output == nil {
		b.output = &workflow.LineWriter{
			Line:    func(line string) { u.outputLine(b, line) },
			Secrets: u.o.Secrets,
		}
	}
	n, err := b.output.Write(p)
	if u.showsOutput() {
		u.refresh()
	}
	return n, err
}

// outputLine keeps one line of a step's output: for the log where it is shown,
// and in any case for the moment of failure.
func (u *UI) outputLine(b *block, line string) {
	line = u.clean(line)
	if len(b.tail) == tailLength {
		b.tail = append(b.tail[:0], b.tail[1:]...)
		b.dropped++
	}
	b.tail = append(b.tail, line)
	if u.showsOutput() {
		b.entries = append(b.entries, entry{text: u.gutter(line)})
	}
}
