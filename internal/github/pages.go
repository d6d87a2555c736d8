package github

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/google/go-github/v82/github"
)

// question is a request that is answered in pages.
type question struct {
	what       string // in errors: "listing " + what
	permission string
	patience   time.Duration
}

// pages yields what list finds, page by page: who stops early saves requests.
// It yields an error at most once, as the last thing.
func pages[T any](ctx context.Context, c *Client, q question, list func(github.ListOptions) ([]T, *github.Response, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for page := (github.ListOptions{Page: 1, PerPage: 100}); page.Page != 0; {
			var found []T
			var response *github.Response
			err := c.call(ctx, q.permission, q.patience, func() (err error) {
				found, response, err = list(page)
				return err
			})
			if err != nil {
				var none T
				yield(none, fmt.Errorf("listing %s: %w", q.what, err))
				return
			}
			for _, item := range found {
				if !yield(item, nil) {
					return
				}
			}
			page.Page = response.NextPage
		}
	}
}

// each returns what convert makes of each item.
func each[From, To any](items []From, convert func(From) To) []To {
	var list []To
	for _, item := range items {
		list = append(list, convert(item))
	}
	return list
}
