package claim

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/workflow"
)

// Holder is one job that has, or had, a lock.
type Holder struct {
	Run     int64     `json:"run,omitempty"` // 0 off a runner
	Attempt int       `json:"attempt,omitempty"`
	Job     string    `json:"job,omitempty"`
	Runner  string    `json:"runner,omitempty"` // its name; "" where it is not known
	Actor   string    `json:"actor,omitempty"`
	Since   time.Time `json:"since"`
	Until   time.Time `json:"until"` // when the lease is over
}

// String names the holder to those who wait.
func (h Holder) String() string {
	who, since := cmp.Or(h.Actor, "somebody"), h.Since.UTC().Format("2006-01-02 15:04 MST")
	if h.Run == 0 {
		return fmt.Sprintf("a terminal of %s (since %s)", who, since)
	}
	return fmt.Sprintf("run %d of %s (attempt %d, since %s)", h.Run, who, max(h.Attempt, 1), since)
}

// same reports whether two leases are of one job: its steps share a lock.
func (h Holder) same(other Holder) bool {
	return h.Run == other.Run && h.Attempt == other.Attempt && h.Job == other.Job
}

// crew knows who we are, and who of the others is still there.
type crew struct {
	client *github.Client
	run    workflow.Context
	job    string
	runner string
	lease  time.Duration

	// known tells of runs without asking GitHub; nil knows of none.
	known func(run int64) (github.Run, bool)
}

// now is the time that leases are about: GitHub's, for the clocks of two runners
// may be minutes apart.
func (c crew) now() time.Time { return c.client.Now() }

// us is this job, with a lease that begins now.
func (c crew) us() Holder {
	now := c.now().UTC().Truncate(time.Second)
	return Holder{
		Run: c.run.RunID, Attempt: c.run.Attempt, Job: c.job, Runner: c.runner,
		Actor: cmp.Or(c.run.TriggeringActor, c.run.Actor), Since: now, Until: now.Add(c.lease),
	}
}

// lasting reports whether more than half of our lease is left. An operation that
// takes longer has it renewed meanwhile, see [Locker.Tend].
func (c crew) lasting(until time.Time) bool { return c.halfTime(until) > 0 }

// halfTime returns how long it is until half of our lease is over.
func (c crew) halfTime(until time.Time) time.Duration { return until.Add(-c.lease / 2).Sub(c.now()) }

// over reports whether a holder had ended before this job began, as it was told.
// Who finds it in a lock knows that nobody had the lock since.
func (c crew) over(h Holder) bool {
	if c.known == nil {
		return false
	}
	run, ok := c.known(h.Run)
	return ok && run.Ended() && h.Attempt <= run.Attempt // a later attempt may be at work
}

// gone reports whether a holder will not come back: its run has ended or has a
// later attempt, or its lease is over. Where GitHub does not tell of the run,
// the lease decides.
func (c crew) gone(ctx context.Context, h Holder) bool {
	switch {
	case c.now().After(h.Until):
		return true
	case h.Run == 0:
		return false
	case h.Run == c.run.RunID:
		return h.Attempt < c.run.Attempt
	}
	if c.over(h) {
		return true
	}
	run, err := c.client.Run(ctx, h.Run)
	return err == nil && (run.Ended() || run.Attempt > h.Attempt)
}
