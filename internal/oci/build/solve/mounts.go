package solve

import (
	"archive/tar"
	"context"
	"fmt"
	"os"

	securejoin "github.com/cyphar/filepath-securejoin"
	"github.com/moby/buildkit/solver/pb"

	"github.com/deploy-action/deploy-action/internal/oci/build/files"
	"github.com/deploy-action/deploy-action/internal/oci/build/rootfs"
	"github.com/deploy-action/deploy-action/internal/oci/build/sandbox"
)

// setting is what a command gets beside its root, and what is to be done when
// it has ended.
type setting struct {
	mounts []sandbox.Mount
	env    []string
	after  []func()
}

// close undoes what was prepared, the last first.
func (t *setting) close() {
	for i := range t.after {
		t.after[len(t.after)-1-i]()
	}
}

// prepare makes ready what a command's mounts name.
func (s *solver) prepare(ctx context.Context, op *pb.ExecOp, inputs []*snapshot, rung sandbox.Rung) (_ *setting, err error) {
	t := &setting{}
	defer func() {
		if err != nil {
			t.close()
		}
	}()
	caches, err := s.lockCaches(ctx, t, op, rung == sandbox.Swap)
	if err != nil {
		return nil, err
	}
	for _, m := range op.Mounts[1:] {
		switch m.MountType {
		case pb.MountType_BIND:
			err = s.bind(ctx, t, m, inputs)
		case pb.MountType_CACHE:
			err = s.cache(ctx, t, m, inputs, caches[m.CacheOpt.GetID()])
		case pb.MountType_SECRET:
			err = s.secretFile(t, m)
		case pb.MountType_TMPFS:
			t.mounts = append(t.mounts, sandbox.Mount{Kind: sandbox.Tmpfs, Target: m.Dest, Size: m.TmpfsOpt.GetSize()})
		default:
			err = fmt.Errorf("building: there is no mount of the type %s", m.MountType)
		}
		if err != nil {
			return nil, err
		}
	}
	for _, variable := range op.Secretenv {
		value, ok := s.Secrets[variable.ID]
		if !ok && !variable.Optional {
			return nil, s.missingSecret(variable.ID)
		}
		if ok {
			t.env = append(t.env, variable.Name+"="+value.Reveal())
		}
	}
	return t, nil
}

// secretFile adds a secret for as long as the command runs. One that is not
// required may be missing.
func (s *solver) secretFile(t *setting, m *pb.Mount) error {
	o := m.SecretOpt
	value, ok := s.Secrets[o.GetID()]
	switch {
	case !ok && o.GetOptional():
		return nil
	case !ok:
		return s.missingSecret(o.GetID())
	}
	t.mounts = append(t.mounts, sandbox.Mount{
		Kind: sandbox.Secret, Target: m.Dest, Content: value, Mode: o.GetMode(), UID: int(o.GetUid()), GID: int(o.GetGid()),
	})
	return nil
}

// bind adds files of a stage or of the build context. What the command writes
// there, if it may, the sandbox forgets.
func (s *solver) bind(ctx context.Context, t *setting, m *pb.Mount, inputs []*snapshot) error {
	from := nothing()
	if m.Input >= 0 {
		from = inputs[m.Input]
		s.hold(from)
		t.after = append(t.after, func() { s.release(from) })
	}
	dir, err := s.folder(ctx, from)
	if err != nil {
		return err
	}
	source, err := securejoin.SecureJoin(dir, m.Selector)
	if err != nil {
		return fmt.Errorf("finding %q for the mount %s: %w", m.Selector, m.Dest, err)
	}
	if !exists(source) {
		return missingSource(m)
	}
	t.mounts = append(t.mounts, sandbox.Mount{Kind: sandbox.Bind, Target: m.Dest, Source: source, ReadOnly: m.Readonly})
	return nil
}

// folder returns a folder with a snapshot's files, which is only read. The
// files of a source are copied, so that nothing sees what .dockerignore leaves
// out.
func (s *solver) folder(ctx context.Context, n *snapshot) (string, error) {
	if !n.source {
		return s.unpack(ctx, n)
	}
	n.making.Lock()
	defer n.making.Unlock()
	if n.dir == "" {
		dir, err := s.export(ctx, s.Work, n)
		if err != nil {
			return "", err
		}
		n.dir = dir
	}
	return n.dir, nil
}

// export copies a source into a new folder. Times stay as they are there: a
// command may compare them, and no layer has them.
func (s *solver) export(ctx context.Context, where string, n *snapshot) (string, error) {
	dir, err := s.newRoot(ctx, where, nil)
	if err != nil {
		return "", err
	}
	everything := &pb.FileOp{Actions: []*pb.FileAction{{
		Input: -1, SecondaryInput: 0, Output: 0,
		Action: &pb.FileAction_Copy{Copy: &pb.FileActionCopy{
			Src: "/", Dest: "/", DirCopyContents: true, CreateDestPath: true, Mode: -1, Timestamp: -1,
		}},
	}}}
	planned, err := files.Plan(ctx, everything, []files.View{n.view})
	if err != nil {
		return "", err
	}
	content := (&layer{write: func(ctx context.Context, archive *tar.Writer) error {
		return files.Write(ctx, archive, planned, files.Times{Keep: true})
	}}).replay(ctx)
	defer content.Close()
	return dir, rootfs.Apply(ctx, dir, content)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
