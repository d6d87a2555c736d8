// Package retry holds the one retry policy and the one poll helper of the
// whole program. It decides how often and when, never what is worth another
// try: that is the caller's knowledge.
package retry

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// The policy of [Do]: at most attempts tries, with pauses that double from
// first and are spread by half either way.
const (
	attempts = 5
	first    = 250 * time.Millisecond
	longest  = 8 * time.Second
)

// transient marks an error as worth another try.
type transient struct {
	error
	after time.Duration
}

func (t transient) Unwrap() error { return t.error }

// settled hides the mark inside an error, so that a caller that retries as
// well does not take it for its own. All else in the error can be found.
type settled struct{ error }

func (s settled) Is(target error) bool { return errors.Is(s.error, target) }

func (s settled) As(target any) bool {
	if _, mark := target.(*transient); mark {
		return false
	}
	return errors.As(s.error, target)
}

// unmark returns err without its mark.
func unmark(err error) error {
	if mark, ok := err.(transient); ok {
		return mark.error
	}
	return settled{err}
}

// Transient marks err as worth another try. Transient(nil) is nil.
func Transient(err error) error { return After(err, 0) }

// After is [Transient] for a service that said how long to wait.
func After(err error, pause time.Duration) error {
	if err == nil {
		return nil
	}
	return transient{err, pause}
}

// Do calls fn until it returns nil, an error not marked with [Transient] or
// [After], ctx ends, or the tries are used up; then it returns the last error,
// unmarked.
func Do(ctx context.Context, fn func(context.Context) error) error {
	return tries(ctx, func(try int, _ time.Duration) bool { return try < attempts }, fn)
}

// Patiently is [Do] for what must be done: as long as patience is not over, the
// tries are not used up.
func Patiently(ctx context.Context, patience time.Duration, fn func(context.Context) error) error {
	began := time.Now()
	return tries(ctx, func(try int, wait time.Duration) bool {
		return try < attempts || time.Since(began)+wait <= patience
	}, fn)
}

// tries calls fn until it is done or has failed, or another reports that there
// is no further try after a pause.
func tries(ctx context.Context, another func(try int, pause time.Duration) bool, fn func(context.Context) error) error {
	pause := first
	for try := 1; ; try++ {
		err := fn(ctx)
		mark, again := errors.AsType[transient](err)
		if !again {
			return err
		}
		wait := mark.after
		if wait == 0 {
			wait = pause/2 + rand.N(pause)
		}
		if !another(try, wait) {
			return fmt.Errorf("%w (after %d tries)", unmark(err), try)
		}
		if Sleep(ctx, wait) != nil {
			return unmark(err)
		}
		pause = min(2*pause, longest)
	}
}

// Poll calls fn at once and then every interval until it is done, fails, or ctx
// ends. When ctx ends it returns the cause of that end, but only after fn was
// called.
func Poll(ctx context.Context, interval time.Duration, fn func(context.Context) (done bool, err error)) error {
	for {
		done, err := fn(ctx)
		if done || err != nil {
			return err
		}
		if err := Sleep(ctx, interval); err != nil {
			return err
		}
	}
}

// Sleep waits for d, or returns the cause when ctx ends before.
func Sleep(ctx context.Context, d time.Duration) error {
	if ctx.Err() != nil {
		// Without this, a d that is over at once would be a matter of chance.
		return context.Cause(ctx)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
