package runstore

import (
	"context"
	"errors"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/state/claim"
)

// Lock implements [state.Store]. Unlock lets the next goroutine in; on GitHub
// the lock is kept until Release, since later steps of the job share it. Where
// the token allows no lock it returns a [*claim.UnlockableError], where it may not
// write the refs that records are kept on an [*UnwritableError], and where it is to
// do without a lock and could make no deploy known an [*UntellableError].
func (s *Store) Lock(ctx context.Context, project, app, workspace string, waiting func(holder string)) (unlock func(context.Context) error, err error) {
	k := key{project, app, workspace}
	unlock, err = s.locks.Take(ctx, project, app, workspace, waiting)
	if err != nil {
		return nil, err
	}
	fresh := false
	if !s.options.NoLock {
		s.Handover(ctx)
		fresh, err = s.locker.Lock(ctx, k.claim(), func(holder string) {
			s.handed.outdate(k)
			if waiting != nil {
				waiting(holder)
			}
		})
	}
	if err = s.mayWrite(ctx, k, err); err != nil {
		return nil, errors.Join(err, unlock(ctx))
	}
	if fresh {
		s.handed.outdate(k) // somebody may have deployed since
	}
	s.begin(k, fresh)
	if s.options.NoLock {
		return unlock, nil
	}
	untend, free := s.tend(ctx, k), unlock
	return func(ctx context.Context) error {
		untend()
		return free(ctx)
	}, nil
}

// tend keeps the lease of a lock from running out, until it is unlocked or the
// store is closed.
func (s *Store) tend(ctx context.Context, k key) (untend func()) {
	untend = s.locker.Tend(ctx, k.claim())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.untend = append(s.untend, untend)
	return untend
}

// exclusion says who else may change what this process changes. Its zero value
// is that this process changes nothing.
type exclusion int

const (
	unlocked exclusion = iota + 1 // anybody
	queued                        // somebody who came before us, if a list of GitHub lagged
	alone                         // nobody
)

// mayWrite makes sure, before anything is changed, that what is recorded can be
// kept, and that a deploy can be made known before it begins. Artifacts need no
// permission, and a lock shows that the token may write refs or Deployments. It
// returns err, how the lock ended, in the words of the store.
func (s *Store) mayWrite(ctx context.Context, k key, err error) error {
	refs, git := s.place.(*refs)
	if !git {
		if err != nil {
			return err
		}
		return s.mayTell(ctx, k)
	}
	if refused, ok := errors.AsType[*claim.UnlockableError](err); ok {
		return &UnwritableError{k.app, k.workspace, refused.Refs}
	}
	if err != nil || s.locker.Exclusive(k.claim()) {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.allowed {
		return nil
	}
	err = refs.allowed(ctx)
	if _, refused := errors.AsType[*github.PermissionError](err); refused {
		return &UnwritableError{k.app, k.workspace, err}
	}
	s.allowed = err == nil
	return err
}

// mayTell asks, where no lock shows it, whether the token may make Deployments or
// write contents at all. Previews do without: nobody else's work is at stake.
func (s *Store) mayTell(ctx context.Context, k key) error {
	if !s.options.NoLock || s.options.NoIntents || k.claim().Preview() != "" {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.allowed {
		return nil
	}
	err := s.options.Client.Probe(ctx, "deployments: write")
	if _, refused := errors.AsType[*github.PermissionError](err); refused {
		deployments := err
		err = s.options.Client.Probe(ctx, "contents: write")
		if _, refused := errors.AsType[*github.PermissionError](err); refused {
			return &UntellableError{k.app, k.workspace, deployments, err}
		}
	}
	s.allowed = err == nil
	return err
}

// begin notes that this process changes k. After a fresh lock the next List asks
// again: whoever had it before may have written since.
func (s *Store) begin(k key, fresh bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.options.NoLock:
		s.locked[k] = unlocked
	case s.locker.Exclusive(k.claim()):
		s.locked[k] = alone
	default:
		s.locked[k] = queued
	}
	if fresh {
		v := s.view(k)
		v.complete = false
		clear(v.asked) // whoever was asked may have uploaded since
	}
}

// Release gives back on GitHub what Lock has taken in this job. The post step
// calls it; where there is none, main does at its end.
//
// A job that spares requests keeps its locks until the run has ended.
func (s *Store) Release(ctx context.Context) error {
	if s.Spares() {
		return s.locker.Keep()
	}
	return s.locker.Release(ctx)
}
