package solve

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"

	"github.com/moby/buildkit/solver/pb"

	"github.com/deploy-action/deploy-action/internal/oci/build/files"
	"github.com/deploy-action/deploy-action/internal/oci/build/graph"
)

// engineVersion is a part of every key. It changes when this engine would make
// another layer of the same step.
const engineVersion = 1

// description is all that the layer of a step depends on. What it is made of is
// given by content wherever that is known, so that a step that was carried out
// again with the same result changes no key behind it.
type description struct {
	Engine    int
	Operation []byte
	Inputs    []string // what each input is, or what is read of it; "" for one that does not count
	Time      int64    // of all that is added
	KeepTimes bool
}

// keyOf returns the key of a step, by which its layer is recorded; "" if there
// is no cache, or something that it needs cannot be read, which the step itself
// reports better.
func (s *solver) keyOf(ctx context.Context, step *graph.Step, inputs []*snapshot) string {
	if s.Cache == nil {
		return ""
	}
	d := description{Engine: engineVersion, Inputs: make([]string, len(inputs)), KeepTimes: s.Times.Keep}
	if !s.Times.Keep {
		d.Time = s.Times.Fixed.Unix()
	}
	var err error
	if op := step.Op.GetExec(); op != nil {
		err = s.describeCommand(ctx, &d, step.Op, inputs)
	} else {
		err = s.describeFiles(ctx, &d, step.Op, inputs)
	}
	if err != nil {
		return ""
	}
	data, err := json.Marshal(d)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// describeFiles describes the arranging of files. Of a source only what is
// copied counts.
func (s *solver) describeFiles(ctx context.Context, d *description, op *pb.Op, inputs []*snapshot) error {
	for i, in := range inputs {
		if in.source {
			continue
		}
		var err error
		if d.Inputs[i], err = identity(ctx, in); err != nil {
			return err
		}
	}
	for _, action := range op.GetFile().Actions {
		from := int(action.SecondaryInput)
		copied := action.GetCopy()
		if copied == nil || from < 0 || from >= len(inputs) || !inputs[from].source {
			continue
		}
		read, err := files.Digest(ctx, copied, inputs[from].view, s.Times)
		if err != nil {
			return err
		}
		d.Inputs[from] += read + ";"
	}
	return d.operation(op.CloneVT())
}

// describeCommand describes a command. Proxies and the values of secrets are
// no part of it, nor is what a cache mount holds.
func (s *solver) describeCommand(ctx context.Context, d *description, op *pb.Op, inputs []*snapshot) error {
	clone := op.CloneVT()
	clone.GetExec().Meta.ProxyEnv = nil
	for _, m := range clone.GetExec().Mounts {
		i := int(m.Input)
		if i < 0 || m.MountType == pb.MountType_CACHE {
			continue
		}
		if i >= len(inputs) {
			return errors.New("building: a mount of an input that is not there")
		}
		what, err := s.mounted(ctx, m, inputs[i])
		if err != nil {
			return err
		}
		d.Inputs[i] += what + ";"
	}
	return d.operation(clone)
}

// mounted says what a command sees of a mount.
func (s *solver) mounted(ctx context.Context, m *pb.Mount, from *snapshot) (string, error) {
	if !from.source {
		return identity(ctx, from)
	}
	all := &pb.FileActionCopy{Src: m.Selector, FollowSymlink: true, DirCopyContents: true}
	return files.Digest(ctx, all, from.view, s.Times)
}

// operation adds an operation, which it changes. Its inputs are given by what
// they are, not by how they are made.
func (d *description) operation(op *pb.Op) error {
	for _, in := range op.Inputs {
		in.Digest = ""
	}
	op.Constraints = nil
	var err error
	d.Operation, err = op.MarshalVT()
	return err
}

// identity says which files a snapshot has, by the content of its layers.
func identity(ctx context.Context, n *snapshot) (string, error) {
	if n.source {
		return "", errors.New("building: a source of files where a stage should be")
	}
	all := sha256.New()
	if n.base != nil {
		layers, err := layersOf(n.base)
		if err != nil {
			return "", err
		}
		for _, l := range layers {
			all.Write([]byte(l.DiffID.String() + "\n"))
		}
	}
	for _, l := range n.chain() {
		id, err := l.diffID(ctx)
		if err != nil {
			return "", err
		}
		all.Write([]byte(id.String() + "\n"))
	}
	return hex.EncodeToString(all.Sum(nil)), nil
}
