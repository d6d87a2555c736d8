package runstore

import (
	"context"
	"fmt"
	"sync"
)

// locks are held by goroutines of this process. Nothing is asked of GitHub:
// see the package comment.
type locks struct {
	mu   sync.Mutex
	held map[key]chan struct{} // full while held
}

// Lock implements [state.Store] within this process only.
func (s *Store) Lock(ctx context.Context, project, app, workspace string, waiting func(holder string)) (unlock func(context.Context) error, err error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	held := s.locks.of(key{project, app, workspace})
	select {
	case held <- struct{}{}:
	default:
		if waiting != nil {
			waiting("another operation of this process")
		}
		select {
		case held <- struct{}{}:
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for app %q in workspace %q: %w", app, workspace, context.Cause(ctx))
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
