package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/deploy-action/deploy-action/internal/retry"
	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/state/runstore"
)

// fenceInterval is how often a main step that is in the middle of something
// looks for the fence.
const fenceInterval = 200 * time.Millisecond

var (
	// errFenced ends a main step whose post step has begun.
	errFenced = errors.New("the post step of this job has begun, so nothing more may be changed here")

	// errGivenUp ends what a verb still does after the program has given it up.
	errGivenUp = errors.New("the run was cancelled and what it was doing did not end")
)

// fence keeps a main step from changing anything once its post step has begun.
// A runner that kills the Docker client may leave the container alive, and what
// the post step has told, uploaded and released must stay true. The post step
// leaves a file beside the journal; a fence that stands is never taken down.
type fence struct {
	path    string                  // of the file; "" where no post step can follow
	cut     context.CancelCauseFunc // ends the run
	givenUp atomic.Bool             // the program ends without waiting for the verb
}

// guard makes the fence of the machine, and returns a context that ends with ctx
// or when the fence is put up. The caller calls leave at the end.
func (m *machine) guard(ctx context.Context) (guarded context.Context, leave func()) {
	f := &fence{}
	guarded, f.cut = context.WithCancelCause(ctx)
	m.fence, m.ending = f, newEnding(guarded)
	if m.runner.Active() {
		f.path = m.fencePath()
	} else {
		m.ending.unhurried = true
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f.watch(guarded)
	}()
	return guarded, func() {
		f.cut(nil)
		<-ended
	}
}

// fencePath is the file that the post step leaves; "" where there is no folder
// that both steps see.
func (m *machine) fencePath() string {
	journal, err := runstore.JournalPath(m.getenv)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(journal, ".journal") + ".fence"
}

// putUpFence stops a main step that may still be alive.
func (m *machine) putUpFence() error {
	path := m.fencePath()
	if path == "" {
		return nil
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		return fmt.Errorf("stopping a main step that may still run: %w", err)
	}
	return nil
}

// watch looks for the fence until ctx ends.
func (f *fence) watch(ctx context.Context) {
	if f.path == "" {
		return
	}
	// It ends with ctx, which is no failure.
	_ = retry.Poll(ctx, fenceInterval, func(context.Context) (bool, error) { return f.stands(), nil })
}

// stands reports whether the post step has begun, and ends the run then.
func (f *fence) stands() bool {
	if f.path == "" {
		return false
	}
	if _, err := os.Stat(f.path); err != nil {
		return false
	}
	f.cut(errFenced)
	return true
}

// check returns an error where nothing more may be changed. It is called before
// each change.
func (f *fence) check() error {
	switch {
	case f.stands():
		return errFenced
	case f.givenUp.Load():
		return errGivenUp
	}
	return nil
}

// Put implements [state.Store].
func (r readable) Put(ctx context.Context, record state.Record) error {
	if err := r.fence.check(); err != nil {
		return err
	}
	return r.Store.Put(ctx, record)
}

// Flush implements [state.Store].
func (r readable) Flush(ctx context.Context) error {
	if r.fence.stands() {
		return errFenced
	}
	return r.Store.Flush(ctx)
}
