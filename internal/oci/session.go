package oci

import (
	"context"
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/deploy-action/deploy-action/internal/artifact"
)

// Session is a repository that many small requests go to: it signs in once for
// all of them. Its methods may run concurrently. What a user can mend is a
// problem.
type Session struct {
	parsed name.Repository
	puller *remote.Puller
	pusher *remote.Pusher
}

// Session begins one. Nothing is sent yet. All requests end with ctx.
func (c Client) Session(ctx context.Context, repository artifact.Repository) (*Session, error) {
	parsed, err := parseRepository(repository)
	if err != nil {
		return nil, err
	}
	options := c.options(ctx, repository, v1.Platform{})
	puller, err := remote.NewPuller(options...)
	if err != nil {
		return nil, fmt.Errorf("opening repository %s: %w", parsed, err)
	}
	pusher, err := remote.NewPusher(options...)
	if err != nil {
		return nil, fmt.Errorf("opening repository %s: %w", parsed, err)
	}
	return &Session{parsed, puller, pusher}, nil
}

// Find returns the manifest of an image; ok is false where the tag names none.
func (s *Session) Find(ctx context.Context, tag string) (manifest *v1.Manifest, ok bool, err error) {
	desc, err := s.puller.Get(ctx, s.parsed.Tag(tag))
	if notFound(err) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, s.failed("reading", tag, err)
	}
	image, err := desc.Image()
	if err == nil {
		manifest, err = image.Manifest()
	}
	return manifest, err == nil, err
}

// Has reports whether the repository has a blob.
func (s *Session) Has(ctx context.Context, digest v1.Hash) (bool, error) {
	layer, err := s.puller.Layer(ctx, s.parsed.Digest(digest.String()))
	if err != nil {
		return false, s.failed("looking for", digest.String(), err)
	}
	exists, err := partial.Exists(layer)
	if err != nil && !notFound(err) {
		return false, s.failed("looking for", digest.String(), err)
	}
	return exists && err == nil, nil
}

// Write stores an image under a tag. What the repository has is not sent.
func (s *Session) Write(ctx context.Context, tag string, image v1.Image) error {
	if err := s.pusher.Push(ctx, s.parsed.Tag(tag), image); err != nil {
		return s.failed("writing", tag, err)
	}
	return nil
}

func (s *Session) failed(doing, what string, err error) error {
	return fmt.Errorf("%s %s in %s: %w", doing, what, s.parsed, explain(err, s.parsed.RegistryStr()))
}
