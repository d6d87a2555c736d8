//go:build linux

package rootfs

import (
	"context"
	"time"

	"github.com/deploy-action/deploy-action/internal/retry"
)

// longestTick is more than a clock of a file system may stand still.
const longestTick = 2 * time.Second

// outwait returns when a file that is changed from now on gets another ctime
// than any in s. The kernel's clock for files stands still for some
// milliseconds, and that of old file systems for a second.
//
// A ctime in the future needs no waiting: a change takes it back to the present.
func (s *State) outwait(ctx context.Context, clock func() time.Time) error {
	latest := time.Unix(0, s.latest)
	if !s.fine {
		latest = latest.Truncate(time.Second).Add(time.Second - 1)
	}
	return retry.Poll(ctx, time.Millisecond, func(context.Context) (bool, error) {
		ahead := latest.Sub(clock())
		return ahead < 0 || ahead > longestTick, nil
	})
}
