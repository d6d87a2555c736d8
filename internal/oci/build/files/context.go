package files

import (
	"archive/tar"
	"context"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/moby/patternmatcher"
)

// contextView is a folder less what an ignore file names. Owners are not those
// of whoever checked the files out, but root's.
type contextView struct {
	disk   disk
	ignore *patternmatcher.PatternMatcher // nil ignores nothing

	mu      sync.Mutex // also of ignore, which compiles its patterns as they are used
	matches map[string]match
	skipped map[string]bool
}

// match is what the patterns say of a folder.
type match struct {
	info    patternmatcher.MatchInfo
	ignored bool
	holds   *bool // whether an ignored folder holds an exception; nil if nobody asked
}

// Context is a build context. What ignore matches is not there, but for the
// folders that hold an exception. Sockets, pipes and devices are left out;
// [Skipped] tells them. A nil ignore leaves nothing else out.
func Context(root *os.Root, ignore *patternmatcher.PatternMatcher) View {
	return &contextView{disk: disk{root}, ignore: ignore, matches: map[string]match{}, skipped: map[string]bool{}}
}

// Skipped names what was met in a build context and is neither a file nor a
// folder nor a link, so that no image can have it. Of other views it is nothing.
func Skipped(v View) []string {
	c, ok := v.(*contextView)
	if !ok {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	names := make([]string, 0, len(c.skipped))
	for name := range c.skipped {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Lstat implements [View].
func (c *contextView) Lstat(_ context.Context, name string) (Entry, error) {
	e, err := c.disk.lstat(name)
	if err != nil {
		return Entry{}, err
	}
	visible, err := c.visible(name, e.folder())
	if err != nil {
		return Entry{}, err
	}
	if !visible || !c.take(&e) {
		return Entry{}, notExist(name)
	}
	return e, nil
}

// ReadDir implements [View].
func (c *contextView) ReadDir(ctx context.Context, name string) ([]Entry, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	found, err := c.disk.list(name, func(e fs.DirEntry) (bool, error) {
		return c.visible(path.Join(name, e.Name()), e.IsDir())
	})
	if err != nil {
		return nil, err
	}
	entries, err := c.disk.describeAll(name, found)
	if err != nil {
		return nil, err
	}
	kept := entries[:0]
	for _, e := range entries {
		if c.take(&e) {
			kept = append(kept, e)
		}
	}
	return kept, nil
}

// Open implements [View].
func (c *contextView) Open(_ context.Context, e Entry) (io.ReadCloser, error) { return c.disk.open(e) }

// take makes an entry one of a context, if it can be one.
func (c *contextView) take(e *Entry) bool {
	switch e.Header.Typeflag {
	case tar.TypeReg, tar.TypeDir, tar.TypeSymlink:
		e.Header.Uid, e.Header.Gid = 0, 0
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.skipped[e.Name] = true
	return false
}

// visible reports whether the patterns leave a name in the context.
func (c *contextView) visible(name string, folder bool) (bool, error) {
	if c.ignore == nil || name == "." {
		return true, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.shows(name, folder)
}

// shows is visible with the lock held.
func (c *contextView) shows(name string, folder bool) (bool, error) {
	m, err := c.match(name, folder)
	if err != nil || !m.ignored {
		return err == nil, err
	}
	if !folder || !c.ignore.Exclusions() || !c.mayHoldException(name) {
		return false, nil
	}
	if m.holds == nil {
		holds, err := c.holdsException(name)
		if err != nil {
			return false, err
		}
		m.holds = &holds
		c.matches[name] = m
	}
	return *m.holds, nil
}

// match holds a name against the patterns. What they say of folders is kept,
// since it counts for all below.
func (c *contextView) match(name string, folder bool) (match, error) {
	if name == "." {
		return match{}, nil
	}
	if known, ok := c.matches[name]; ok {
		return known, nil
	}
	parent, err := c.match(path.Dir(name), true)
	if err != nil {
		return match{}, err
	}
	var m match
	m.ignored, m.info, err = c.ignore.MatchesUsingParentResults(name, parent.info)
	if err == nil && folder {
		c.matches[name] = m
	}
	return m, err
}

// mayHoldException reports whether an exception can match below a folder. It
// saves the walk through large ignored folders.
func (c *contextView) mayHoldException(folder string) bool {
	for _, p := range c.ignore.Patterns() {
		if !p.Exclusion() {
			continue
		}
		pattern := strings.TrimSuffix(strings.TrimSuffix(p.String(), "/**"), "/*")
		if strings.ContainsAny(pattern, `*?[]^\`) || strings.HasPrefix(pattern+"/", folder+"/") {
			return true
		}
	}
	return false
}

// holdsException looks for something visible below an ignored folder.
func (c *contextView) holdsException(folder string) (bool, error) {
	found := false
	_, err := c.disk.list(folder, func(e fs.DirEntry) (bool, error) {
		if found {
			return false, nil
		}
		var err error
		found, err = c.shows(path.Join(folder, e.Name()), e.IsDir())
		return false, err
	})
	return found, err
}

var _ View = (*contextView)(nil)
