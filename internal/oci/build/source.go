package build

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// source is the build context: a folder less what .dockerignore names.
type source struct {
	root   *os.Root
	ignore *patternmatcher.PatternMatcher
}

// file is one thing in the build context.
type file struct {
	path string // relative to the context
	info fs.FileInfo
}

// openSource opens the context. The caller closes it.
func openSource(root *os.Root, req Request) (*source, error) {
	name, err := within(req, req.Context, "context")
	if err != nil {
		return nil, err
	}
	context, err := root.OpenRoot(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &diag.Problem{
			Summary: "Missing build context",
			Detail:  fmt.Sprintf("There is no folder %q.", name),
			Attr:    "context",
		}
	case err != nil:
		return nil, outside(name, "context", err)
	}
	s := &source{root: context}
	if s.ignore, err = readIgnore(root, context, req); err != nil {
		context.Close()
		return nil, err
	}
	return s, nil
}

func (s *source) close() { s.root.Close() }

// readIgnore reads NAME.dockerignore beside the Dockerfile, or else
// .dockerignore in the context.
func readIgnore(root, context *os.Root, req Request) (*patternmatcher.PatternMatcher, error) {
	name, err := within(req, req.Dockerfile, "dockerfile")
	if err != nil {
		return nil, err
	}
	name += ".dockerignore"
	file, err := root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		name = ".dockerignore"
		file, err = context.Open(name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return patternmatcher.New(nil)
	}
	if err != nil {
		return nil, outside(name, "context", err)
	}
	defer file.Close()
	patterns, err := ignorefile.ReadAll(file)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	matcher, err := patternmatcher.New(patterns)
	if err != nil {
		return nil, &diag.Problem{
			Summary: "Invalid .dockerignore",
			Detail:  fmt.Sprintf("%s has a pattern that cannot be read.", name),
			Err:     err,
		}
	}
	return matcher, nil
}

// match returns what a source of COPY names, in order: one file or folder, or
// all that a pattern matches. A link is followed within the context. Nothing
// found is fs.ErrNotExist.
func (s *source) match(pattern string) ([]file, error) {
	pattern = clean(pattern)
	names := []string{pattern}
	if strings.ContainsAny(pattern, `*?[\`) {
		var err error
		if names, err = fs.Glob(s.root.FS(), pattern); err != nil {
			return nil, err
		}
		slices.Sort(names)
	}
	var found []file
	for _, name := range names {
		ignored, err := s.ignored(name)
		if err != nil {
			return nil, err
		}
		info, err := s.root.Stat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, outside(name, "context", err)
		}
		// Some file of an ignored folder may be named as an exception.
		if !ignored || info.IsDir() && s.ignore.Exclusions() {
			found = append(found, file{name, info})
		}
	}
	if len(found) == 0 {
		return nil, fs.ErrNotExist
	}
	return found, nil
}

func (s *source) ignored(name string) (bool, error) {
	if name == "." {
		return false, nil
	}
	return s.ignore.MatchesOrParentMatches(name)
}

// walk returns what is below a folder and not ignored, without the folder
// itself. Links are not followed.
func (s *source) walk(folder string) ([]file, error) {
	directory, err := s.root.Open(folder)
	if err != nil {
		return nil, err
	}
	entries, err := directory.ReadDir(-1)
	directory.Close()
	if err != nil {
		return nil, err
	}
	var found []file
	for _, entry := range entries {
		name := path.Join(folder, entry.Name())
		ignored, err := s.ignored(name)
		if err != nil {
			return nil, err
		}
		if ignored && !(entry.IsDir() && s.ignore.Exclusions()) {
			continue
		}
		info, err := s.root.Lstat(name)
		if err != nil {
			return nil, err
		}
		var below []file
		if entry.IsDir() {
			if below, err = s.walk(name); err != nil {
				return nil, err
			}
		}
		if !ignored || len(below) > 0 {
			found = append(append(found, file{name, info}), below...)
		}
	}
	return found, nil
}

// hint says why a source may be missing: ignored, or misspelt. It continues a
// sentence, which its caller ends.
func (s *source) hint(pattern string) string {
	pattern = clean(pattern)
	if ignored, err := s.ignored(pattern); err == nil && ignored {
		if _, err := s.root.Lstat(pattern); err == nil {
			return ", since .dockerignore leaves it out"
		}
	}
	directory, err := s.root.Open(path.Dir(pattern))
	if err != nil {
		return ""
	}
	defer directory.Close()
	names, err := directory.Readdirnames(-1)
	if err != nil {
		return ""
	}
	slices.Sort(names)
	if nearest := diag.Nearest(path.Base(pattern), names); nearest != "" {
		return fmt.Sprintf("; the nearest name is %q", path.Join(path.Dir(pattern), nearest))
	}
	return ""
}

// clean makes a path relative to the root it is meant in; no number of ".."
// leads above that.
func clean(name string) string {
	if name = strings.TrimPrefix(path.Clean("/"+name), "/"); name != "" {
		return name
	}
	return "."
}
