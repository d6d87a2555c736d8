package solve

import (
	"archive/tar"
	"context"
	"io"
	"slices"
	"sync"

	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/build/files"
	"github.com/deploy-action/deploy-action/internal/oci/build/rootfs"
)

// snapshot is the file system after a step: layers on a parent, on an image, or
// on nothing. It is unpacked only if a step must read or change its files.
//
// Steps that may still read a snapshot hold it; so do snapshots that were made
// of it, for as long as they might be unpacked on top of its root. A root is
// given away to whoever is the last to hold it, which is how one root moves
// forward from command to command.
type snapshot struct {
	base   *oci.Base // at the bottom of all
	parent *snapshot
	layers []*layer // on top of the parent

	planned  []files.Planned // what the layers hold, unless a command made them
	arranged bool            // whether this step planned and wrote its layer

	eager  bool       // it will be unpacked in any case, so that no view need do without
	source bool       // files from elsewhere, without layers
	view   files.View // of a source, and of an image's layers

	making sync.Mutex // held while a root is made, given away, or looked at
	inputs []*snapshot
	holds  int           // guarded by solver.mu
	dir    string        // the root; "" for none; guarded by solver.mu
	state  *rootfs.State // of the root, where it is known
}

// chain returns all layers above the base.
func (n *snapshot) chain() []*layer {
	if n.parent == nil {
		return n.layers
	}
	return slices.Concat(n.parent.chain(), n.layers)
}

// files returns all that was planned since nothing, if all of it was.
func (n *snapshot) files() (planned []files.Planned, ok bool) {
	switch {
	case n.base != nil || n.source:
		return nil, false
	case n.parent == nil:
		return nil, true
	case !n.arranged:
		return nil, false
	}
	planned, ok = n.parent.files()
	return slices.Concat(planned, n.planned), ok
}

// nothing is the file system without files.
func nothing() *snapshot {
	return &snapshot{view: files.Layers(func(context.Context, func(*tar.Header, io.Reader) error) error { return nil })}
}

// release gives up one hold. What nobody holds any more is removed.
func (s *solver) release(nodes ...*snapshot) {
	var unused []string
	s.mu.Lock()
	for _, n := range nodes {
		unused = n.drop(unused)
	}
	s.mu.Unlock()
	for _, dir := range unused {
		// What stays is removed with the folder of all roots.
		_ = rootfs.Remove(dir)
	}
}

// drop gives up one hold and adds the roots that nobody needs now to unused.
func (n *snapshot) drop(unused []string) []string {
	n.holds--
	if n.holds > 0 {
		return unused
	}
	if n.dir != "" {
		unused = append(unused, n.dir)
		n.dir = ""
	}
	for _, in := range n.inputs {
		unused = in.drop(unused)
	}
	n.inputs = nil
	return unused
}

// hold adds a hold to a snapshot that is held.
func (s *solver) hold(n *snapshot) {
	s.mu.Lock()
	n.holds++
	s.mu.Unlock()
}

// look returns a view of a snapshot that the caller holds, one that content can
// be read from if content is set. What was planned is seen without being
// unpacked.
func (s *solver) look(ctx context.Context, n *snapshot, content bool) (files.View, error) {
	if n.source {
		return n.view, nil
	}
	n.making.Lock()
	defer n.making.Unlock()
	s.mu.Lock()
	dir := n.dir
	s.mu.Unlock()
	switch {
	case dir != "":
		return files.Folder(dir)
	case content, n.eager:
		if err := s.unpackLocked(ctx, n); err != nil {
			return nil, err
		}
		return files.Folder(n.dir)
	case n.view != nil:
		return n.view, nil
	}
	below, err := s.look(ctx, n.parent, false)
	if err != nil {
		return nil, err
	}
	return files.Overlay(below, n.planned), nil
}
