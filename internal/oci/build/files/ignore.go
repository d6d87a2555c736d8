package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// ReadIgnore reads what a build context leaves out: DOCKERFILE.dockerignore in
// the repository, or else .dockerignore in the context. Without either it
// leaves out nothing.
func ReadIgnore(repository, context *os.Root, dockerfile string) (*patternmatcher.PatternMatcher, error) {
	name := dockerfile + ".dockerignore"
	file, err := repository.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		name = ".dockerignore"
		file, err = context.Open(name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return patternmatcher.New(nil)
	}
	if err != nil {
		return nil, escapes(name, err)
	}
	defer file.Close()
	patterns, err := ignorefile.ReadAll(file)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	matcher, err := patternmatcher.New(patterns)
	if err == nil {
		// Some mistakes show only when a pattern is used.
		_, err = matcher.MatchesOrParentMatches("x")
	}
	if err != nil {
		return nil, &diag.Problem{
			Summary: "Invalid .dockerignore",
			Detail:  fmt.Sprintf("%s has a pattern that cannot be read. Correct it, or write a backslash before a bracket that is part of a name.", name),
			Err:     err,
		}
	}
	return matcher, nil
}
