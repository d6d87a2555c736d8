package github

import (
	"context"
	"fmt"

	"github.com/google/go-github/v82/github"
)

// What [Client.Compare] finds.
const (
	Identical = "identical"
	Ahead     = "ahead"    // head has all commits of base, and more
	Behind    = "behind"   // base has all commits of head, and more
	Diverged  = "diverged" // each has commits that the other lacks
)

// Compare says how head, a commit or branch, relates to base. Its error is
// [ErrNotFound] where the repository lacks one of them.
//
// See https://docs.github.com/rest/commits/commits#compare-two-commits.
func (c *Client) Compare(ctx context.Context, base, head string) (string, error) {
	var found *github.CommitsComparison
	err := c.call(ctx, readContents, readPatience, func() (err error) {
		// The commits between them, which nobody reads here, come in pages.
		found, _, err = c.rest.Repositories.CompareCommits(ctx, c.owner, c.name, base, head, &github.ListOptions{PerPage: 1})
		return err
	})
	if err != nil {
		return "", fmt.Errorf("comparing %q with %q: %w", base, head, err)
	}
	return found.GetStatus(), nil
}
