package plugintest

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
)

// mostCalls ends the search for a call that is never reached: a component that
// polls may make any number of them.
const mostCalls = 60

// each is a flag of tests that have a sample: go test ./internal/plugin/awsecs
// -tags servers -timeout 2h -args -every-call.
var each = flag.Bool("every-call", false, "let every call of a component go wrong, also where that takes hours")

// everyCall runs scenario once for each call that it makes, with that call
// going wrong before and after it took effect, until a run does not reach the
// call.
//
// Of a subject with a sample it is one of so many calls, and others each time,
// unless the flag every-call is given.
func everyCall(t *testing.T, s *subject, m mode, scenario func(*trial, strike) (reached bool, err error)) error {
	t.Helper()
	step := max(s.sample, 1)
	if *each {
		step = 1
	}
	for _, applied := range []bool{false, true} {
		for at := 1 + rand.N(step); at <= mostCalls; at += step {
			var (
				struck  = strike{m, at, applied}
				reached bool
			)
			err := s.try(t, func(tr *trial) (err error) {
				reached, err = scenario(tr, struck)
				return err
			})
			if err != nil {
				return fmt.Errorf("%s: %w", struck, err)
			}
			if !reached {
				break
			}
		}
	}
	return nil
}

// cancelledDeploys ends the context at every call of a deploy.
func cancelledDeploys(t *testing.T, s *subject) error {
	return everyCall(t, s, cancelled, func(tr *trial, struck strike) (bool, error) {
		ctx := tr.calls.arm(tr.ctx, struck)
		made, failure := tr.attempt(ctx, tr.input(tr.app, newID("web"), 1), tr.world.Artifact)
		reached, late := tr.calls.disarm()
		if len(late) > 0 {
			return reached, fmt.Errorf("requests are sent after the context ended: %q", late)
		}
		return reached, tr.removable(made, failure, reached)
	})
}

// faultyDeploys makes every call of a deploy fail once.
func faultyDeploys(t *testing.T, s *subject) error {
	return everyCall(t, s, faulted, func(tr *trial, struck strike) (bool, error) {
		ctx := tr.calls.arm(tr.ctx, struck)
		made, failure := tr.attempt(ctx, tr.input(tr.app, newID("web"), 1), tr.world.Artifact)
		reached, _ := tr.calls.disarm()
		return reached, tr.removable(made, failure, reached)
	})
}

// removable checks that what an attempt returned, failed or not, is enough to
// remove what it made.
func (tr *trial) removable(made target, failure error, reached bool) error {
	if failure != nil && !reached {
		return fmt.Errorf("deploying, with nothing going wrong: %w", failure)
	}
	if tr.ctx.Err() != nil {
		return errors.New("deploying does not end")
	}
	made, err := tr.recorded(made)
	if err != nil {
		return err
	}
	if made.Deployment != nil {
		if err := tr.destroy(made); err != nil {
			return fmt.Errorf("after %v: %w", failure, err)
		}
	}
	if err := tr.leave(tr.app); err != nil {
		if made.Deployment == nil {
			return fmt.Errorf("deploying returned a zero deployment beside %v, which says that nothing was made: %w", failure, err)
		}
		return fmt.Errorf("deploying failed (%v), and then the deployment that it returned was destroyed: %w", failure, err)
	}
	return nil
}

// killedDeploys kills the program at every call of a deploy: no record of it is
// left. The next run finds and removes what there is, or completes it.
func killedDeploys(t *testing.T, s *subject) error {
	return errors.Join(
		everyCall(t, s, killed, removedAfterKill),
		everyCall(t, s, killed, completedAfterKill),
	)
}

// removedAfterKill removes what Find shows of a first deploy that was killed.
func removedAfterKill(tr *trial, struck strike) (bool, error) {
	ctx := tr.calls.arm(tr.ctx, struck)
	_, _ = tr.attempt(ctx, tr.input(tr.app, newID("web"), 1), tr.world.Artifact) // the dead return nothing
	reached, _ := tr.calls.disarm()
	found, err := tr.find(tr.app)
	if unsupported(err) {
		tr.t.Log("unsupported: Find; the user is told what may be left")
		return false, nil
	}
	if err != nil {
		return reached, err
	}
	for _, t := range found {
		if err := tr.destroy(t); err != nil {
			return reached, err
		}
	}
	return reached, tr.leave(tr.app)
}

// completedAfterKill deploys again with the ID of a second deploy that was
// killed, while the first one serves.
func completedAfterKill(tr *trial, struck strike) (bool, error) {
	first, err := tr.deploy(tr.app, newID("web"), 1, tr.world.Artifact)
	if err != nil {
		return false, err
	}
	id := newID("web")
	ctx := tr.calls.arm(tr.ctx, struck)
	_, _ = tr.attempt(ctx, tr.input(tr.app, id, 2), tr.world.Artifact) // the dead return nothing
	reached, _ := tr.calls.disarm()
	second, err := tr.deploy(tr.app, id, 2, tr.world.Artifact)
	if err != nil {
		return reached, fmt.Errorf("completing a deploy that was killed: %w", err)
	}
	if second.Deployment.Generation() != "" {
		if err := tr.expectFound(tr.app, id); err != nil {
			return reached, err
		}
	} else {
		if err := tr.expectFound(tr.app, id, first.ID); err != nil {
			return reached, err
		}
		if err := tr.destroy(first); err != nil {
			return reached, err
		}
	}
	if err := tr.destroy(second); err != nil {
		return reached, err
	}
	return reached, tr.leave(tr.app)
}

// stoppedDestroys makes every call of a destroy fail or be its last.
func stoppedDestroys(t *testing.T, s *subject) error {
	scenario := func(tr *trial, struck strike) (bool, error) {
		made, err := tr.deploy(tr.app, newID("web"), 1, tr.world.Artifact)
		if err != nil {
			return false, err
		}
		p, err := open(tr, tr.plugin.Platform.Open)
		if err != nil {
			return false, err
		}
		ctx := tr.calls.arm(tr.ctx, struck)
		failure := tr.say(nil, p.Destroy(ctx, made))
		reached, _ := tr.calls.disarm()
		if failure == nil {
			return reached, tr.leave(tr.app)
		}
		if err := tr.destroy(made); err != nil {
			return reached, fmt.Errorf("again, after %v: %w", failure, err)
		}
		return reached, tr.leave(tr.app)
	}
	return errors.Join(everyCall(t, s, faulted, scenario), everyCall(t, s, killed, scenario))
}
