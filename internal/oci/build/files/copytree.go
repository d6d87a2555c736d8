package files

import (
	"archive/tar"
	"context"
	"path"
	"strings"

	"github.com/moby/patternmatcher"
)

// matched is what the patterns said of the folder that something is in.
type matched struct{ include, exclude patternmatcher.MatchInfo }

// choice is what the patterns say of one thing.
type choice struct {
	copied, excluded bool
	info             matched
}

// choose holds a path below the source against the patterns. The source itself,
// "", is always copied.
func (c *copier) choose(relative string, above matched) (choice, error) {
	result := choice{copied: true}
	if relative == "" {
		return result, nil
	}
	var err error
	if c.include != nil {
		if result.copied, result.info.include, err = c.include.MatchesUsingParentResults(relative, above.include); err != nil {
			return choice{}, err
		}
	}
	if c.exclude != nil {
		if result.excluded, result.info.exclude, err = c.exclude.MatchesUsingParentResults(relative, above.exclude); err != nil {
			return choice{}, err
		}
	}
	result.copied = result.copied && !result.excluded
	return result, nil
}

// copy copies e, which is at the path relative below the source, to target.
// Inside of a source, overwrite says that folders get the source's rights.
func (c *copier) copy(ctx context.Context, e Entry, relative, target string, overwrite bool, above matched) error {
	chosen, err := c.choose(relative, above)
	if err != nil {
		return err
	}
	if e.folder() {
		return c.copyFolder(ctx, e, relative, target, overwrite, chosen)
	}
	if !chosen.copied {
		return nil
	}
	c.note(e.Name)
	if err := c.makeParents(ctx, overwrite); err != nil {
		return err
	}
	return c.copyFile(ctx, e, target)
}

// note marks the required paths that a copied one fulfils.
func (c *copier) note(name string) {
	for _, required := range c.action.RequiredPaths {
		if strings.HasPrefix("/"+name, required) {
			c.included[required] = true
		}
	}
}

func (c *copier) copyFolder(ctx context.Context, e Entry, relative, target string, overwrite bool, chosen choice) error {
	if chosen.copied {
		c.note(e.Name)
		if err := c.makeParents(ctx, overwrite); err != nil {
			return err
		}
		if err := c.makeFolder(ctx, e, target, overwrite, c.info); err != nil {
			return err
		}
	}
	if chosen.excluded && !c.exclude.Exclusions() {
		return nil
	}
	c.parents = append(c.parents, parent{e, target, chosen.copied})
	defer func() { c.parents = c.parents[:len(c.parents)-1] }()
	entries, err := c.from.ReadDir(ctx, e.Name)
	if err != nil {
		return changed(e.Name, err)
	}
	for _, child := range entries {
		base := path.Base(child.Name)
		if err := c.copy(ctx, child, path.Join(relative, base), path.Join(target, base), true, chosen.info); err != nil {
			return err
		}
	}
	return nil
}

// makeParents makes the folders on the way that no pattern named. Of those that
// are there already, only the mode becomes the source's, as in BuildKit.
func (c *copier) makeParents(ctx context.Context, overwrite bool) error {
	for i := range c.parents {
		p := &c.parents[i]
		if p.made {
			continue
		}
		p.made = true
		there, isThere, err := exists(ctx, c.to, p.target)
		if err != nil {
			return err
		}
		info := c.info
		if isThere && there.folder() {
			info = func(e *Entry) meta {
				m := metaOf(&there.Header)
				m.mode = uint32(e.Header.Mode & 0o7777)
				return m
			}
		}
		if err := c.makeFolder(ctx, p.source, p.target, overwrite, info); err != nil {
			return err
		}
	}
	return nil
}

// makeFolder makes the copy of a folder without its content. One that is there
// gets other rights only if overwrite says so.
func (c *copier) makeFolder(ctx context.Context, e Entry, target string, overwrite bool, info func(*Entry) meta) error {
	there, isThere, err := exists(ctx, c.to, target)
	if err != nil {
		return err
	}
	if isThere && !there.folder() && !c.action.AlwaysReplaceExistingDestPaths {
		return cannotReplace(e, target, there)
	}
	if isThere && there.folder() && !overwrite {
		return nil
	}
	return c.to.folder(ctx, target, info(&e))
}

// copyFile copies anything but a folder.
func (c *copier) copyFile(ctx context.Context, e Entry, target string) error {
	there, isThere, err := exists(ctx, c.to, target)
	if err != nil {
		return err
	}
	if isThere && there.folder() && !c.action.AlwaysReplaceExistingDestPaths {
		return cannotReplace(e, target, there)
	}
	if e.Same != nil && e.Header.Typeflag == tar.TypeReg {
		if first, ok := c.files[e.Same]; ok {
			return c.to.link(ctx, first, target)
		}
		c.files[e.Same] = target
	}
	n := &node{meta: c.info(&e)}
	if n.kind == tar.TypeReg {
		n.body = &viewed{view: c.from, name: e.Name, size: e.Header.Size, modified: e.Header.ModTime}
	}
	return c.to.put(ctx, target, n)
}
