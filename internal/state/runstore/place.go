package runstore

import (
	"context"

	"github.com/deploy-action/deploy-action/internal/state/claim"
)

// place is where records lie between runs: [artifacts] or [refs]. What is put
// into a view is merged with what is there.
type place interface {
	// read adds to v what is kept of k. It returns nil where nothing is.
	read(ctx context.Context, k key, v *view) error

	// reread is read before a write. It returns an error only where a write
	// without it could lose a record. Where it is locked, this job has had the
	// lock since v was read.
	reread(ctx context.Context, k key, v *view, locked bool) error

	// search adds to v what the runs of deployments that no record is about
	// have left, where read does not find all of it.
	search(ctx context.Context, k key, v *view, missing []claim.Intent) error

	// write keeps content, a state file with all that v holds. It returns an
	// error that is worth another reread and write where somebody has written
	// meanwhile and would be lost.
	write(ctx context.Context, k key, v *view, content []byte) error
}
