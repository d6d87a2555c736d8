package github

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/google/go-github/v82/github"
)

// CommentLimit is how many characters a comment may have. GitHub refuses what
// is longer.
const CommentLimit = 65536

// Comment is a comment below a pull request.
//
// See https://docs.github.com/rest/issues/comments.
type Comment struct {
	ID      int64
	Author  Author
	Body    string // Markdown
	URL     string // of its page
	Created time.Time
}

// Comments yields the comments of a pull request, oldest first, in the way of
// [Client.Deployments]. Like all that is about comments it waits a few seconds
// for a rate limit, not longer: then it yields a [LimitError].
func (c *Client) Comments(ctx context.Context, number int) iter.Seq2[Comment, error] {
	q := question{fmt.Sprintf("the comments of #%d", number), readPulls, reportPatience}
	return pages(ctx, c, q, func(page github.ListOptions) ([]Comment, *github.Response, error) {
		found, response, err := c.rest.Issues.ListComments(ctx, c.owner, c.name, number, &github.IssueListCommentsOptions{ListOptions: page})
		return each(found, commentOf), response, err
	})
}

// CreateComment adds a comment to a pull request. After a try that got no
// answer it takes a new comment of the same text for its own.
func (c *Client) CreateComment(ctx context.Context, number int, body string) (Comment, error) {
	// The clocks of two machines may differ by a little.
	since := time.Now().Add(-time.Minute)
	var made *github.IssueComment
	err := c.create(ctx, writePulls, reportPatience, func() (err error) {
		made, _, err = c.rest.Issues.CreateComment(ctx, c.owner, c.name, number, &github.IssueComment{Body: &body})
		return err
	}, func() (bool, error) {
		recent, _, err := c.rest.Issues.ListComments(ctx, c.owner, c.name, number, &github.IssueListCommentsOptions{Since: &since})
		for _, comment := range recent {
			if comment.GetBody() == body && comment.GetCreatedAt().After(since) {
				made = comment
				return true, nil
			}
		}
		return false, err
	})
	if err != nil {
		return Comment{}, fmt.Errorf("commenting on #%d: %w", number, err)
	}
	return commentOf(made), nil
}

// UpdateComment replaces the text of a comment. It returns [ErrNotFound] where
// somebody has deleted it.
func (c *Client) UpdateComment(ctx context.Context, id int64, body string) error {
	err := c.call(ctx, writePulls, reportPatience, func() error {
		_, _, err := c.rest.Issues.EditComment(ctx, c.owner, c.name, id, &github.IssueComment{Body: &body})
		return err
	})
	if err != nil {
		return fmt.Errorf("updating comment %d: %w", id, err)
	}
	return nil
}

// DeleteComment deletes a comment. It is no error if there is none.
func (c *Client) DeleteComment(ctx context.Context, id int64) error {
	err := c.remove(ctx, writePulls, func() error {
		_, err := c.rest.Issues.DeleteComment(ctx, c.owner, c.name, id)
		return err
	})
	if err != nil {
		return fmt.Errorf("deleting comment %d: %w", id, err)
	}
	return nil
}

func commentOf(c *github.IssueComment) Comment {
	return Comment{ID: c.GetID(), Author: authorOf(c.User), Body: c.GetBody(), URL: c.GetHTMLURL(), Created: c.GetCreatedAt().Time}
}
