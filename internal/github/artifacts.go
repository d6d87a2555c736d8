package github

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/google/go-github/v82/github"

	"github.com/deploy-action/deploy-action/internal/retry"
)

// readActions is the permission that everything about artifacts and runs needs.
const readActions = "actions: read"

// Artifact is a file kept by a workflow run.
type Artifact struct {
	ID      int64 // greater for every later one
	Name    string
	Digest  string // sha256:… of the zip file
	Expired bool   // its content is gone
	Created time.Time
	Expires time.Time // zero where GitHub does not tell

	Run            int64
	HeadBranch     string // of the run; the name of a tag where one was pushed
	HeadSHA        string
	Repository     int64 // where the run ran
	HeadRepository int64 // where its commit came from: another one for a fork
}

// Foreign reports whether the artifact may hold what somebody outside the
// repository wrote.
func (a Artifact) Foreign() bool {
	return a.Repository == 0 || a.Repository != a.HeadRepository
}

// Artifacts yields the repository's artifacts of exactly that name, or of all
// names for "", newest first, page by page: who stops early saves requests. It
// yields an error at most once, as the last thing.
func (c *Client) Artifacts(ctx context.Context, name string) iter.Seq2[Artifact, error] {
	var only *string
	if name != "" {
		only = &name
	}
	return c.artifacts(ctx, func(page github.ListOptions) (*github.ArtifactList, *github.Response, error) {
		return c.rest.Actions.ListArtifacts(ctx, c.owner, c.name, &github.ListArtifactsOptions{Name: only, ListOptions: page})
	})
}

// RunArtifacts yields all artifacts of one run, in the same way.
func (c *Client) RunArtifacts(ctx context.Context, run int64) iter.Seq2[Artifact, error] {
	return c.artifacts(ctx, func(page github.ListOptions) (*github.ArtifactList, *github.Response, error) {
		return c.rest.Actions.ListWorkflowRunArtifacts(ctx, c.owner, c.name, run, &page)
	})
}

// Artifact returns one artifact, also one that has expired. Its error is
// [ErrGone] where it was deleted.
func (c *Client) Artifact(ctx context.Context, id int64) (Artifact, error) {
	var found *github.Artifact
	err := c.call(ctx, readActions, readPatience, func() (err error) {
		found, _, err = c.rest.Actions.GetArtifact(ctx, c.owner, c.name, id)
		return err
	})
	if errors.Is(err, ErrNotFound) {
		err = ErrGone
	}
	if err != nil {
		return Artifact{}, fmt.Errorf("asking for artifact %d: %w", id, err)
	}
	return artifactOf(found), nil
}

func (c *Client) artifacts(ctx context.Context, list func(github.ListOptions) (*github.ArtifactList, *github.Response, error)) iter.Seq2[Artifact, error] {
	q := question{"artifacts", readActions, readPatience}
	return pages(ctx, c, q, func(page github.ListOptions) ([]Artifact, *github.Response, error) {
		found, response, err := list(page)
		if err != nil {
			return nil, nil, err
		}
		// The order is GitHub's habit, not its promise.
		slices.SortStableFunc(found.Artifacts, func(a, b *github.Artifact) int { return cmp.Compare(b.GetID(), a.GetID()) })
		return each(found.Artifacts, artifactOf), response, nil
	})
}

func artifactOf(a *github.Artifact) Artifact {
	run := a.GetWorkflowRun()
	return Artifact{
		ID: a.GetID(), Name: a.GetName(), Digest: a.GetDigest(), Expired: a.GetExpired(), Created: a.GetCreatedAt().Time, Expires: a.GetExpiresAt().Time,
		Run: run.GetID(), HeadBranch: run.GetHeadBranch(), HeadSHA: run.GetHeadSHA(),
		Repository: run.GetRepositoryID(), HeadRepository: run.GetHeadRepositoryID(),
	}
}

// Download returns the one file that an artifact holds, after it has checked
// the artifact's digest. It returns [ErrGone] for one that has expired or was
// deleted since it was listed, and [ErrDigest] for one that was tampered with.
func (c *Client) Download(ctx context.Context, a Artifact, file string) ([]byte, error) {
	var zipped []byte
	err := retry.Do(ctx, func(ctx context.Context) error {
		// The address is asked for again at each try: it is good for a minute.
		var address *url.URL
		err := c.call(ctx, readActions, readPatience, func() (err error) {
			address, _, err = c.rest.Actions.DownloadArtifact(ctx, c.owner, c.name, a.ID, 3)
			return err
		})
		if err != nil {
			return err
		}
		zipped, err = fetch(ctx, c.http, address.String(), a.Digest)
		return err
	})
	if refusal, ok := errors.AsType[*PermissionError](err); ok && refusal.Status == http.StatusNotFound {
		err = ErrGone // whoever could list it may see it
	}
	if err != nil {
		return nil, fmt.Errorf("downloading artifact %q of run %d: %w", a.Name, a.Run, err)
	}
	return unpack(zipped, file)
}
