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

	"github.com/deploy-action/deploy-action/internal/retry"
	"github.com/deploy-action/deploy-action/internal/state"
)

// mostMerged is how many IDs of merged artifacts are handed on: many times what
// a reader looks at.
const mostMerged = 200

// Flush implements [state.Store]: it writes what the journal holds, merged with
// what is known and with what other runs have written meanwhile, and empties
// the journal. With nothing in the journal it does nothing, so a second
// process, as the post step is, may call it again at any time.
//
// Where artifacts of others cannot be read it uploads all the same, because
// readers merge what they find. After an error the journal is as it was, but
// for a [*state.SecretError]: then everything was written, without the secret.
//
// It ends with what [Store.Renew] does.
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
			if err := s.keep(ctx, k, grouped[k]); err != nil {
				failed = append(failed, fmt.Errorf("app %q in workspace %q: %w", k.app, k.workspace, err))
			}
		}
		return errors.Join(failed...)
	})
	return errors.Join(append(masked, err)...)
}

// keep writes records with all that is known besides, and again where somebody
// else has written at the same time.
func (s *Store) keep(ctx context.Context, k key, records []state.Record) error {
	v := s.view(k)
	return retry.Do(ctx, func(ctx context.Context) error {
		if err := s.place.reread(ctx, k, v, v.complete && s.locked[k] > unlocked); err != nil {
			return err
		}
		all := v.header.Trimmed.Merge(records, v.records)
		if reflect.DeepEqual(all, v.records) {
			return nil // written before, by a process that died before it could say so
		}
		return s.write(ctx, k, v, v.header.Trimmed.Merge(all, v.rebuilt))
	})
}

// write makes a file of all that is kept for good.
func (s *Store) write(ctx context.Context, k key, v *view, all []state.Record) error {
	all, trimmed := state.Trim(all, state.Retention)
	header := v.header
	header.Trimmed = header.Trimmed.Union(trimmed)
	header.Path, header.Merged = cmp.Or(s.options.Path, header.Path), v.newestMerged()
	var content bytes.Buffer
	if err := state.Encode(&content, header, all); err != nil {
		return err
	}
	s.locker.Uploading(ctx, k.claim(), false)
	if err := s.place.write(ctx, k, v, content.Bytes()); err != nil {
		return err
	}
	if v.uploaded != 0 {
		s.locker.Uploaded(ctx, k.claim(), v.uploaded)
	}
	v.records, v.rebuilt, v.kept, v.header.Trimmed = all, nil, true, header.Trimmed
	v.lost = false
	if v.complete {
		s.locker.Settle(ctx, k.claim())
	}
	return nil
}

// newestMerged returns the IDs for the header, newest first.
func (v *view) newestMerged() []int64 {
	ids := slices.Sorted(maps.Keys(v.merged))
	slices.Reverse(ids)
	return ids[:min(len(ids), mostMerged)]
}

// latest returns the newest artifact whose records are in v; 0 for none.
func (v *view) latest() (id int64) {
	for merged := range v.merged {
		id = max(id, merged)
	}
	return id
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
