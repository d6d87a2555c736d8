package runstore

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/state/claim"
)

const (
	// usualRetention is how long GitHub keeps artifacts where it does not say.
	usualRetention = 90 * 24 * time.Hour

	// shortRetention is how many days are too few to find the state again after
	// a pause in the work.
	shortRetention = 30
)

// halfTime returns when half of an artifact's time is over. Its run may have
// chosen a retention of its own.
func halfTime(a github.Artifact) time.Time {
	life := a.Expires.Sub(a.Created)
	if a.Expires.IsZero() {
		life = usualRetention
	}
	return a.Created.Add(life / 2)
}

// Renew uploads again what was read and is older than half of its retention,
// whether it changed or not, so that it does not expire. It is about the next
// months and not about this run, so a failure is a warning.
func (s *Store) Renew(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.renew(ctx)
}

func (s *Store) renew(ctx context.Context) {
	if s.options.Service == nil {
		return
	}
	for k, v := range s.views {
		if !v.complete || v.renewal.IsZero() || time.Now().Before(v.renewal) {
			continue
		}
		lasting, err := s.trust.lasting(ctx, k)
		if err == nil && lasting {
			err = s.renewAll(ctx, k, v)
		}
		if err != nil {
			s.options.Warn(fmt.Sprintf("The state of app %q in workspace %q is older than half its retention and could not be uploaded again: %v.", k.app, k.workspace, err))
		}
	}
}

// renewAll uploads again what is known of k, and what only its lock leads to: that
// would expire with nobody to look for it.
func (s *Store) renewAll(ctx context.Context, k key, v *view) error {
	if s.locked[k] == 0 {
		if err := s.locker.Look(ctx, k.claim()); err != nil {
			return err
		}
		if err := s.askFormer(ctx, k, v, claim.Page{}); err != nil {
			return err
		}
	}
	return s.write(ctx, k, v, v.records)
}

// warnOfRetention says once that a state will not be kept for long.
func (s *Store) warnOfRetention() {
	if s.warned || s.options.Git {
		return
	}
	s.warned = true
	if days := cmp.Or(s.options.Days, s.options.Run.RetentionDays); days > 0 && days < shortRetention {
		s.options.Warn(fmt.Sprintf("State artifacts are kept for %d days, and so is the record of what is deployed unless a run renews it. "+
			"Keep them for %d days or more, in the settings of the repository under Actions and in the input `state-retention-days`, "+
			"or keep records on a git ref, with the input `state: git`.", days, shortRetention))
	}
}
