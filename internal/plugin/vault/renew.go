package vault

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/deploy-action/deploy-action/internal/retry"
)

// shortest is the time left from which a renewal is given up.
const shortest = time.Second

// renewals renew in the background what Vault lends for a time. They stand in
// for the library's LifetimeWatcher, whose requests cannot be cancelled and
// which renews at once what was lent a moment ago. The zero value is ready.
type renewals struct {
	running sync.WaitGroup
	stops   []context.CancelFunc
}

// start renews what lasts for ttl, each time two thirds of it are over, until
// stop is called or Vault grants no more time. The function renew returns the
// new time.
//
// It outlives ctx, which may be that of one operation: a run that is cut off
// still calls Close, which calls stop.
func (r *renewals) start(ctx context.Context, ttl time.Duration, log *slog.Logger, renew func(context.Context) (time.Duration, error)) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r.stops = append(r.stops, cancel)
	r.running.Go(func() {
		for left := ttl; left > shortest; {
			wait := left * 2 / 3
			if retry.Sleep(ctx, wait) != nil {
				return
			}
			granted, err := renew(ctx)
			if err == nil {
				left = granted
				continue
			}
			if ctx.Err() != nil {
				return
			}
			left -= wait
			log.Warn("renewing what Vault lent", "error", reasonOf(err), "left", left)
		}
	})
}

// stop ends all renewals and waits for them. It may be called twice.
func (r *renewals) stop() {
	for _, stop := range r.stops {
		stop()
	}
	r.stops = nil
	r.running.Wait()
}
