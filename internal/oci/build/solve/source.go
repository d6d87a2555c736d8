package solve

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/moby/buildkit/solver/pb"

	"github.com/deploy-action/deploy-action/internal/oci/build/files"
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
	eager := s.unpacks(step)
	if eager {
		if err := s.Layout.Keep(ctx, base.Image); err != nil {
			return nil, err
		}
	}
	scan := func(ctx context.Context, visit func(*tar.Header, io.Reader) error) error {
		return s.Layout.Scan(ctx, base.Image, visit)
	}
	return &snapshot{base: base, eager: eager, view: files.Layers(scan)}, nil
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
