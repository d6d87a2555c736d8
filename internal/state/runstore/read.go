package runstore

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/state"
)

const (
	// mostListed bounds how many artifacts of one name are looked at in search
	// of one to believe.
	mostListed = 1000

	// enough is how many believed artifacts are looked at. Each run merges
	// what it finds, so the newest holds nearly always everything, and the
	// others are there for runs that uploaded at the same moment.
	enough = 10
)

// refresh reads what v lacks, from this run and from earlier ones, and compares
// it with what GitHub was told. After an error v holds what was read until then,
// and that is true as far as it goes.
func (s *Store) refresh(ctx context.Context, k key, v *view) error {
	if err := s.readUploads(ctx, k, v); err != nil {
		return err
	}
	if err := s.compare(ctx, k, v); err != nil {
		return unreadable(ctx, k, err)
	}
	v.complete = true
	s.warnOfRetention()
	return nil
}

// readUploads reads what this run and earlier ones have uploaded.
func (s *Store) readUploads(ctx context.Context, k key, v *view) error {
	if err := s.readRun(ctx, k, v); err != nil {
		return unreadable(ctx, k, err)
	}
	err := s.readRepository(ctx, k, v)
	if _, refused := errors.AsType[*github.PermissionError](err); refused && s.readByThisAttempt(v) {
		err = nil // a job before us was allowed to look, and handed on what it saw
	}
	if err != nil {
		return unreadable(ctx, k, err)
	}
	return nil
}

// readByThisAttempt reports whether v has a record of the present attempt. Then
// an earlier job of it has read the state, for without that it makes no record.
func (s *Store) readByThisAttempt(v *view) bool {
	run := s.options.Run
	return run.RunID != 0 && slices.ContainsFunc(v.records, func(r state.Record) bool {
		return r.Origin.Run == run.RunID && r.Origin.Attempt == run.Attempt
	})
}

// readRun reads what jobs and attempts of this run have uploaded. The artifact
// service shows it at once and asks for no permission.
func (s *Store) readRun(ctx context.Context, k key, v *view) error {
	if s.options.Service == nil {
		return nil
	}
	list, err := s.options.Service.List(ctx)
	if err != nil {
		return err
	}
	for _, a := range list {
		if !k.names(a.Name) {
			continue
		}
		v.taken[a.Name] = true
		if v.merged[a.ID] {
			continue
		}
		content, err := s.options.Service.Download(ctx, a, file)
		if err == nil {
			err = v.merge(a.ID, content)
		}
		if err != nil {
			return fmt.Errorf("artifact %q of this run: %w", a.Name, err)
		}
	}
	return nil
}

// readRepository reads what earlier runs have uploaded, newest first. An
// artifact that must not be believed stops it only until a good one was found:
// that one was made by a run which dealt with everything before it.
func (s *Store) readRepository(ctx context.Context, k key, v *view) error {
	listed, believed := 0, 0
	for a, err := range s.options.Client.Artifacts(ctx, k.name(1)) {
		if err != nil {
			return err
		}
		if believed == enough {
			return nil
		}
		if listed++; listed > mostListed {
			break
		}
		if a.Expired || a.Foreign() {
			continue
		}
		switch err := s.readArtifact(ctx, k, v, a); {
		case err == nil:
			believed++
			if a.Created.After(v.newest) {
				v.newest = a.Created
			}
		case errors.Is(err, github.ErrGone), believed > 0 && unbelievable(err):
		default:
			return err
		}
	}
	if listed > mostListed && believed == 0 {
		return errExhausted
	}
	return nil
}

// unbelievable reports whether err is about what an artifact is, and not about
// the way to it.
func unbelievable(err error) bool {
	return errors.Is(err, errRefused) || errors.Is(err, github.ErrDigest) || errors.Is(err, github.ErrContent) ||
		errors.Is(err, state.ErrDamaged) || errors.Is(err, state.ErrTruncated) || errors.Is(err, state.ErrNotState)
}

// readArtifact reads the artifact a and what else its run has uploaded for k,
// unless it was read before.
func (s *Store) readArtifact(ctx context.Context, k key, v *view, a github.Artifact) error {
	if v.merged[a.ID] {
		return nil
	}
	trusted, err := s.trusts(ctx, k, a.Run, a.HeadBranch)
	if err != nil {
		return err
	}
	if !trusted {
		return fmt.Errorf("artifact %q of run %d on %q: %w", a.Name, a.Run, a.HeadBranch, errRefused)
	}
	// The plain name is that of the run's first upload; later ones are found
	// only by asking the run.
	others, err := s.uploadsOf(ctx, k, a.Run)
	if err != nil {
		return err
	}
	return s.readAll(ctx, v, append(slices.DeleteFunc(others, func(o github.Artifact) bool { return o.ID == a.ID }), a))
}

// uploadsOf returns the artifacts of a run that are about k.
func (s *Store) uploadsOf(ctx context.Context, k key, run int64) ([]github.Artifact, error) {
	var found []github.Artifact
	for a, err := range s.options.Client.RunArtifacts(ctx, run) {
		if err != nil {
			return nil, err
		}
		if k.names(a.Name) && !a.Expired && !a.Foreign() {
			found = append(found, a)
		}
	}
	return found, nil
}

// readAll reads artifacts of one run that are believed, newest first, but for
// those that were read before.
func (s *Store) readAll(ctx context.Context, v *view, found []github.Artifact) error {
	slices.SortFunc(found, func(x, y github.Artifact) int { return cmp.Compare(y.ID, x.ID) })
	for _, one := range found {
		if v.merged[one.ID] {
			continue
		}
		content, err := s.options.Client.Download(ctx, one, file)
		if err == nil {
			err = v.merge(one.ID, content)
		}
		if err != nil {
			return fmt.Errorf("artifact %q of run %d: %w", one.Name, one.Run, err)
		}
	}
	return nil
}

// merge adds the records of a state file to v, and the knowledge of which
// artifacts they came from.
func (v *view) merge(id int64, content []byte) error {
	header, records, err := state.Decode(bytes.NewReader(content))
	if err != nil {
		return err
	}
	trimmed := v.header.Trimmed.Union(header.Trimmed)
	if v.header.Schema == 0 {
		v.header = header
	}
	v.header.Trimmed = trimmed
	v.records = trimmed.Merge(v.records, records)
	v.merged[id] = true
	for _, earlier := range header.Merged {
		v.merged[earlier] = true
	}
	return nil
}
