package github

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/google/go-github/v82/github"
)

// SetAt is a commit status with the time at which it was set.
type SetAt struct {
	Status
	Created time.Time
}

// CommitStatuses yields the statuses of a commit, newest first, in the way of
// [Client.Deployments]. Those that a later one of their context took the place
// of are among them.
//
// See https://docs.github.com/rest/commits/statuses.
func (c *Client) CommitStatuses(ctx context.Context, sha string) iter.Seq2[SetAt, error] {
	q := question{fmt.Sprintf("the statuses of commit %s", sha), "statuses: read", readPatience}
	return pages(ctx, c, q, func(page github.ListOptions) ([]SetAt, *github.Response, error) {
		found, response, err := c.rest.Repositories.ListStatuses(ctx, c.owner, c.name, sha, &page)
		slices.SortStableFunc(found, func(a, b *github.RepoStatus) int { return cmp.Compare(b.GetID(), a.GetID()) })
		return each(found, setAt), response, err
	})
}

func setAt(s *github.RepoStatus) SetAt {
	return SetAt{
		Status{Context: s.GetContext(), State: s.GetState(), Description: s.GetDescription(), TargetURL: s.GetTargetURL()},
		s.GetCreatedAt().Time,
	}
}
