package state

import (
	"context"
	"fmt"
	"sync"
)

// Locks keep goroutines of one process apart: of those that work on an app in a
// workspace, one goes on. The zero value is ready.
type Locks struct {
	mu   sync.Mutex
	held map[lockKey]chan struct{} // full while held
}

// lockKey is what one goroutine holds at a time.
type lockKey struct{ project, app, workspace string }

// Take is [Store].Lock within this process.
func (l *Locks) Take(ctx context.Context, project, app, workspace string, waiting func(holder string)) (unlock func(context.Context) error, err error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	held := l.of(lockKey{project, app, workspace})
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

func (l *Locks) of(k lockKey) chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held == nil {
		l.held = map[lockKey]chan struct{}{}
	}
	if l.held[k] == nil {
		l.held[k] = make(chan struct{}, 1)
	}
	return l.held[k]
}
