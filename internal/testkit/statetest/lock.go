package statetest

import (
	"context"
	"errors"
	"testing"

	"github.com/deploy-action/deploy-action/internal/state"
)

// Lock checks Lock of a store that really locks.
func Lock(t *testing.T, open func(t *testing.T) state.Store) {
	for name, check := range map[string]func(*testing.T, state.Store){
		"lets the next one in after unlock":    waitsForUnlock,
		"is apart for each name":               isApart,
		"gives up when the context ends":       givesUp,
		"is not taken on an ended context":     refusesEndedContext,
		"may be unlocked twice":                unlocksTwice,
		"may be waited for without a listener": waitsSilently,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, open(t))
		})
	}
}

func lock(t *testing.T, s state.Store, project, app, workspace string) (unlock func(context.Context) error) {
	t.Helper()
	unlock, err := s.Lock(t.Context(), project, app, workspace, func(holder string) {
		t.Errorf("Lock(%q, %q, %q) waits for %q, want it free", project, app, workspace, holder)
	})
	if err != nil {
		t.Fatalf("Lock(%q, %q, %q) = %v", project, app, workspace, err)
	}
	return unlock
}

func waitsForUnlock(t *testing.T, s state.Store) {
	unlock := lock(t, s, "p", "web", "w")
	var told []string
	_, err := s.Lock(t.Context(), "p", "web", "w", func(holder string) {
		told = append(told, holder)
		if err := unlock(t.Context()); err != nil {
			t.Errorf("unlock = %v", err)
		}
	})
	if err != nil {
		t.Fatalf("Lock after unlock = %v", err)
	}
	if len(told) != 1 || told[0] == "" {
		t.Errorf("waiting was told %q, want the holder once", told)
	}
}

// isApart takes locks whose names differ in ways that a careless store drops.
func isApart(t *testing.T, s state.Store) {
	for _, names := range [][3]string{
		{"p", "web", "w"},
		{"p", "web", "W"},
		{"p", "Web", "w"},
		{"P", "web", "w"},
		{"p", "web.w", ""},
		{"p", "web", "w.w"},
		{"p.web", "w", "w"},
		{"p", "web/w", "w"},
		{"p", "web", ".."},
		{"p", "web", "."},
		{"p", "..", "w"},
		{"p", "web", "=2e"},
		{"p", "web", "_"},
		{"p", "web", "-"},
		{"p", "", "web"},
		{"", "p", "web"},
	} {
		unlock := lock(t, s, names[0], names[1], names[2])
		t.Cleanup(func() { unlock(context.WithoutCancel(t.Context())) })
	}
}

func givesUp(t *testing.T, s state.Store) {
	unlock := lock(t, s, "p", "web", "w")
	cause := errors.New("out of patience")
	ctx, cancel := context.WithCancelCause(t.Context())
	_, err := s.Lock(ctx, "p", "web", "w", func(string) { cancel(cause) })
	if !errors.Is(err, cause) {
		t.Errorf("Lock = %v, want it to wrap %q", err, cause)
	}
	if err := unlock(t.Context()); err != nil {
		t.Errorf("unlock = %v", err)
	}
	// The one that gave up must not have kept its place.
	lock(t, s, "p", "web", "w")
}

func refusesEndedContext(t *testing.T, s state.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Lock(ctx, "p", "web", "w", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Lock = %v, want context.Canceled", err)
	}
	lock(t, s, "p", "web", "w")
}

func unlocksTwice(t *testing.T, s state.Store) {
	first := lock(t, s, "p", "web", "w")
	if err := first(t.Context()); err != nil {
		t.Fatalf("unlock = %v", err)
	}
	second := lock(t, s, "p", "web", "w")
	if err := first(t.Context()); err != nil {
		t.Errorf("second unlock = %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := s.Lock(ctx, "p", "web", "w", func(string) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Lock = %v: the old unlock freed the lock of the next holder", err)
	}
	if err := second(t.Context()); err != nil {
		t.Errorf("unlock = %v", err)
	}
}

func waitsSilently(t *testing.T, s state.Store) {
	unlock := lock(t, s, "p", "web", "w")
	taken := make(chan error)
	go func() {
		_, err := s.Lock(t.Context(), "p", "web", "w", nil)
		taken <- err
	}()
	if err := unlock(t.Context()); err != nil {
		t.Errorf("unlock = %v", err)
	}
	if err := <-taken; err != nil {
		t.Errorf("Lock = %v", err)
	}
}
