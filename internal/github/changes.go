package github

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/google/go-github/v82/github"
)

// mostCompared is how many files GitHub names in a comparison. There may be
// more where it names as many.
const mostCompared = 300

// errManyFiles means that a tree has more files than GitHub lists at once.
var errManyFiles = errors.New("the tree is too large to be listed")

// ChangedFiles returns the paths, from the top of the repository, of the files
// that differ between two commits, in no order; of a renamed file both; and
// whether head is known to have all commits of base. It asks for a comparison
// and, where that says less than all, for both trees. Its error is [ErrNotFound]
// where the repository lacks one of the commits.
func (c *Client) ChangedFiles(ctx context.Context, base, head string) (files []string, follows bool, err error) {
	files, follows, err = c.compared(ctx, base, head)
	if follows && len(files) < mostCompared || errors.Is(err, ErrNotFound) {
		return files, follows, err
	}
	// Also where the comparison failed: one of large commits takes GitHub too
	// long at times.
	files, err = c.differing(ctx, base, head)
	return files, follows, err
}

// differing compares the trees of two commits.
func (c *Client) differing(ctx context.Context, base, head string) ([]string, error) {
	before, err := c.fileTree(ctx, base)
	if err != nil {
		return nil, err
	}
	after, err := c.fileTree(ctx, head)
	if err != nil {
		return nil, err
	}
	changed := map[string]bool{}
	for path, object := range before {
		changed[path] = after[path] != object
	}
	for path, object := range after {
		changed[path] = before[path] != object
	}
	maps.DeleteFunc(changed, func(_ string, differs bool) bool { return !differs })
	return slices.Collect(maps.Keys(changed)), nil
}

// compared returns the files that differ by the comparison of two commits. That
// is the whole truth only where head follows base, since GitHub compares with
// what both have in common, and where the list was not cut.
//
// See https://docs.github.com/rest/commits/commits#compare-two-commits.
func (c *Client) compared(ctx context.Context, base, head string) (files []string, follows bool, err error) {
	var found *github.CommitsComparison
	err = c.call(ctx, readContents, readPatience, func() (err error) {
		// Files come with the first page, whatever its size.
		found, _, err = c.rest.Repositories.CompareCommits(ctx, c.owner, c.name, base, head, &github.ListOptions{PerPage: 1})
		return err
	})
	if err != nil {
		return nil, false, fmt.Errorf("comparing %q with %q: %w", base, head, err)
	}
	for _, file := range found.Files {
		files = append(files, file.GetFilename())
		if former := file.GetPreviousFilename(); former != "" {
			files = append(files, former)
		}
	}
	return files, found.GetStatus() == Ahead || found.GetStatus() == Identical, nil
}

// fileTree returns what each file of a commit is, by its path.
//
// See https://docs.github.com/rest/git/trees#get-a-tree.
func (c *Client) fileTree(ctx context.Context, commit string) (map[string]string, error) {
	var found *github.Tree
	err := c.call(ctx, readContents, readPatience, func() (err error) {
		found, _, err = c.rest.Git.GetTree(ctx, c.owner, c.name, commit, true)
		return err
	})
	if err == nil && found.GetTruncated() {
		err = errManyFiles
	}
	if err != nil {
		return nil, fmt.Errorf("listing the files of commit %q: %w", commit, err)
	}
	files := map[string]string{}
	for _, entry := range found.Entries {
		if entry.GetType() != "tree" {
			files[entry.GetPath()] = entry.GetMode() + " " + entry.GetSHA()
		}
	}
	return files, nil
}
