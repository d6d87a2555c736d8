package app

import (
	"context"
	"sync"
	"time"

	"github.com/deploy-action/deploy-action/internal/engine"
	"github.com/deploy-action/deploy-action/internal/state"
)

// A runner sends SIGINT, after 7.5 seconds SIGTERM, and after another 2.5 it
// kills. What follows the first signal is planned for less than that.
const (
	// notice is all the time that is used after the first signal.
	notice = 9 * time.Second

	// patience is how long a verb may take to come back after it.
	patience = 5 * time.Second

	// briefly is what a report may take then: the state goes first.
	briefly = 1500 * time.Millisecond

	// reserved is what uploading the state leaves for locks and statuses.
	reserved = 2 * time.Second
)

// ending divides the time that is left once a run was cancelled.
type ending struct {
	unhurried bool // nobody kills: a person has pressed a key
	cancelled <-chan struct{}
	once      sync.Once
	until     time.Time // all is to be done by then; valid after begin
}

// newEnding returns the ending of a run whose context is ctx.
func newEnding(ctx context.Context) *ending {
	e := &ending{cancelled: ctx.Done()}
	context.AfterFunc(ctx, e.begin)
	return e
}

func (e *ending) begin() { e.once.Do(func() { e.until = time.Now().Add(notice) }) }

// hasBegun reports whether the run was cancelled.
func (e *ending) hasBegun() bool {
	select {
	case <-e.cancelled:
		return true
	default:
		return false
	}
}

// lasting returns a context for what must be done also when ctx has ended: it
// has so long for it, or, after that, what is left but for the reserve.
func (e *ending) lasting(ctx context.Context, longest, reserve time.Duration) (context.Context, context.CancelFunc) {
	if ctx.Err() != nil && !e.unhurried {
		e.begin()
		longest = min(longest, time.Until(e.until)-reserve)
	}
	return context.WithTimeout(context.WithoutCancel(ctx), longest)
}

// await returns what work returns. In a job it does not wait for work that goes
// on and on after ctx has ended, as a plugin can that does not look at it:
// the runner kills, and the state is to be saved before. Then the error is
// [errGivenUp], and the fence keeps the work from beginning anything else.
func (m *machine) await(ctx context.Context, work func() error) error {
	if !m.runner.Active() {
		return work()
	}
	done := make(chan error, 1)
	go func() { done <- work() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		m.fence.givenUp.Store(true)
		return errGivenUp
	}
}

// guardedReporter tells nothing once the fence stands, and is brief after a
// signal. It remembers what was told last of each app.
type guardedReporter struct {
	engine.Reporter
	machine *machine
}

var _ engine.Reporter = guardedReporter{}

// Report implements [engine.Reporter].
func (g guardedReporter) Report(ctx context.Context, r state.Record) error {
	m := g.machine
	if m.fence.check() != nil {
		return nil // the post step tells what became of it
	}
	m.told.remember(r)
	if m.ending.hasBegun() {
		brief, cancel := context.WithTimeout(ctx, briefly)
		defer cancel()
		ctx = brief
	}
	return g.Reporter.Report(ctx, r)
}
