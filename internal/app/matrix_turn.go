package app

import (
	"context"
	"fmt"
	"time"

	"github.com/deploy-action/deploy-action/internal/matrix"
	"github.com/deploy-action/deploy-action/internal/retry"
)

// takeTurn lets a job of a large matrix wait until it may begin: what all jobs of
// a repository may write in a minute is limited, and who asks for more is shut
// out. A job that comes late, as most do, waits for nothing.
func (s *session) takeTurn(ctx context.Context, apps []string) error {
	if s.handover == nil {
		return nil
	}
	handed := s.handover(ctx)
	if handed == nil {
		return nil
	}
	if len(apps) == 0 && handed.Jobs > matrix.Most {
		return invalid("No app in a job of a matrix", fmt.Sprintf("An earlier job of this run has found that %d apps have changed, and this one names none, so it would work on all. "+
			"More than %d apps make a matrix of groups, whose jobs call `matrix` with --group; the recipe for monorepos shows how.", handed.Jobs, matrix.Most))
	}
	var turn time.Time
	for _, app := range apps {
		if at := handed.Turn(app); !at.IsZero() && (turn.IsZero() || at.Before(turn)) {
			turn = at
		}
	}
	wait := time.Until(turn)
	if wait <= 0 {
		return nil
	}
	s.ui.Print("Waiting %v for the turn of this job: GitHub takes only so much in a minute from all %d jobs.", wait.Round(time.Second), handed.Jobs)
	return retry.Sleep(ctx, wait)
}
