package build

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// source is the build context: a folder less what .dockerignore names.
type source struct {
	root   *os.Root
	ignore *patternmatcher.PatternMatcher
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
		return patternmatcher.New(ownFolders(req))
	}
	if err != nil {
		return nil, outside(name, "context", err)
	}
	defer file.Close()
	patterns, err := ignorefile.ReadAll(file)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	matcher, err := patternmatcher.New(append(patterns, ownFolders(req)...))
	if err != nil {
		return nil, &diag.Problem{
			Summary: "Invalid .dockerignore",
			Detail:  fmt.Sprintf("%s has a pattern that cannot be read.", name),
			Err:     err,
		}
	}
	return matcher, nil
}

// ownFolders are patterns for what is no part of the context where it is in it:
// what the build itself writes, this program's state folder, which changes with
// every run, and git's settings, in which a checkout leaves the job's token. Git
// does without them.
func ownFolders(req Request) []string {
	patterns := []string{"**/.deploy-action", "**/.git/config", "**/.git/modules/**/config"}
	for _, dir := range []string{req.Layout.Dir(), req.Steps, req.Caches, req.Work} {
		name, err := filepath.Rel(req.Context, dir)
		if err == nil && dir != "" && name != "." && filepath.IsLocal(name) {
			patterns = append(patterns, filepath.ToSlash(name))
		}
	}
	return patterns
}

// within returns path relative to the root, in slashes. A path outside is a
// problem at attr.
func within(req Request, path, attr string) (string, error) {
	relative, err := filepath.Rel(req.Root, path)
	if err != nil || !filepath.IsLocal(relative) {
		return "", outside(path, attr, nil)
	}
	return filepath.ToSlash(relative), nil
}

// outside says that a path leads out of the repository.
func outside(path, attr string, cause error) error {
	return &diag.Problem{
		Summary: "Path outside the repository",
		Detail: fmt.Sprintf("%q is not in the repository, or a symbolic link on the way leads out of it or is absolute. "+
			"A build reads only files of the repository, so that it cannot carry others into an image. Move or copy what it needs.", path),
		Attr: attr,
		Err:  cause,
	}
}
