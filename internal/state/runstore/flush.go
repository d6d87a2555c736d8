package runstore

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/state"
)

const (
	// mostUploads is how many artifacts one run can have for one key. A job
	// may have 500 in all.
	mostUploads = 500

	// mostMerged is how many IDs of merged artifacts are handed on: many times
	// what a reader looks at.
	mostMerged = 200

	// readingTime is how long looking for what others uploaded may hold up an
	// upload.
	readingTime = time.Minute
)

// Flush implements [state.Store]: it uploads what the journal holds, merged with
// what is known and with what other runs have uploaded meanwhile, and empties
// the journal. With nothing in the journal it does nothing, so a second
// process, as the post step is, may call it again at any time.
//
// Where the state of others cannot be read it uploads all the same, because
// readers merge what they find. After an error the journal is as it was, but
// for a [*state.SecretError]: then everything was uploaded, without the secret.
//
// A state that was read and is older than half its retention is uploaded again,
// whether it changed or not, so that it does not expire.
func (s *Store) Flush(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.flush(ctx)
	s.renew(ctx)
	return err
}

func (s *Store) flush(ctx context.Context) error {
	if err := s.journal.Refresh(); err != nil {
		return err
	}
	if len(s.journal.Records()) == 0 {
		return nil
	}
	if s.options.Service == nil {
		return fmt.Errorf("uploading state: %w", github.ErrNoService)
	}
	var masked []error
	err := s.journal.Drain(func(records []state.Record) error {
		grouped := map[key][]state.Record{}
		for _, r := range records {
			r, found := state.Redact(r, s.options.Secrets) // one may be known only now
			masked = append(masked, found)
			grouped[keyOf(r)] = append(grouped[keyOf(r)], r)
		}
		var failed []error
		for _, k := range slices.SortedFunc(maps.Keys(grouped), compareKeys) {
			if err := s.upload(ctx, k, grouped[k]); err != nil {
				failed = append(failed, fmt.Errorf("uploading the state of app %q in workspace %q: %w", k.app, k.workspace, err))
			}
		}
		return errors.Join(failed...)
	})
	return errors.Join(append(masked, err)...)
}

// upload makes an artifact of records and of all that is known besides.
func (s *Store) upload(ctx context.Context, k key, records []state.Record) error {
	v := s.view(k)
	limit := readingTime
	if end, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(end)/2) // leave time to write
	}
	reading, cancel := context.WithTimeout(ctx, limit)
	// An error costs nothing: see Flush.
	_ = s.readUploads(reading, k, v)
	cancel()

	all := v.header.Trimmed.Merge(records, v.records)
	if reflect.DeepEqual(all, v.records) {
		return nil // uploaded before, by a process that died before it could say so
	}
	return s.write(ctx, k, v, v.header.Trimmed.Merge(all, v.rebuilt))
}

// write makes an artifact of all that is kept for good.
func (s *Store) write(ctx context.Context, k key, v *view, all []state.Record) error {
	all, trimmed := state.Trim(all, state.Retention)
	v.header.Trimmed = v.header.Trimmed.Union(trimmed)
	var content bytes.Buffer
	header := v.header
	header.Path, header.Merged = cmp.Or(s.options.Path, header.Path), v.newestMerged()
	if err := state.Encode(&content, header, all); err != nil {
		return err
	}
	id, err := s.uploadNamed(ctx, k, v, content.Bytes())
	if err != nil {
		return err
	}
	v.records, v.uploaded, v.rebuilt, v.newest = all, id, nil, time.Now()
	v.merged[id] = true
	return nil
}

// uploadNamed takes the first name that the run does not have yet. Another job
// of the run may take it at the same time, and another attempt has before.
func (s *Store) uploadNamed(ctx context.Context, k key, v *view, content []byte) (int64, error) {
	for number := 1; number <= mostUploads; number++ {
		name := k.name(number)
		if v.taken[name] {
			continue
		}
		id, err := s.options.Service.Upload(ctx, name, file, content)
		if !errors.Is(err, github.ErrNameTaken) {
			return id, err
		}
	}
	return 0, fmt.Errorf("the run has %d artifacts for it already", mostUploads)
}

// newestMerged returns the IDs for the header, newest first.
func (v *view) newestMerged() []int64 {
	ids := slices.Sorted(maps.Keys(v.merged))
	slices.Reverse(ids)
	return ids[:min(len(ids), mostMerged)]
}

// Uploaded returns the ID of the state artifact that this process made for each
// app, for the output state-artifact-id.
func (s *Store) Uploaded() map[string]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := map[string]int64{}
	for k, v := range s.views {
		if v.uploaded != 0 {
			ids[k.app] = max(ids[k.app], v.uploaded)
		}
	}
	return ids
}
