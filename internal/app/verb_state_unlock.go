package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/engine"
	"github.com/deploy-action/deploy-action/internal/state/claim"
	"github.com/deploy-action/deploy-action/internal/ui"
)

func unlockFlags(c *cobra.Command, f *flags) {
	c.Flags().BoolVar(&f.records.yes, "yes", false, "take the locks away without asking")
	c.Flags().BoolVar(&f.records.force, "force", false, "also those whose run is still at work")
}

// lockKeeper is a store whose locks outlive their process.
type lockKeeper interface {
	Holder(ctx context.Context, project, app, workspace string) (h claim.Holder, alive, found bool, err error)
	Break(ctx context.Context, project, app, workspace string, h claim.Holder) error
}

// heldLock is the lock of one app, and who has it.
type heldLock struct {
	app    string
	holder claim.Holder
	alive  bool
}

// unlock shows who holds the lock of each chosen app, and takes it away.
func unlock(ctx context.Context, s *session, f *flags, _ []string) error {
	keeper, ok := s.engine.Store.(lockKeeper)
	if !ok {
		s.ui.Print("There is nothing to unlock: the lock of a folder is the system's, and ends with the process that has it.")
		return s.setOutcome(engine.Unchanged)
	}
	held, err := s.heldLocks(ctx, keeper, f)
	if err != nil {
		return err
	}
	if f.session.json {
		if err := s.printJSON(s.locksJSON(held)); err != nil {
			return err
		}
	}
	if len(held) == 0 {
		s.ui.Print("No lock is held in workspace %q.", s.engine.Workspace)
		return s.setOutcome(engine.Unchanged)
	}
	s.showLocks(held)
	if err := refuseAlive(held, f.records.force); err != nil {
		return err
	}
	if !f.records.yes {
		if agreed, err := s.ask(ctx, "Take these locks away?"); err != nil || !agreed {
			return err
		}
	}
	var errs []error
	for _, l := range held {
		err := keeper.Break(ctx, s.project.Name(), l.app, s.engine.Workspace, l.holder)
		if problem := tokenProblem(err); problem != nil {
			err = unreadable(problem)
		}
		if err == nil {
			s.ui.Print("The lock of app %q in workspace %q is free.", l.app, s.engine.Workspace)
		}
		errs = append(errs, err)
	}
	return errors.Join(append(errs, s.setOutcome(engine.Changed))...)
}

// heldLocks returns the locks of the chosen apps, or of those of the file.
func (s *session) heldLocks(ctx context.Context, keeper lockKeeper, f *flags) ([]heldLock, error) {
	apps := f.Apps
	if len(apps) == 0 {
		apps = s.project.Apps()
	}
	var held []heldLock
	for _, app := range apps {
		holder, alive, found, err := keeper.Holder(ctx, s.project.Name(), app, s.engine.Workspace)
		if problem := tokenProblem(err); problem != nil {
			return nil, unreadable(problem)
		}
		if err != nil {
			return nil, unreadable(&diag.Problem{Summary: fmt.Sprintf("The lock of app %q cannot be read", app), Detail: err.Error() + ". Nothing was changed."})
		}
		if found {
			held = append(held, heldLock{app, holder, alive})
		}
	}
	return held, nil
}

// refuseAlive refuses to take a lock from a run that may be deploying: two would
// deploy at once.
func refuseAlive(held []heldLock, force bool) error {
	var alive []string
	for _, l := range held {
		if l.alive {
			alive = append(alive, fmt.Sprintf("that of app %q is held by %s", l.app, l.holder))
		}
	}
	if len(alive) == 0 || force {
		return nil
	}
	return invalid("A lock belongs to a run that may still be at work", fmt.Sprintf(
		"Of these locks %s. Taken away, two runs could change the platform at once. Cancel the run, or wait for it: its lock is free once it ended, "+
			"or its lease is over. If you are sure that it does nothing any more, say --force. No lock was taken away.", strings.Join(alive, ", ")))
}

func (s *session) showLocks(held []heldLock) {
	rows := make([][]string, len(held))
	for i, l := range held {
		state := "run is over"
		if l.alive {
			state = "may be at work"
		}
		rows[i] = []string{l.app, s.engine.Workspace, l.holder.String(), l.holder.Until.UTC().Format("2006-01-02 15:04 MST"), state}
	}
	s.ui.Print("%s", ui.Table([]string{"APP", "WORKSPACE", "HELD BY", "LEASE UNTIL", "HOLDER"}, rows))
}

// jsonLock is one lock as state unlock --json shows it.
type jsonLock struct {
	App       string    `json:"app"`
	Workspace string    `json:"workspace"`
	Run       int64     `json:"run"`
	Attempt   int       `json:"attempt"`
	Actor     string    `json:"actor"`
	Since     time.Time `json:"since"`
	Until     time.Time `json:"until"`
	Alive     bool      `json:"alive"`
}

func (s *session) locksJSON(held []heldLock) []jsonLock {
	locks := make([]jsonLock, len(held))
	for i, l := range held {
		locks[i] = jsonLock{l.app, s.engine.Workspace, l.holder.Run, l.holder.Attempt, l.holder.Actor, l.holder.Since, l.holder.Until, l.alive}
	}
	return locks
}
