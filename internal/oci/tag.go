package oci

import (
	"context"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/deploy-action/deploy-action/internal/artifact"
)

// Tagged returns the digest of what a tag names in a repository, "" where it
// names nothing. It is one request. What a user can mend is a problem.
func (c Client) Tagged(ctx context.Context, repository artifact.Repository, tag string) (string, error) {
	repo, err := parseRepository(repository)
	if err != nil {
		return "", err
	}
	desc, err := remote.Head(repo.Tag(tag), c.options(ctx, repository, v1.Platform{})...)
	if notFound(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("looking for tag %s in %s: %w", tag, repo, explain(err, repo.RegistryStr()))
	}
	return desc.Digest.String(), nil
}

// Tag makes a tag name what is in the repository by that digest. Where it does
// already nothing is written. What a user can mend is a problem.
func (c Client) Tag(ctx context.Context, repository artifact.Repository, digest, tag string) error {
	target, err := c.target(repository, nil)
	if err != nil {
		return err
	}
	if err := target.tag(ctx, digest, tag); err != nil {
		return fmt.Errorf("tagging %s as %s: %w", target.name.Digest(digest), tag, explain(err, target.name.RegistryStr()))
	}
	return nil
}

func (t *target) tag(ctx context.Context, digest, tag string) error {
	_, current, err := t.repo.Manifest(ctx, tag, manifestTypes...)
	switch {
	case err == nil && hashOf(current).String() == digest:
		return nil
	case err != nil && !notFound(err):
		return err
	}
	mediaType, manifest, err := t.repo.Manifest(ctx, digest, manifestTypes...)
	if err != nil {
		return err
	}
	return t.repo.Put(ctx, tag, mediaType, digest, manifest)
}
