package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/go-github/v82/github"
)

const (
	readContents  = "contents: read"
	writeContents = "contents: write"
)

// Ref returns the commit that a ref, such as refs/heads/main, points to. A ref
// that does not exist is a good answer, not an error, and differs from a
// repository that the token may not read.
//
// See https://docs.github.com/rest/git/refs.
func (c *Client) Ref(ctx context.Context, name string) (sha string, found bool, err error) {
	var refs []*github.Reference
	err = c.call(ctx, readContents, readPatience, func() (err error) {
		// Unlike the question for a single ref, this one has an answer for none.
		refs, _, err = c.rest.Git.ListMatchingRefs(ctx, c.owner, c.name, name)
		return err
	})
	if err != nil {
		return "", false, fmt.Errorf("reading %q: %w", name, err)
	}
	for _, ref := range refs {
		if ref.GetRef() == name {
			return ref.GetObject().GetSHA(), true, nil
		}
	}
	return "", false, nil
}

// Refs returns the commits of all refs whose names begin with prefix, such as
// refs/heads/.
func (c *Client) Refs(ctx context.Context, prefix string) (map[string]string, error) {
	var refs []*github.Reference
	err := c.call(ctx, readContents, readPatience, func() (err error) {
		refs, _, err = c.rest.Git.ListMatchingRefs(ctx, c.owner, c.name, prefix)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing refs of %q: %w", prefix, err)
	}
	commits := map[string]string{}
	for _, ref := range refs {
		if strings.HasPrefix(ref.GetRef(), prefix) {
			commits[ref.GetRef()] = ref.GetObject().GetSHA()
		}
	}
	return commits, nil
}

// CreateRef makes a ref that points to a commit. It returns [ErrConflict] where
// there is one that points elsewhere.
func (c *Client) CreateRef(ctx context.Context, name, sha string) error {
	err := c.call(ctx, writeContents, readPatience, func() error {
		_, _, err := c.rest.Git.CreateRef(ctx, c.owner, c.name, github.CreateRef{Ref: name, SHA: sha})
		return err
	})
	if err = c.settle(ctx, err, name, "", sha); err != nil {
		return fmt.Errorf("creating %q: %w", name, err)
	}
	return nil
}

// UpdateRef moves a ref from one commit to a descendant of it. It is never
// forced: it returns [ErrConflict] where the ref points elsewhere by now.
func (c *Client) UpdateRef(ctx context.Context, name, from, to string) error {
	err := c.call(ctx, writeContents, readPatience, func() error {
		_, _, err := c.rest.Git.UpdateRef(ctx, c.owner, c.name, name, github.UpdateRef{SHA: to, Force: new(false)})
		return err
	})
	if err = c.settle(ctx, err, name, from, to); err != nil {
		return fmt.Errorf("updating %q: %w", name, err)
	}
	return nil
}

// settle finds out why GitHub refused to move a ref, since one status stands
// for many reasons. From is "" where there was no ref.
func (c *Client) settle(ctx context.Context, refusal error, name, from, to string) error {
	answer, ok := errors.AsType[*AnswerError](refusal)
	if !ok || answer.Status != http.StatusUnprocessableEntity && answer.Status != http.StatusConflict {
		return refusal
	}
	now, _, err := c.Ref(ctx, name)
	switch {
	case err != nil:
		return errors.Join(refusal, err)
	case now == to: // an earlier try was carried out, though its answer was lost
		return nil
	case now == from:
		return refusal
	case now == "":
		return ErrNotFound
	}
	return ErrConflict
}
