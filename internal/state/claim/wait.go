package claim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/retry"
)

// wait tries until the lock is ours or ctx ends. Who gives up leaves the queue.
// First says that the job asks for the lock for the first time.
func (l *Locker) wait(ctx context.Context, lock kind, k Key, first bool, waiting func(holder string)) (grant, error) {
	told, pause := "", firstPause
	var clashes clash
	var asked, ended holders
	for {
		other, g, err := lock.try(ctx, k, ended, first)
		first = false
		if errors.Is(err, github.ErrConflict) {
			if err := clashes.pause(ctx); err != nil {
				return grant{}, l.giveUp(ctx, lock, k, err)
			}
			continue // what the faster one made is what is read next
		}
		if err != nil || other == nil {
			return g, err
		}
		if text := other.String(); text != told && waiting != nil {
			told = text
			waiting(text)
		}
		// Jobs of other runs are asked about once: all jobs of a repository share
		// its requests, and a run that ends is noticed anyway.
		if !ended.has(*other) && (l.crew.beside(*other) || !asked.has(*other)) {
			asked = append(asked, *other)
			if l.crew.finished(ctx, *other) {
				ended = append(ended, *other)
				continue
			}
		}
		if err := retry.Sleep(ctx, pause); err != nil {
			return grant{}, l.giveUp(ctx, lock, k, fmt.Errorf("%s has the lock: %w", other, err))
		}
		pause = min(pause*3/2, longestPause)
	}
}

// giveUp leaves the queue and returns why.
func (l *Locker) giveUp(ctx context.Context, lock kind, k Key, why error) error {
	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), firstPause)
	defer cancel()
	_, left := lock.release(leaving, k, legacy{})
	return errors.Join(why, left)
}

// clash counts how often somebody was faster.
type clash struct{ next time.Duration }

// pause waits for longer each time, and not as long as others do, or returns
// the cause when ctx ends before.
func (c *clash) pause(ctx context.Context) error {
	now := max(c.next, firstClash)
	c.next = min(2*now, longestPause)
	return retry.Sleep(ctx, now/2+rand.N(now))
}

// holders is a list of jobs.
type holders []Holder

func (list holders) has(h Holder) bool { return slices.ContainsFunc(list, h.same) }

// beside reports whether a holder is of our own attempt of our own run, which
// does not end while we wait.
func (c crew) beside(h Holder) bool {
	return h.Run != 0 && h.Run == c.run.RunID && h.Attempt == c.run.Attempt
}

// finished reports whether the job that a holder is has ended, though its run
// may go on: jobs of a large matrix keep their locks. GitHub's list of jobs knows
// nothing of a job that we do, but the name of its runner, and a runner has one
// job at a time. What is not certain is not finished.
func (c crew) finished(ctx context.Context, h Holder) bool {
	if h.Run == 0 || h.Runner == "" {
		return false
	}
	ended, active := false, 0
	for job, err := range c.client.RunAttemptJobs(ctx, h.Run, max(h.Attempt, 1)) {
		switch {
		case err != nil:
			return false
		case job.Runner == "" && job.Status == "in_progress":
			return false // it may be the holder
		case job.Runner != h.Runner:
		case job.Ended():
			ended = true
		default:
			active++
		}
	}
	if c.beside(h) && h.Runner == c.runner {
		active-- // ourselves
	}
	return ended && active <= 0
}
