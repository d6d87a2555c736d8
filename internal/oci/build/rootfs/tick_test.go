//go:build linux

package rootfs

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestOutwait(t *testing.T) {
	t.Parallel()
	start := time.Date(2000, 1, 1, 0, 0, 0, int(100*time.Millisecond), time.UTC)
	tests := map[string]struct {
		latest time.Duration // of the files, after the start
		tick   time.Duration // how long the clock stands still
		fine   bool
		want   time.Duration // that is waited at least
		most   time.Duration
	}{
		"long ago":                       {-time.Hour, 4 * time.Millisecond, true, 0, 0},
		"this instant":                   {0, 4 * time.Millisecond, true, 4 * time.Millisecond, 6 * time.Millisecond},
		"between two ticks":              {3 * time.Millisecond, 10 * time.Millisecond, true, 10 * time.Millisecond, 12 * time.Millisecond},
		"this second, and whole seconds": {-100 * time.Millisecond, 4 * time.Millisecond, false, 900 * time.Millisecond, 910 * time.Millisecond},
		"last second, and whole seconds": {-1100 * time.Millisecond, 4 * time.Millisecond, false, 0, 0},
		"far in the future":              {time.Hour, 4 * time.Millisecond, true, 0, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				clock := func() time.Time { return start.Add(time.Since(begin).Truncate(test.tick)) }
				s := &State{latest: start.Add(test.latest).UnixNano(), fine: test.fine}
				if err := s.outwait(t.Context(), clock); err != nil {
					t.Fatal(err)
				}
				if waited := time.Since(begin); waited < test.want || waited > test.most {
					t.Errorf("waited %v, want %v to %v", waited, test.want, test.most)
				}
			})
		})
	}
}

func TestOutwaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	stopped := errors.New("stopped")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stopped)
	now := time.Unix(1000, 5)
	s := &State{latest: now.UnixNano(), fine: true}
	if err := s.outwait(ctx, func() time.Time { return now }); !errors.Is(err, stopped) {
		t.Errorf("outwait = %v, want %v", err, stopped)
	}
}
