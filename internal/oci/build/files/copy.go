package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/patternmatcher"
	mode "github.com/tonistiigi/dchapes-mode"
)

// copier carries out one COPY or ADD.
type copier struct {
	action *pb.FileActionCopy
	verb   string // for messages
	from   View
	to     *tree

	who              *owner    // nil: owners stay as they are
	change           *mode.Set // nil: modes stay, or become action.Mode
	include, exclude *patternmatcher.PatternMatcher
	now              int64
	included         map[string]bool // those of action.RequiredPaths that were met

	// Of the source that is being copied:
	files   map[any]string // where the files with several names are by now
	parents []parent
}

// parent is a folder on the way to what is being copied. One that no pattern
// names is made when something in it is copied.
type parent struct {
	source Entry
	target string
	made   bool
}

func (p *planner) copy(ctx context.Context, from View, to *tree, a *pb.FileActionCopy) error {
	c := &copier{action: a, verb: "COPY", from: from, to: to, now: p.modified(a.Timestamp), included: map[string]bool{}}
	if a.AttemptUnpackDockerCompatibility {
		c.verb = "ADD"
	}
	var err error
	if c.who, err = p.owner(ctx, a.Owner); err != nil {
		return err
	}
	if a.ModeStr != "" {
		set, err := mode.ParseWithUmask(a.ModeStr, 0)
		if err != nil {
			return invalid("the mode %q cannot be read: write it as an octal number such as 755, or as chmod takes it, such as u+x", a.ModeStr)
		}
		c.change = &set
	}
	if c.include, err = patterns(a.IncludePatterns); err != nil {
		return err
	}
	if c.exclude, err = patterns(a.ExcludePatterns); err != nil {
		return err
	}
	if !a.CreateDestPath {
		if err := c.needParent(ctx); err != nil {
			return err
		}
	}
	sources, err := c.sources(ctx)
	if err != nil {
		return err
	}
	for _, source := range sources {
		if err := c.source(ctx, source); err != nil {
			return err
		}
	}
	return c.checkRequired(ctx)
}

// patterns makes a matcher; nil for no patterns.
func patterns(list []string) (*patternmatcher.PatternMatcher, error) {
	if len(list) == 0 {
		return nil, nil
	}
	matcher, err := patternmatcher.New(list)
	if err != nil {
		return nil, invalid("the patterns %q cannot be read: write a backslash before a bracket that is part of a name", list)
	}
	return matcher, nil
}

// needParent makes sure that the target's folder is there.
func (c *copier) needParent(ctx context.Context) error {
	target, err := Resolve(ctx, c.to, c.action.Dest)
	if err != nil {
		return err
	}
	_, there, err := exists(ctx, c.to, path.Dir(target))
	if err == nil && !there {
		err = invalid("%s to %q: there is no folder %q", c.verb, c.action.Dest, "/"+path.Dir(target))
	}
	return err
}

// sources returns what the action's source names.
func (c *copier) sources(ctx context.Context) ([]string, error) {
	if !c.action.AllowWildcard {
		return []string{clean(c.action.Src)}, nil
	}
	found, err := glob(ctx, c.from, c.action.Src)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, missing(ctx, c.verb, c.from, clean(c.action.Src))
	}
	if err == nil && len(found) == 0 && !c.action.AllowEmptyWildcard {
		return nil, invalid("%s %q: nothing matches it", c.verb, clean(c.action.Src))
	}
	return found, err
}

// source copies one file or folder to the target.
func (c *copier) source(ctx context.Context, name string) error {
	follow := resolveParent
	if c.action.FollowSymlink {
		follow = Resolve
	}
	followed, err := follow(ctx, c.from, name)
	if err != nil {
		return err
	}
	if c.action.AttemptUnpackDockerCompatibility {
		if done, err := c.unpack(ctx, name); done || err != nil {
			return err
		}
	}
	e, err := c.from.Lstat(ctx, followed)
	if errors.Is(err, fs.ErrNotExist) {
		return missing(ctx, c.verb, c.from, name)
	}
	if err != nil {
		return err
	}
	target, err := c.target(ctx, name, e)
	if err != nil {
		return err
	}
	c.files, c.parents = map[any]string{}, nil
	return c.copy(ctx, e, "", target, false, matched{})
}

// target says where a source goes, and makes the folders on the way.
func (c *copier) target(ctx context.Context, name string, e Entry) (string, error) {
	dest := c.action.Dest
	folder := dest
	if !strings.HasSuffix(dest, "/") && path.Base(dest) != "." {
		folder = path.Dir(dest)
	}
	if err := c.enter(ctx, folder); err != nil {
		return "", err
	}
	target, err := Resolve(ctx, c.to, dest)
	if err != nil {
		return "", err
	}
	there, isThere, err := exists(ctx, c.to, target)
	if err != nil {
		return "", err
	}
	contents := c.action.DirCopyContents && e.folder()
	if !contents && isThere && (e.folder() || there.folder()) {
		target = path.Join(target, path.Base(name))
	}
	if contents && !isThere {
		return target, c.folders(ctx, target)
	}
	return target, c.folders(ctx, path.Dir(target))
}

// enter is folders for a path with links.
func (c *copier) enter(ctx context.Context, name string) error {
	resolved, err := Resolve(ctx, c.to, name)
	if err != nil {
		return err
	}
	return c.folders(ctx, resolved)
}

// folders makes those folders of a resolved path that are missing. They belong
// to whom the files will, and have the mode that the action names as a number.
func (c *copier) folders(ctx context.Context, name string) error {
	bits := uint32(0o755)
	if c.change == nil && c.action.Mode != -1 {
		bits = uint32(c.action.Mode) & 0o777
	}
	var who owner
	if c.who != nil {
		who = *c.who
	}
	return c.to.folders(ctx, name, newFolder(bits, who, c.now))
}

// checkRequired reports the first required path that nothing was copied of.
func (c *copier) checkRequired(ctx context.Context) error {
	if c.include == nil {
		return nil
	}
	for _, name := range c.action.RequiredPaths {
		if !c.included[name] {
			return missing(ctx, c.verb, c.from, clean(name))
		}
	}
	return nil
}

// info is what a copy has of its source's metadata.
func (c *copier) info(e *Entry) meta {
	m := metaOf(&e.Header)
	if c.who != nil {
		m.uid, m.gid = c.who.uid, c.who.gid
	}
	if c.action.Timestamp != -1 {
		m.modified = c.now
	}
	if m.link != "" {
		return m // a link has no mode of its own
	}
	switch {
	case c.change != nil:
		m.mode = bitsOf(c.change.Apply(m.fileMode()))
	case c.action.ModeStr == "" && c.action.Mode != -1:
		m.mode = uint32(c.action.Mode) & 0o7777
	}
	return m
}

// cannotReplace says that a copy meets something of another type.
func cannotReplace(e Entry, target string, there Entry) error {
	if !e.folder() {
		return invalid("the file %q cannot replace the folder %q of the image: name another target, or remove the folder before", e.Name, "/"+target)
	}
	if link := there.Header.Linkname; link != "" {
		return invalid("the folder %q cannot replace %q, which is a symbolic link to %q in the image: "+
			"rename the folder so that it goes to the link's target, or COPY its content there", e.Name, "/"+target, link)
	}
	return invalid("the folder %q cannot replace the file %q of the image: name another target, or remove the file before", e.Name, "/"+target)
}

// changed wraps an error of reading a source.
func changed(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("copying %q, which was there a moment ago: %w", name, err)
	}
	return err
}
