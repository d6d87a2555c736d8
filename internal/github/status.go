package github

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/google/go-github/v82/github"
)

// descriptionLimit is in characters. GitHub refuses what is longer.
const descriptionLimit = 140

// Status is a commit status.
type Status struct {
	Context     string // which check, e.g. "deploy-action/web (production)"
	State       string // pending, success, failure or error
	Description string // one line; cut after 140 characters
	TargetURL   string // where details are; or ""

	Created time.Time // when it was set, of those that were read
}

// SetStatus sets a commit status. It waits a few seconds for a rate limit, not
// longer: then it returns a [LimitError].
func (c *Client) SetStatus(ctx context.Context, sha string, s Status) error {
	body := github.RepoStatus{Context: &s.Context, State: &s.State}
	if description := cut(s.Description, descriptionLimit); description != "" {
		body.Description = &description
	}
	if s.TargetURL != "" {
		body.TargetURL = &s.TargetURL
	}
	err := c.call(ctx, "statuses: write", reportPatience, func() error {
		_, _, err := c.rest.Repositories.CreateStatus(ctx, c.owner, c.name, sha, body)
		return err
	})
	if err != nil {
		return fmt.Errorf("setting commit status %q: %w", s.Context, err)
	}
	return nil
}

// Statuses yields the statuses of a commit, newest first, in the way of
// [Client.Deployments]. Those that a later one of their context took the place
// of are among them.
//
// See https://docs.github.com/rest/commits/statuses.
func (c *Client) Statuses(ctx context.Context, sha string) iter.Seq2[Status, error] {
	q := question{"the statuses of commit " + sha, "statuses: read", readPatience}
	return pages(ctx, c, q, func(page github.ListOptions) ([]Status, *github.Response, error) {
		found, response, err := c.rest.Repositories.ListStatuses(ctx, c.owner, c.name, sha, &page)
		slices.SortStableFunc(found, func(a, b *github.RepoStatus) int { return cmp.Compare(b.GetID(), a.GetID()) })
		return each(found, statusOf), response, err
	})
}

func statusOf(s *github.RepoStatus) Status {
	return Status{
		Context: s.GetContext(), State: s.GetState(), Description: s.GetDescription(), TargetURL: s.GetTargetURL(),
		Created: s.GetCreatedAt().Time,
	}
}

// cut returns the first line of text in at most limit characters, and shows
// where it left something out. It cuts between words where that costs little.
func cut(text string, limit int) string {
	line, rest, _ := strings.Cut(strings.TrimSpace(text), "\n")
	line = strings.TrimSpace(line)
	runes := []rune(line)
	if len(runes) <= limit && strings.TrimSpace(rest) == "" {
		return line
	}
	kept := string(runes[:min(len(runes), limit-1)])
	if space := strings.LastIndexByte(kept, ' '); len(runes) >= limit && space > len(kept)*3/4 {
		kept = kept[:space]
	}
	return strings.TrimRight(kept, " .,;:") + "…"
}
