package runstore

import (
	"context"

	"github.com/deploy-action/deploy-action/internal/state/claim"
)

// Holder returns who has the lock of an app in a workspace, as
// [claim.Locker.Holder] does.
func (s *Store) Holder(ctx context.Context, project, app, workspace string) (h claim.Holder, alive, found bool, err error) {
	return s.locker.Holder(ctx, claim.Key{Project: project, App: app, Workspace: workspace})
}

// Break takes the lock of an app in a workspace away from h, as
// [claim.Locker.Break] does.
func (s *Store) Break(ctx context.Context, project, app, workspace string, h claim.Holder) error {
	return s.locker.Break(ctx, claim.Key{Project: project, App: app, Workspace: workspace}, h)
}
