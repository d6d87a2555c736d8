package plugintest

import (
	"errors"
	"fmt"
	"maps"
	"testing"
)

// stoppedReleases makes every call of a second release fail, or be cut off, or
// be its last: traffic goes to one of the two deployments at all times, and
// the next attempt moves it.
func (c ReleaserCase) stoppedReleases(t *testing.T, s *subject) error {
	scenario := func(tr *trial, struck strike) (bool, error) {
		first, err := c.target(tr, 1)
		if err != nil {
			return false, err
		}
		if _, err := c.release(tr, first); err != nil {
			return false, err
		}
		second, err := c.target(tr, 2)
		if err != nil {
			return false, err
		}
		ctx := tr.calls.arm(tr.ctx, struck)
		_, failure := c.attempt(ctx, tr, second, 100)
		reached, late := tr.calls.disarm()
		if len(late) > 0 {
			return reached, fmt.Errorf("requests are sent after the context ended: %q", late)
		}
		if failure != nil && !reached {
			return reached, fmt.Errorf("releasing, with nothing going wrong: %w", failure)
		}
		if tr.world.Traffic != nil {
			total := 0
			for share := range maps.Values(tr.world.Traffic(tr.app)) {
				total += share
			}
			if total != 100 {
				return reached, fmt.Errorf("traffic goes to %v", tr.world.Traffic(tr.app))
			}
		}
		_, err = c.release(tr, second)
		return reached, err
	}
	return errors.Join(
		everyCall(t, s, cancelled, scenario),
		everyCall(t, s, faulted, scenario),
		everyCall(t, s, killed, scenario),
	)
}

// stoppedDestroys makes every call of a destroy fail or be its last.
func (c ReleaserCase) stoppedDestroys(t *testing.T, s *subject) error {
	scenario := func(tr *trial, struck strike) (bool, error) {
		to, err := c.target(tr, 1)
		if err != nil {
			return false, err
		}
		made, err := c.release(tr, to)
		if err != nil {
			return false, err
		}
		r, err := c.open(tr)
		if err != nil {
			return false, err
		}
		ctx := tr.calls.arm(tr.ctx, struck)
		failure := tr.say(nil, r.Destroy(ctx, tr.app, made))
		reached, _ := tr.calls.disarm()
		if failure == nil {
			return reached, tr.expectTraffic(nil)
		}
		return reached, errors.Join(c.destroy(tr, made), tr.expectTraffic(nil))
	}
	return errors.Join(everyCall(t, s, faulted, scenario), everyCall(t, s, killed, scenario))
}
