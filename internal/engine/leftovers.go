package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/state"
)

// messageUnfinished is that of a rebuilt record whose run died, once nothing more
// can be learned of it.
const messageUnfinished = "did not end, and its record was lost"

// leftovers settles what earlier runs left unfinished: their records become
// failed, and deployments of which something exists are returned, to be
// removed once a new one serves. The deployment named adopted is not one of
// them. It runs under the app's lock.
func (r *run) leftovers(ctx context.Context, adopted string) ([]state.Record, error) {
	if err := r.heal(ctx); err != nil {
		return nil, err
	}
	var left []state.Record
	for _, record := range slices.Clone(r.history) {
		if !unfinished(record) || record.Operation == stageDeploy && record.Deployment == adopted || !r.Ended(ctx, record.Origin) {
			continue
		}
		if record.Operation == stageDeploy && len(record.Result) == 0 {
			if err := r.recover(ctx, &record); err != nil {
				return nil, err
			}
		}
		if len(record.Result) == 0 && state.Rebuilt(record) {
			record.Message = messageUnfinished
		}
		if err := r.mark(ctx, record, state.Failed); err != nil {
			return nil, err
		}
		if record.Operation == stageDeploy && len(record.Result) > 0 {
			left = append(left, record)
		}
	}
	return left, nil
}

// settleAttempts ends the records of earlier attempts at a deployment that
// completed has now made whole.
func (r *run) settleAttempts(ctx context.Context, completed state.Record) error {
	for _, attempt := range r.history.attempts(completed.Deployment) {
		if attempt.ID == completed.ID || !unfinished(attempt) {
			continue
		}
		attempt.Message = "completed by a later attempt"
		if err := r.mark(ctx, attempt, state.Failed); err != nil {
			return err
		}
	}
	return nil
}

// expendable reports whether a deployment can go by itself: it never
// succeeded, has no traffic, and its object, if it shares one, is not live.
func (r *run) expendable(record state.Record) bool {
	deployments := r.history.deployments()
	for _, d := range deployments {
		if d.Deployment == record.Deployment {
			return d.Status != state.Succeeded && !r.history.serving()[d.Deployment] &&
				!r.liveGenerations(deployments)[r.generation(record)]
		}
	}
	return false
}

// recover asks the platform what exists of a deployment whose record does not
// say, and puts it into the record.
func (r *run) recover(ctx context.Context, record *state.Record) error {
	platform, done, err := r.platformOf(*record)
	if errors.Is(err, errNoPlugin) {
		return nil
	}
	if err != nil {
		return err
	}
	defer done()
	found, err := platform.Find(ctx, r.app.App)
	if errors.Is(err, errors.ErrUnsupported) {
		r.UI.Print("Deployment %s was interrupted. Its platform %q cannot be asked what is left of it.", record.Deployment, record.Plugin)
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking for what is left of deployment %s: %w", record.Deployment, err)
	}
	for _, target := range found {
		if target.ID == record.Deployment {
			op := operation{record: *record}
			err = op.keep(target.Deployment)
			record.Result = op.record.Result
			return err
		}
	}
	return nil
}

// removeLeftovers destroys what leftovers returned. That it could not is told,
// and no failure: the record stays, so prune tries again. Where records were
// lost, one of them may have told that users are sent there: prune comes after
// the release.
func (r *run) removeLeftovers(ctx context.Context, left []state.Record) error {
	for _, record := range left {
		if r.outlived() || state.Rebuilt(record) || !r.expendable(record) {
			continue
		}
		if err := r.destroyDeployment(ctx, record); err != nil {
			if ctx.Err() != nil {
				return err
			}
			r.UI.Print("Deployment %s was interrupted and could not be removed: %v", record.Deployment, err)
		}
	}
	return nil
}

// mark moves a record to a status.
func (r *run) mark(ctx context.Context, record state.Record, status state.Status) error {
	record.Status = status
	if record.Ended.IsZero() {
		record.Ended = r.Now().UTC()
	}
	if err := r.Store.Put(ctx, record); err != nil {
		return fmt.Errorf("recording deployment %s as %s: %w", record.Deployment, status, err)
	}
	r.history = r.history.put(record)
	return nil
}

// noteLogs adds the last lines of the failed workload, as far as it has any.
func (r *run) noteLogs(ctx context.Context, platform component.AnyPlatform, target component.Target[component.Deployment]) {
	if target.Deployment == nil {
		return
	}
	asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	for line, err := range platform.Logs(asking, target, component.LogRequest{Tail: lastLines}) {
		if err != nil {
			return // the cause is known already; a log that cannot be read adds nothing
		}
		r.tell().Logs = append(r.tell().Logs, line)
	}
	if n := len(r.tell().Logs); n > lastLines {
		r.tell().Logs = r.tell().Logs[n-lastLines:]
	}
}

// lastLines is how much of a failed workload's log is shown.
const lastLines = 20
