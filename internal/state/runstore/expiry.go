package runstore

import (
	"cmp"
	"context"
	"fmt"
	"time"
)

const (
	// usualRetention is how many days GitHub keeps artifacts where the runner
	// does not say.
	usualRetention = 90

	// shortRetention is how many days are too few to find the state again after
	// a pause in the work.
	shortRetention = 30
)

// renew uploads again what would expire before somebody is sure to come by. It
// is about the next months and not about this run, so a failure is a warning.
func (s *Store) renew(ctx context.Context) {
	if s.options.Service == nil {
		return
	}
	days := cmp.Or(s.options.Run.RetentionDays, usualRetention)
	half := time.Duration(days) * 24 * time.Hour / 2
	for k, v := range s.views {
		if !v.complete || v.newest.IsZero() || time.Since(v.newest) < half {
			continue
		}
		if err := s.write(ctx, k, v, v.records); err != nil {
			s.options.Warn(fmt.Sprintf("The state of app %q in workspace %q is older than half its retention of %d days and could not be uploaded again: %v.", k.app, k.workspace, days, err))
		}
	}
}

// warnOfRetention says once that a state will not be kept for long.
func (s *Store) warnOfRetention() {
	if s.warned {
		return
	}
	s.warned = true
	if days := s.options.Run.RetentionDays; days > 0 && days < shortRetention {
		s.options.Warn(fmt.Sprintf("Artifacts of this repository are kept for %d days, and so is the state of what is deployed unless a run renews it. "+
			"Keep them for %d days or more in the settings of the repository, under Actions.", days, shortRetention))
	}
}
