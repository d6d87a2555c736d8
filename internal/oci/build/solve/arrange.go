package solve

import (
	"archive/tar"
	"context"
	"fmt"
	"slices"

	"github.com/moby/buildkit/solver/pb"

	"github.com/deploy-action/deploy-action/internal/oci/build/files"
)

// arrange plans a layer of files. Nothing is unpacked for it but what it copies
// from.
func (s *solver) arrange(ctx context.Context, op *pb.FileOp, inputs []*snapshot) (*snapshot, error) {
	base := fileBase(op, len(inputs))
	views := make([]files.View, len(inputs))
	for i, in := range inputs {
		var err error
		if views[i], err = s.look(ctx, in, i != base || copiesFrom(op, i)); err != nil {
			return nil, err
		}
	}
	planned, err := files.Plan(ctx, op, views)
	if err != nil {
		return nil, err
	}
	n := &snapshot{arranged: true, planned: planned, inputs: inputs, parent: nothing()}
	var sources []*snapshot // read until the layer is written
	for i, in := range inputs {
		if i == base {
			n.parent, n.base = in, in.base
			if !copiesFrom(op, i) {
				continue
			}
		}
		s.hold(in)
		sources = append(sources, in)
	}
	if n.parent.source {
		return nil, fmt.Errorf("building: files are to be added to a source, and not to a stage")
	}
	write := func(ctx context.Context, archive *tar.Writer) error {
		return files.Write(ctx, archive, planned, s.Times)
	}
	n.layers = []*layer{s.addLayer(ctx, write, func() { s.release(sources...) })}
	return n, nil
}

// copiesFrom reports whether op copies files of an input. That can be the input
// which they are added to.
func copiesFrom(op *pb.FileOp, input int) bool {
	return slices.ContainsFunc(op.Actions, func(a *pb.FileAction) bool {
		return a.GetCopy() != nil && int(a.SecondaryInput) == input
	})
}

// merge puts the layers of several stages on top of each other.
func (s *solver) merge(op *pb.MergeOp, inputs []*snapshot) (*snapshot, error) {
	n := &snapshot{parent: nothing(), inputs: inputs}
	for i, in := range op.Inputs {
		part := inputs[in.Input]
		if i == 0 {
			n.parent, n.base = part, part.base
			continue
		}
		if part.base != nil || part.source {
			return nil, fmt.Errorf("building: only what COPY and ADD arrange can be linked to a stage")
		}
		n.layers = append(n.layers, part.chain()...)
		if planned, ok := part.files(); ok {
			n.planned = append(n.planned, planned...)
		} else {
			n.view = s.headers(n) // of all layers, since those of an earlier build have no plan
		}
	}
	return n, nil
}
