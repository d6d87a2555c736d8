package claim

import (
	"context"
	"errors"
	"fmt"

	"github.com/deploy-action/deploy-action/internal/github"
)

// Holder returns who has the lock of k, and whether that job may still be at
// work: its run has not ended, has no later attempt, and its lease is not over.
// It is not found where the lock is free. It changes nothing.
func (l *Locker) Holder(ctx context.Context, k Key) (h Holder, alive, found bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var unseen error
	for n, kind := range l.kinds {
		h, found, err := kind.holder(ctx, k)
		if _, refused := errors.AsType[*github.PermissionError](err); refused {
			if n == 0 { // whose lock is the one that others use, if they may
				unseen = err
			}
			continue
		}
		if err != nil {
			return Holder{}, false, false, fmt.Errorf("reading the lock of app %q in workspace %q: %w", k.App, k.Workspace, err)
		}
		if found {
			return h, !l.crew.gone(ctx, h), true, nil
		}
	}
	return Holder{}, false, false, unseen
}

// Break takes the lock of k away from h. A job that is still at work learns of it
// only when it would make its lease longer, so ask whether it is alive first.
// Where somebody else has the lock by now it returns [github.ErrConflict] and
// changes nothing. A lock that is free is no error.
func (l *Locker) Break(ctx context.Context, k Key, h Holder) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, kind := range l.kinds {
		now, found, err := kind.holder(ctx, k)
		if _, refused := errors.AsType[*github.PermissionError](err); refused || err == nil && !found {
			continue // h has its lock elsewhere, for whoever has one may read it
		}
		if err == nil && !now.same(h) {
			err = fmt.Errorf("it is that of %s by now: %w", now, github.ErrConflict)
		}
		if err == nil {
			err = kind.evict(ctx, k, h)
		}
		if err != nil {
			return fmt.Errorf("breaking the lock of app %q in workspace %q: %w", k.App, k.Workspace, err)
		}
		return nil
	}
	return nil
}

func (l *refLock) holder(ctx context.Context, k Key) (Holder, bool, error) {
	_, now, err := l.read(ctx, k)
	return now.Holder, err == nil && !now.Free, err
}

// evict moves the ref to a commit that says so, in the way of every other move.
func (l *refLock) evict(ctx context.Context, k Key, h Holder) error {
	at, now, err := l.read(ctx, k)
	if err != nil || now.Free {
		return err
	}
	if !now.same(h) {
		return github.ErrConflict
	}
	_, err = l.move(ctx, k, at, lockMessage{Free: true, Holder: l.us(), Kept: now.Kept, Before: now.followed(l.run.RunID)})
	return err
}

func (l *deploymentLock) holder(ctx context.Context, k Key) (Holder, bool, error) {
	line, _, err := l.tickets(ctx, k)
	if err != nil || len(line) == 0 {
		return Holder{}, false, err
	}
	return line[0].Holder, true, nil
}

// evict removes every place of h in the queue.
func (l *deploymentLock) evict(ctx context.Context, k Key, h Holder) error {
	line, _, err := l.tickets(ctx, k)
	if err != nil {
		return err
	}
	return l.removeAll(ctx, places(line, h))
}
