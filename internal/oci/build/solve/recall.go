package solve

import (
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"

	"github.com/deploy-action/deploy-action/internal/oci/build/cache"
	"github.com/deploy-action/deploy-action/internal/oci/build/graph"
)

// fetches is how many layers of the cache are fetched at the same time.
const fetches = 4

// recall returns what an earlier build made of a step; nil if there is nothing.
// Its layer stays where it is until somebody reads it. The holds on the inputs
// become the snapshot's, or are given up.
func (s *solver) recall(ctx context.Context, step *graph.Step, key string, inputs []*snapshot, output io.Writer) *snapshot {
	if key == "" || step.NoCache {
		return nil
	}
	record, ok := s.Cache.Find(ctx, key)
	if !ok {
		return nil
	}
	if record.File != "" && s.Layout.Borrow(record.Layer.Descriptor, record.File) != nil {
		return nil
	}
	fmt.Fprintln(output, "Taken from the cache")
	s.recalled.Add(1)
	l := &layer{done: make(chan struct{}), written: record.Layer, early: record.Layer.DiffID, key: key}
	close(l.done)
	n := &snapshot{parent: nothing(), layers: []*layer{l}, eager: s.unpacks(step)}
	parent := parentOf(step.Op)
	for i, in := range inputs {
		if i == parent {
			n.parent, n.base, n.inputs = in, in.base, inputs[i:i+1:i+1]
			continue
		}
		s.release(in)
	}
	n.view = s.headers(n)
	return n
}

// remember records a layer once it is written. The next steps go on meanwhile.
func (s *solver) remember(ctx context.Context, key string, l *layer) {
	s.group.Go(func() error {
		select {
		case <-l.done:
		case <-ctx.Done():
			return nil
		}
		if id, err := l.diffID(ctx); err != nil || id != l.written.DiffID {
			return nil
		}
		if !s.Cache.Shared() && !s.Layout.Holds(l.written) {
			return nil // the registry has it, and a folder is not worth a download
		}
		if err := s.Layout.KeepLayer(ctx, s.Client, l.written); err != nil {
			s.Note(fmt.Sprintf("A step is not kept in the cache: %v", err))
			return nil
		}
		if err := s.Cache.Put(ctx, key, l.written, s.Layout); err != nil {
			s.Note(err.Error())
		}
		return nil
	})
}

// fetch copies a layer that is only elsewhere into the layout, once.
func (s *solver) fetch(ctx context.Context, l *layer) error {
	if l.key == "" {
		return s.Layout.KeepLayer(ctx, s.Client, l.written) // an image that was pushed before may have it
	}
	l.fetching.Lock()
	defer l.fetching.Unlock()
	if s.Layout.Holds(l.written) {
		return nil
	}
	select {
	case s.fetches <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-s.fetches }()
	if err := s.Cache.Fetch(ctx, l.key, l.written, s.Layout); err != nil {
		return err
	}
	if err := s.Cache.Keep(ctx, l.key, l.written, s.Layout); err != nil {
		s.Note(err.Error())
	}
	return nil
}

// prefetch begins to fetch all that unpacking a snapshot will need.
func (s *solver) prefetch(ctx context.Context, n *snapshot) {
	for _, l := range n.chain() {
		if l.key != "" && !l.asked.Swap(true) {
			s.group.Go(func() error { return s.fetch(ctx, l) })
		}
	}
}

// damaged says of what went wrong with a layer that it is the cache's fault, if
// it can be.
func damaged(ctx context.Context, l *layer, err error) error {
	if _, known := errors.AsType[*cache.BrokenError](err); known || err == nil || l.key == "" || ctx.Err() != nil {
		return err
	}
	return &cache.BrokenError{Key: l.key, Err: err}
}

// settle sees to it that the layers of the result that nobody fetched can be
// pushed.
func (s *solver) settle(ctx context.Context, chain []*layer) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(fetches)
	for _, l := range chain {
		if l.key == "" {
			continue
		}
		group.Go(func() error {
			var err error
			l.written, err = s.Cache.Settle(ctx, l.key, l.written, s.Layout)
			return err
		})
	}
	return group.Wait()
}

// tellRecalled says how much of the work was done before.
func (s *solver) tellRecalled() {
	made := 0
	for _, step := range s.Graph.Steps {
		if step.Op.GetFile() != nil || step.Op.GetExec() != nil {
			made++
		}
	}
	if n := s.recalled.Load(); n > 0 {
		s.Note(fmt.Sprintf("%d of %d steps were taken from the cache", n, made))
	}
}
