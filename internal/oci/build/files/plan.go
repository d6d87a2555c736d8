package files

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	"github.com/moby/buildkit/solver/pb"
)

// Plan returns the layer that the first output of op adds to its base, which is
// the input that its actions begin with. Folders of the base that the layer goes
// through are repeated in it. What the author of the Dockerfile can mend is a
// problem that does not name the line yet.
func Plan(ctx context.Context, op *pb.FileOp, inputs []View) ([]Planned, error) {
	p := &planner{actions: op.Actions, inputs: inputs, now: time.Now().Unix()}
	result := -1
	for i, action := range op.Actions {
		switch {
		case action.Output > 0:
			return nil, errors.New("planning files: a step with several outputs")
		case action.Output == 0:
			result = i
		}
	}
	if result < 0 {
		return nil, errors.New("planning files: a step without an output")
	}
	t, err := p.run(ctx, result, len(op.Actions))
	if err != nil {
		return nil, err
	}
	return t.planned(), nil
}

// planner carries out the actions of one step.
type planner struct {
	actions []*pb.FileAction
	inputs  []View
	now     int64 // of what is made anew
}

// run carries out an action and those that it starts from. So many may still
// follow one another, or else they form a loop.
func (p *planner) run(ctx context.Context, index, most int) (*tree, error) {
	if most == 0 {
		return nil, errors.New("planning files: actions that need each other")
	}
	action := p.actions[index]
	t, err := p.base(ctx, int(action.Input), most)
	if err != nil {
		return nil, err
	}
	switch a := action.Action.(type) {
	case *pb.FileAction_Mkdir:
		err = p.mkdir(ctx, t, a.Mkdir)
	case *pb.FileAction_Mkfile:
		err = p.mkfile(ctx, t, a.Mkfile)
	case *pb.FileAction_Symlink:
		err = p.symlink(ctx, t, a.Symlink)
	case *pb.FileAction_Rm:
		err = p.remove(ctx, t, a.Rm)
	case *pb.FileAction_Copy:
		var from View
		if from, err = p.view(ctx, int(action.SecondaryInput)); err == nil {
			err = p.copy(ctx, from, t, a.Copy)
		}
	default:
		err = fmt.Errorf("planning files: an unknown action %T", action.Action)
	}
	return t, err
}

// base returns the tree that an action goes on with.
func (p *planner) base(ctx context.Context, input, most int) (*tree, error) {
	switch {
	case input < 0:
		return newTree(nil), nil
	case input < len(p.inputs):
		return newTree(p.inputs[input]), nil
	case input < len(p.inputs)+len(p.actions):
		return p.run(ctx, input-len(p.inputs), most-1)
	}
	return nil, fmt.Errorf("planning files: there is no input %d", input)
}

// view returns what an action only reads.
func (p *planner) view(ctx context.Context, input int) (View, error) {
	if input >= 0 && input < len(p.inputs) {
		return p.inputs[input], nil
	}
	return p.base(ctx, input, len(p.actions))
}

// modified is the time of something new.
func (p *planner) modified(timestamp int64) int64 {
	if timestamp == -1 {
		return p.now
	}
	return time.Unix(0, timestamp).Unix()
}

// ownerOr is [planner.owner] with root for nobody.
func (p *planner) ownerOr(ctx context.Context, option *pb.ChownOpt) (owner, error) {
	who, err := p.owner(ctx, option)
	if who == nil {
		return owner{}, err
	}
	return *who, err
}

func (p *planner) mkdir(ctx context.Context, t *tree, a *pb.FileActionMkDir) error {
	name, err := Resolve(ctx, t, a.Path)
	if err != nil {
		return err
	}
	who, err := p.ownerOr(ctx, a.Owner)
	if err != nil {
		return err
	}
	m := newFolder(uint32(a.Mode)&0o777, who, p.modified(a.Timestamp))
	if a.MakeParents {
		return t.folders(ctx, name, m)
	}
	if _, there, err := exists(ctx, t, name); err != nil || there {
		return err
	}
	return t.put(ctx, name, &node{meta: m})
}

func (p *planner) mkfile(ctx context.Context, t *tree, a *pb.FileActionMkFile) error {
	name, err := Resolve(ctx, t, a.Path)
	if err != nil {
		return err
	}
	who, err := p.owner(ctx, a.Owner)
	if err != nil {
		return err
	}
	m := meta{kind: tar.TypeReg, mode: uint32(a.Mode) & 0o777, modified: p.modified(a.Timestamp), size: int64(len(a.Data))}
	e, there, err := exists(ctx, t, name)
	switch {
	case err != nil:
		return err
	case there && e.folder():
		return invalid("the file %q cannot replace the folder of that name", a.Path)
	case there:
		// Only its content becomes another.
		was := metaOf(&e.Header)
		m.mode, m.uid, m.gid = was.mode, was.uid, was.gid
	}
	if who != nil {
		m.mode &^= 0o6000 // as the kernel does when a file changes hands
		m.uid, m.gid = who.uid, who.gid
	}
	return t.put(ctx, name, &node{meta: m, body: inline(a.Data)})
}

func (p *planner) symlink(ctx context.Context, t *tree, a *pb.FileActionSymlink) error {
	name, err := Resolve(ctx, t, a.Newpath)
	if err != nil {
		return err
	}
	who, err := p.ownerOr(ctx, a.Owner)
	if err != nil {
		return err
	}
	if _, there, err := exists(ctx, t, name); err != nil {
		return err
	} else if there {
		return invalid("the link %q cannot replace what is there", a.Newpath)
	}
	return t.put(ctx, name, &node{meta: meta{
		kind: tar.TypeSymlink, mode: 0o777, uid: who.uid, gid: who.gid, modified: p.modified(a.Timestamp), link: a.Oldpath,
	}})
}

func (p *planner) remove(ctx context.Context, t *tree, a *pb.FileActionRm) error {
	names := []string{a.Path}
	if a.AllowWildcard {
		found, err := glob(ctx, t, a.Path)
		if err != nil {
			return err
		}
		names = found
	}
	for _, name := range names {
		name, err := resolveParent(ctx, t, name)
		if err != nil {
			return err
		}
		if name == "." {
			return invalid("the root of an image cannot be removed")
		}
		if _, err := t.Lstat(ctx, name); errors.Is(err, fs.ErrNotExist) {
			if a.AllowNotFound {
				continue
			}
			return invalid("%q cannot be removed: there is no such file", path.Join("/", name))
		} else if err != nil {
			return err
		}
		if err := t.remove(ctx, name); err != nil {
			return err
		}
	}
	return nil
}
