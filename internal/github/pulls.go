package github

import (
	"context"
	"fmt"
	"iter"

	"github.com/google/go-github/v82/github"
)

const (
	readPulls  = "pull-requests: read"
	writePulls = "pull-requests: write"
)

// Author is who did something: a person or a bot.
type Author struct {
	ID    int64
	Login string
}

func authorOf(u *github.User) Author { return Author{u.GetID(), u.GetLogin()} }

// PullRequest is a pull request of the repository.
//
// See https://docs.github.com/rest/pulls/pulls.
type PullRequest struct {
	Number int
	Title  string
	Open   bool
	Merged bool
	Draft  bool
	Labels []string
	Author Author

	BaseRef        string // a branch of this repository
	BaseSHA        string
	HeadRef        string // a branch of HeadRepository
	HeadSHA        string
	HeadRepository string // owner/name; "" where it was deleted
}

// PullRequest reads one pull request.
func (c *Client) PullRequest(ctx context.Context, number int) (PullRequest, error) {
	var found *github.PullRequest
	err := c.call(ctx, readPulls, readPatience, func() (err error) {
		found, _, err = c.rest.PullRequests.Get(ctx, c.owner, c.name, number)
		return err
	})
	if err != nil {
		return PullRequest{}, fmt.Errorf("reading pull request #%d: %w", number, err)
	}
	return pullRequestOf(found), nil
}

// OpenPullRequests yields the open pull requests, newest first, in the way of
// [Client.Deployments].
func (c *Client) OpenPullRequests(ctx context.Context) iter.Seq2[PullRequest, error] {
	q := question{"pull requests", readPulls, readPatience}
	return pages(ctx, c, q, func(page github.ListOptions) ([]PullRequest, *github.Response, error) {
		found, response, err := c.rest.PullRequests.List(ctx, c.owner, c.name, &github.PullRequestListOptions{State: "open", ListOptions: page})
		return each(found, pullRequestOf), response, err
	})
}

func pullRequestOf(p *github.PullRequest) PullRequest {
	return PullRequest{
		Number: p.GetNumber(), Title: p.GetTitle(), Open: p.GetState() == "open", Merged: !p.GetMergedAt().IsZero(), Draft: p.GetDraft(),
		Labels: each(p.Labels, (*github.Label).GetName), Author: authorOf(p.User),
		BaseRef: p.GetBase().GetRef(), BaseSHA: p.GetBase().GetSHA(),
		HeadRef: p.GetHead().GetRef(), HeadSHA: p.GetHead().GetSHA(), HeadRepository: p.GetHead().GetRepo().GetFullName(),
	}
}
