package retry_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deploy-action/deploy-action/internal/retry"
)

var errBusy = errors.New("busy")

func TestDoTriesAgainUntilItSucceeds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start, tries := time.Now(), 0
		err := retry.Do(t.Context(), func(context.Context) error {
			if tries++; tries < 3 {
				return retry.Transient(errBusy)
			}
			return nil
		})
		if err != nil || tries != 3 {
			t.Errorf("Do = %v after %d tries, want nil after 3", err, tries)
		}
		// 250 ms and 500 ms, each spread by half.
		if waited := time.Since(start); waited < 375*time.Millisecond || waited > 1125*time.Millisecond {
			t.Errorf("Do waited %v, want about 750ms", waited)
		}
	})
}

func TestDoGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		err := retry.Do(t.Context(), func(context.Context) error {
			tries++
			return fmt.Errorf("pushing %q: %w", "web", retry.Transient(errBusy))
		})
		if tries != 5 || !errors.Is(err, errBusy) {
			t.Errorf("Do = %v after %d tries, want errBusy after 5", err, tries)
		}
		if want := `pushing "web": busy (after 5 tries)`; err.Error() != want {
			t.Errorf("Do = %q, want %q", err, want)
		}
	})
}

func TestDoReturnsOtherErrorsAtOnce(t *testing.T) {
	t.Parallel()
	tries := 0
	err := retry.Do(t.Context(), func(context.Context) error {
		tries++
		return errBusy
	})
	if tries != 1 || err != errBusy {
		t.Errorf("Do = %v after %d tries, want errBusy itself after one", err, tries)
	}
}

// TestDoTakesTheMarkAway runs one Do in another: only the inner one may retry.
func TestDoTakesTheMarkAway(t *testing.T) {
	t.Parallel()
	for name, mark := range map[string]func() error{
		"outside": func() error { return retry.Transient(&fs.PathError{Op: "open", Path: "x", Err: errBusy}) },
		"inside":  func() error { return &fs.PathError{Op: "open", Path: "x", Err: retry.Transient(errBusy)} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tries := 0
				err := retry.Do(t.Context(), func(ctx context.Context) error {
					return retry.Do(ctx, func(context.Context) error {
						tries++
						return mark()
					})
				})
				if tries != 5 {
					t.Errorf("%d tries, want 5: the outer Do took the inner mark for its own", tries)
				}
				if path, ok := errors.AsType[*fs.PathError](err); !ok || path.Path != "x" || !errors.Is(err, errBusy) {
					t.Errorf("Do = %v, want what was around and inside the mark", err)
				}
			})
		})
	}
}

func TestDoWaitsAsLongAsTheServiceSays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start, tries := time.Now(), 0
		err := retry.Do(t.Context(), func(context.Context) error {
			if tries++; tries == 1 {
				return retry.After(errBusy, 42*time.Second)
			}
			return nil
		})
		if waited := time.Since(start); err != nil || waited != 42*time.Second {
			t.Errorf("Do = %v after %v, want nil after 42s", err, waited)
		}
	})
}

func TestDoEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		err := retry.Do(ctx, func(context.Context) error { return retry.After(errBusy, time.Hour) })
		if waited := time.Since(start); err != errBusy || waited != time.Second {
			t.Errorf("Do = %v after %v, want the last error, unmarked, after 1s", err, waited)
		}
	})
}

func TestMarksOfNil(t *testing.T) {
	t.Parallel()
	if retry.Transient(nil) != nil || retry.After(nil, time.Second) != nil {
		t.Error("nil was marked as an error")
	}
}

func TestPoll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start, calls := time.Now(), 0
		err := retry.Poll(t.Context(), 3*time.Second, func(context.Context) (bool, error) {
			calls++
			return calls == 4, nil
		})
		if waited := time.Since(start); err != nil || calls != 4 || waited != 9*time.Second {
			t.Errorf("Poll = %v after %d calls in %v, want nil after 4 in 9s", err, calls, waited)
		}
	})
}

func TestPollEndsWithAnError(t *testing.T) {
	t.Parallel()
	err := retry.Poll(t.Context(), time.Hour, func(context.Context) (bool, error) { return false, errBusy })
	if err != errBusy {
		t.Errorf("Poll = %v, want errBusy", err)
	}
}

func TestPollEndsWithTheCause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Second, errBusy)
		defer cancel()
		calls := 0
		err := retry.Poll(ctx, 4*time.Second, func(context.Context) (bool, error) {
			calls++
			return false, nil
		})
		if err != errBusy || calls != 3 {
			t.Errorf("Poll = %v after %d calls, want the cause after 3", err, calls)
		}
	})
}

func TestSleepOnAnEndedContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errBusy)
	for range 50 { // chance must not decide
		if err := retry.Sleep(ctx, 0); err != errBusy {
			t.Fatalf("Sleep = %v, want the cause", err)
		}
	}
}
