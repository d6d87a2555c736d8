// Package memstore keeps records in memory: the store of tests, and of runs
// that are not to leave anything behind.
//
// It behaves as the durable stores do, down to what JSON does to a record, but
// nothing in it outlives the process, so Flush has nothing to do.
package memstore

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"sync"

	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/state"
)

// Store is a [state.Store] in memory, safe for concurrent use.
type Store struct {
	Secrets *secret.Set // redacted in what Put keeps; set it before the first Put

	mu      sync.Mutex
	records []state.Record // newest first
	locks   state.Locks
}

var _ state.Store = (*Store)(nil)

// New returns an empty Store.
func New() *Store { return &Store{} }

// Put implements [state.Store].
func (s *Store) Put(_ context.Context, r state.Record) error {
	r, masked := state.Redact(r, s.Secrets)
	kept, err := throughJSON(r)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = state.Merge(s.records, []state.Record{kept})
	return masked
}

// throughJSON returns the copy of r that a file would give back.
func throughJSON(r state.Record) (state.Record, error) {
	if err := r.Check(); err != nil {
		return state.Record{}, err
	}
	r.Schema = state.Schema
	encoded, err := json.Marshal(r)
	if err != nil {
		return state.Record{}, fmt.Errorf("encoding record %s: %w", r.ID, err)
	}
	var kept state.Record
	if err := json.Unmarshal(encoded, &kept); err != nil {
		return state.Record{}, fmt.Errorf("decoding record %s: %w", r.ID, err)
	}
	return kept, nil
}

// List implements [state.Store]. The caller may change what it gets.
func (s *Store) List(_ context.Context, q state.Query) iter.Seq2[state.Record, error] {
	return func(yield func(state.Record, error) bool) {
		s.mu.Lock()
		records := s.records
		s.mu.Unlock()
		for _, r := range records {
			if !state.Match(q, r) {
				continue
			}
			if !yield(throughJSON(r)) {
				return
			}
		}
	}
}

// Lock implements [state.Store]. Every holder is this process.
func (s *Store) Lock(ctx context.Context, project, app, workspace string, waiting func(holder string)) (unlock func(context.Context) error, err error) {
	return s.locks.Take(ctx, project, app, workspace, waiting)
}

// Flush implements [state.Store].
func (s *Store) Flush(context.Context) error { return nil }
