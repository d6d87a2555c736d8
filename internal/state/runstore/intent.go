package runstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/state"
)

// operationDeploy is the one operation that GitHub is told of before it begins.
const operationDeploy = "deploy"

// Put implements [state.Store]: the record is in the journal, on disk, when it
// returns. After a [*state.SecretError] it is there, too, with the secret
// masked.
//
// A deploy that begins is made known first where it survives the machine: by a
// Deployment, or by an upload where the token may make none. If neither can be
// done the deploy must not begin; neither may any operation whose lock was lost.
func (s *Store) Put(ctx context.Context, r state.Record) error {
	if r.Status == state.Running {
		if err := s.locker.Renew(ctx, keyOf(r).claim()); err != nil {
			return err
		}
	}
	if r.Operation != operationDeploy || r.Status != state.Running {
		return s.journal.Append(r)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	told, err := s.tell(ctx, r)
	if err != nil {
		return err
	}
	err = s.journal.Append(r)
	if _, masked := errors.AsType[*state.SecretError](err); told || err != nil && !masked {
		return err
	}
	if flushed := s.flush(ctx); flushed != nil {
		return fmt.Errorf("making the deployment known before it begins: %w", flushed)
	}
	return err
}

// tell makes a Deployment for what r is about to deploy, unless there is one.
// It reports false where that is turned off, the token may not, or no commit is
// known, as on a terminal.
func (s *Store) tell(ctx context.Context, r state.Record) (told bool, err error) {
	if s.options.NoIntents || s.options.Run.HeadSHA == "" {
		return false, nil // a Deployment is of a commit that GitHub has
	}
	if s.told[r.Deployment] != 0 {
		return true, nil // of an earlier attempt, whose deployment goes on
	}
	// The payload can be read by others; what was masked is told by Append.
	masked, _ := state.Redact(r, s.options.Secrets)
	id, err := s.intents.Create(ctx, masked, s.image(r), s.view(keyOf(r)).latest())
	if _, refused := errors.AsType[*github.PermissionError](err); refused {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	s.told[r.Deployment] = id
	return true, nil
}

// image returns the repository of the image that r deploys, as the record that
// it worked from has it; "" where that is no image.
func (s *Store) image(r state.Record) string {
	parents := [][]state.Record{s.journal.Records(), s.view(keyOf(r)).records}
	for _, parent := range state.Merge(parents...) {
		var artifact struct {
			Value struct {
				Repository string `json:"repository"`
			} `json:"value"`
		}
		if parent.ID == r.Parent && json.Unmarshal(parent.Result, &artifact) == nil {
			return artifact.Value.Repository
		}
	}
	return ""
}

// Intent returns the ID of the GitHub Deployment that tells of one of our
// deployments, if this process has made or met it.
func (s *Store) Intent(deployment string) (id int64, found bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, found = s.told[deployment]
	return id, found
}
