package github

import (
	"context"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/google/go-github/v82/github"
)

// Commit is a git commit.
type Commit struct {
	Message string
	Parents []string
	Tree    string
	Date    time.Time // in whole seconds
}

// TreeEntry is one file of a git tree.
type TreeEntry struct {
	Path string // below the tree
	Blob string
}

// The author of our commits. They are on refs of our own, not on a branch, and
// the name must not be an account's.
const (
	authorName  = "deploy-action"
	authorEmail = "deploy-action@example.invalid"
)

// Commit reads a commit.
//
// See https://docs.github.com/rest/git/commits.
func (c *Client) Commit(ctx context.Context, sha string) (Commit, error) {
	var found *github.Commit
	err := c.call(ctx, readContents, readPatience, func() (err error) {
		found, _, err = c.rest.Git.GetCommit(ctx, c.owner, c.name, sha)
		return err
	})
	if err != nil {
		return Commit{}, fmt.Errorf("reading commit %s: %w", sha, err)
	}
	return Commit{
		Message: found.GetMessage(), Parents: each(found.Parents, (*github.Commit).GetSHA), Tree: found.GetTree().GetSHA(),
		Date: found.GetCommitter().GetDate().UTC(),
	}, nil
}

// CreateCommit makes a commit and returns its name. No ref points to it yet.
// Equal commits have one name. The zero Date is now.
func (c *Client) CreateCommit(ctx context.Context, commit Commit) (sha string, err error) {
	// The date is fixed before the first try, so that a second makes no second
	// commit.
	date := github.Timestamp{Time: commit.Date.UTC().Truncate(time.Second)}
	if commit.Date.IsZero() {
		date.Time = time.Now().UTC().Truncate(time.Second)
	}
	author := &github.CommitAuthor{Name: new(authorName), Email: new(authorEmail), Date: &date}
	body := github.Commit{Message: &commit.Message, Tree: &github.Tree{SHA: &commit.Tree}, Author: author, Committer: author}
	for _, parent := range commit.Parents {
		body.Parents = append(body.Parents, &github.Commit{SHA: &parent})
	}
	var made *github.Commit
	err = c.call(ctx, writeContents, readPatience, func() (err error) {
		made, _, err = c.rest.Git.CreateCommit(ctx, c.owner, c.name, body, nil)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("creating a commit: %w", err)
	}
	return made.GetSHA(), nil
}

// Tree returns the files right below a tree; folders are left out.
//
// See https://docs.github.com/rest/git/trees.
func (c *Client) Tree(ctx context.Context, sha string) ([]TreeEntry, error) {
	var found *github.Tree
	err := c.call(ctx, readContents, readPatience, func() (err error) {
		found, _, err = c.rest.Git.GetTree(ctx, c.owner, c.name, sha, false)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading tree %s: %w", sha, err)
	}
	var files []TreeEntry
	for _, entry := range found.Entries {
		if entry.GetType() == "blob" {
			files = append(files, TreeEntry{entry.GetPath(), entry.GetSHA()})
		}
	}
	return files, nil
}

// CreateTree makes a tree of files, at least one, and returns its name.
func (c *Client) CreateTree(ctx context.Context, files []TreeEntry) (sha string, err error) {
	var entries []*github.TreeEntry
	for _, file := range files {
		entries = append(entries, &github.TreeEntry{Path: &file.Path, SHA: &file.Blob, Mode: new("100644"), Type: new("blob")})
	}
	var made *github.Tree
	err = c.call(ctx, writeContents, readPatience, func() (err error) {
		made, _, err = c.rest.Git.CreateTree(ctx, c.owner, c.name, "", entries)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("creating a tree: %w", err)
	}
	return made.GetSHA(), nil
}

// Blob reads the content of a file.
//
// See https://docs.github.com/rest/git/blobs.
func (c *Client) Blob(ctx context.Context, sha string) ([]byte, error) {
	var found *github.Blob
	err := c.call(ctx, readContents, readPatience, func() (err error) {
		found, _, err = c.rest.Git.GetBlob(ctx, c.owner, c.name, sha)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading blob %s: %w", sha, err)
	}
	content, err := base64.StdEncoding.DecodeString(found.GetContent()) // line breaks are skipped
	if err != nil {
		return nil, fmt.Errorf("reading blob %s: %w", sha, err)
	}
	return content, nil
}

// CreateBlob makes a file's content known and returns its name.
func (c *Client) CreateBlob(ctx context.Context, content []byte) (sha string, err error) {
	body := github.Blob{Content: new(base64.StdEncoding.EncodeToString(content)), Encoding: new("base64")}
	var made *github.Blob
	err = c.call(ctx, writeContents, readPatience, func() (err error) {
		made, _, err = c.rest.Git.CreateBlob(ctx, c.owner, c.name, body)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("creating a blob: %w", err)
	}
	return made.GetSHA(), nil
}
