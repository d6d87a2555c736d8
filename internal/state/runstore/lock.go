package runstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// locks are held by goroutines of this process.
type locks struct {
	mu   sync.Mutex
	held map[key]chan struct{} // full while held
}

// Lock implements [state.Store]. Unlock lets the next goroutine in; on GitHub
// the lock is kept until Release, since later steps of the job share it. Where
// the token allows no lock it returns a [*claim.UnlockableError].
func (s *Store) Lock(ctx context.Context, project, app, workspace string, waiting func(holder string)) (unlock func(context.Context) error, err error) {
	k := key{project, app, workspace}
	unlock, err = s.locks.take(ctx, k, waiting)
	if err != nil || s.options.NoLock {
		return unlock, err
	}
	fresh, err := s.locker.Lock(ctx, k.claim(), waiting)
	if err != nil {
		return nil, errors.Join(err, unlock(ctx))
	}
	if fresh {
		s.forget(k)
	}
	return unlock, nil
}

// forget makes the next List ask again: whoever had the lock before may have
// written since.
func (s *Store) forget(k key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.view(k).complete = false
}

// Release gives back on GitHub what Lock has taken in this job. The post step
// calls it; where there is none, main does at its end.
func (s *Store) Release(ctx context.Context) error { return s.locker.Release(ctx) }

// take waits until no other goroutine has k.
func (l *locks) take(ctx context.Context, k key, waiting func(holder string)) (unlock func(context.Context) error, err error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	held := l.of(k)
	select {
	case held <- struct{}{}:
	default:
		if waiting != nil {
			waiting("another operation of this process")
		}
		select {
		case held <- struct{}{}:
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for app %q in workspace %q: %w", k.app, k.workspace, context.Cause(ctx))
		}
	}
	var once sync.Once
	return func(context.Context) error {
		once.Do(func() { <-held })
		return nil
	}, nil
}

func (l *locks) of(k key) chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held == nil {
		l.held = map[key]chan struct{}{}
	}
	if l.held[k] == nil {
		l.held[k] = make(chan struct{}, 1)
	}
	return l.held[k]
}
