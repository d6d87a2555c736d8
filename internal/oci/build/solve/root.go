package solve

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/build/rootfs"
)

// take returns a root with a snapshot's files that the caller may change. The
// caller holds the snapshot, and gives that up afterwards: the last to hold it
// gets its own root, any other one that is unpacked anew. state is the root's,
// or nil.
func (s *solver) take(ctx context.Context, n *snapshot) (dir string, state *rootfs.State, err error) {
	n.making.Lock()
	defer n.making.Unlock()
	s.mu.Lock()
	last := n.holds == 1
	if last {
		dir, state = n.dir, n.state
		n.dir, n.state = "", nil
	}
	s.mu.Unlock()
	switch {
	case dir != "":
		return dir, state, nil
	case last:
		dir, err = s.makeRoot(ctx, n)
	default:
		dir, err = s.unpackAnew(ctx, s.Work, n)
	}
	return dir, nil, err
}

// unpack makes a snapshot's own root, which is only read, unless there is one.
// The caller holds the snapshot.
func (s *solver) unpack(ctx context.Context, n *snapshot) (dir string, err error) {
	n.making.Lock()
	defer n.making.Unlock()
	err = s.unpackLocked(ctx, n)
	return n.dir, err
}

// unpackLocked does the same where n.making is held.
func (s *solver) unpackLocked(ctx context.Context, n *snapshot) error {
	if n.dir != "" {
		return nil
	}
	dir, err := s.makeRoot(ctx, n)
	s.mu.Lock()
	n.dir = dir
	s.mu.Unlock()
	return err
}

// makeRoot brings a root of the parent's forward, and lets go what the snapshot
// was made of: it happens once.
func (s *solver) makeRoot(ctx context.Context, n *snapshot) (dir string, err error) {
	s.prefetch(ctx, n)
	if n.parent == nil {
		dir, err = s.newRoot(ctx, s.Work, n.base)
	} else {
		dir, _, err = s.take(ctx, n.parent)
	}
	if err != nil {
		return dir, err
	}
	for _, l := range n.layers {
		if n.arranged {
			err = s.applyArranged(ctx, dir, l)
		} else {
			err = s.applyWritten(ctx, dir, l)
		}
		if err != nil {
			return dir, err
		}
	}
	s.mu.Lock()
	inputs := n.inputs
	n.inputs = nil
	s.mu.Unlock()
	s.release(inputs...)
	return dir, nil
}

// applyArranged adds a layer to a root before it is compressed, while all that
// it is made of is held.
func (s *solver) applyArranged(ctx context.Context, dir string, l *layer) error {
	content := l.replay(ctx)
	defer content.Close()
	return rootfs.Apply(ctx, dir, content)
}

// applyWritten adds a layer to a root once it is in the layout.
func (s *solver) applyWritten(ctx context.Context, dir string, l *layer) error {
	content, err := s.open(ctx, l)
	if err != nil {
		return damaged(ctx, l, err)
	}
	defer content.Close()
	return damaged(ctx, l, rootfs.Apply(ctx, dir, content))
}

// unpackAnew makes a root from the layers alone, in the folder where.
func (s *solver) unpackAnew(ctx context.Context, where string, n *snapshot) (string, error) {
	s.prefetch(ctx, n)
	dir, err := s.newRoot(ctx, where, n.base)
	if err != nil {
		return dir, err
	}
	for _, l := range n.chain() {
		if err := s.applyWritten(ctx, dir, l); err != nil {
			return dir, err
		}
	}
	return dir, nil
}

// newRoot makes a root with the files of an image, or without any.
func (s *solver) newRoot(ctx context.Context, where string, base *oci.Base) (string, error) {
	dir, err := os.MkdirTemp(where, "root-")
	if err != nil {
		return "", fmt.Errorf("making a root: %w", err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return dir, fmt.Errorf("making a root: %w", err)
	}
	if base == nil {
		return dir, nil
	}
	return dir, s.unpackImage(ctx, dir, base)
}

// unpackImage applies the layers of an image, which it copies into the layout,
// each as soon as it is there.
func (s *solver) unpackImage(ctx context.Context, dir string, base *oci.Base) error {
	layers, err := layersOf(base)
	if err != nil {
		return err
	}
	kept := make([]bool, len(layers))
	for i, l := range layers {
		kept[i] = s.Cache.HoldsLayer(l.DiffID)
	}
	return s.Layout.KeepEach(ctx, base.Image, func(i int) bool { return !kept[i] }, func(i int) error {
		var err error
		if kept[i] {
			err = s.applyKept(ctx, dir, layers[i])
		} else {
			err = s.applyBase(ctx, dir, layers[i])
		}
		if err != nil {
			return fmt.Errorf("unpacking layer %d of %d of %s: %w", i+1, len(layers), base.Repository.Name, err)
		}
		return nil
	})
}

// applyBase adds a layer of a base image to a root, once it is in the layout, and
// keeps it in the cache for the next time.
func (s *solver) applyBase(ctx context.Context, dir string, l oci.Layer) error {
	plain, err := s.Layout.OpenLayer(l.Descriptor, l.DiffID)
	if err != nil {
		return err
	}
	content := ahead(s.Cache.KeepLayer(l.DiffID, plain))
	defer content.Close()
	return rootfs.Apply(ctx, dir, content)
}

// applyKept adds one that the cache has.
func (s *solver) applyKept(ctx context.Context, dir string, l oci.Layer) error {
	plain, err := s.Cache.OpenLayer(l.DiffID)
	if err != nil {
		return s.Cache.BreakLayer(l.DiffID, err)
	}
	content := ahead(plain)
	defer content.Close()
	err = rootfs.Apply(ctx, dir, content)
	if err == nil || ctx.Err() != nil {
		return err
	}
	// Whether the layer is to blame, and not a full disk, is known at its end.
	if _, damage := io.Copy(io.Discard, content); damage != nil {
		return s.Cache.BreakLayer(l.DiffID, err)
	}
	return err
}
