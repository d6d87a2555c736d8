package solve

import (
	"context"
	"fmt"
	"strings"

	"github.com/moby/buildkit/solver/pb"

	"github.com/deploy-action/deploy-action/internal/oci/build/graph"
)

// openSource begins with files from elsewhere.
func (s *solver) openSource(ctx context.Context, step *graph.Step, op *pb.SourceOp) (*snapshot, error) {
	kind, rest, _ := strings.Cut(op.Identifier, "://")
	switch kind {
	case "docker-image":
		return s.openImage(ctx, step, rest)
	case "local":
		return &snapshot{source: true, view: s.Context}, nil
	case "http", "https":
		return s.download(ctx, op)
	case "git":
		return s.clone(ctx, op)
	case "oci-layout":
		return nil, refused("A stage from an OCI layout", "an image in a registry")
	}
	return nil, fmt.Errorf("building: there is no source %q", op.Identifier)
}

// openImage begins with an image. Its layers stay in their registry until a
// step must read their files, which is known before.
func (s *solver) openImage(ctx context.Context, step *graph.Step, name string) (*snapshot, error) {
	platform := step.Op.Platform
	wanted := platform.GetOS() + "/" + platform.GetArchitecture()
	if platform.GetVariant() != "" {
		wanted += "/" + platform.GetVariant()
	}
	base, err := s.Image(ctx, name, wanted)
	if err != nil {
		return nil, err
	}
	n := &snapshot{base: base, eager: s.unpacks(step)}
	n.view = s.headers(n)
	if n.eager && s.Cache == nil {
		// With a cache, nobody knows yet whether anything has to be unpacked.
		if err := s.Layout.Keep(ctx, base.Image); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// unpacks reports whether a step's result will have to be unpacked: a command
// runs in it, or its files are copied.
func (s *solver) unpacks(step *graph.Step) bool {
	for _, user := range s.Graph.Steps {
		for i, in := range user.Inputs {
			if in.Step != step {
				continue
			}
			switch base := baseOf(user.Op); {
			case user.Op.GetExec() != nil, base != i:
				return true
			case s.unpacks(user):
				return true
			}
		}
	}
	return false
}

// baseOf returns which input of an operation its result is on top of; -1 for
// none.
func baseOf(op *pb.Op) int {
	if merge := op.GetMerge(); merge != nil && len(merge.Inputs) > 0 {
		return int(merge.Inputs[0].Input)
	}
	if file := op.GetFile(); file != nil {
		return fileBase(file, len(op.Inputs))
	}
	return -1
}

// parentOf returns which input the layer of an operation lies on; -1 for none.
func parentOf(op *pb.Op) int {
	if exec := op.GetExec(); exec != nil && len(exec.Mounts) > 0 {
		return int(exec.Mounts[0].Input)
	}
	return baseOf(op)
}

// fileBase follows the actions that make the first output back to the input
// they begin with. An action's input from the number of inputs on is the
// result of an earlier action.
func fileBase(op *pb.FileOp, inputs int) int {
	at := -1
	for i, action := range op.Actions {
		if action.Output == 0 {
			at = inputs + i
		}
	}
	for at >= inputs {
		at = int(op.Actions[at-inputs].Input)
	}
	return at
}
