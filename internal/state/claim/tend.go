package claim

import (
	"context"
	"time"
)

// tendAgain is the pause after a lease could not be renewed.
const tendAgain = time.Minute

// Tend renews the lease of k's lock whenever half of it is over, until stop is
// called, or another job has taken the lock: then [Locker.Renew] says so before
// the next operation. So no operation outlives its lease, however long the file
// lets it take, and one that is shorter than half a lease costs no request.
//
// It outlives ctx, which may be about the wait for the lock.
func (l *Locker) Tend(ctx context.Context, k Key) (stop func()) {
	ctx, stop = context.WithCancel(context.WithoutCancel(ctx))
	l.tend(ctx, k, 0)
	return stop
}

// tend renews the lease when half of it is over, but not before a pause, and goes
// on with that until ctx ends or the lock is not held any more.
func (l *Locker) tend(ctx context.Context, k Key, pause time.Duration) {
	l.mu.Lock()
	until, held := l.leases[k]
	l.mu.Unlock()
	if !held || ctx.Err() != nil {
		return
	}
	timer := time.AfterFunc(max(l.crew.halfTime(until), pause), func() {
		// Where the lock was lost it is not held any more.
		_ = l.Renew(ctx, k)
		l.tend(ctx, k, tendAgain)
	})
	context.AfterFunc(ctx, func() { timer.Stop() })
}
