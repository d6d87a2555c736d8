package oci

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/diag"
)

// Fetch opens an image, be it in a layout or in a registry, for one platform
// such as "linux/arm64"; "" is [DefaultPlatform]. Layers are read when they
// are asked for, with ctx. The repository from says how to sign in and may be
// nil. What a user can mend is a problem.
func (c Client) Fetch(ctx context.Context, img artifact.Image, from *artifact.Repository, platform string) (v1.Image, error) {
	wanted, err := ParsePlatform(platform)
	if err != nil {
		return nil, err
	}
	if img.Daemon {
		return nil, fmt.Errorf("fetching %s: it is only in the Docker engine", img.Reference())
	}
	if img.Layout != "" {
		return c.fetchStored(ctx, img, wanted)
	}
	desc, err := c.describe(ctx, img, from, wanted)
	if err != nil {
		return nil, err
	}
	fetched, err := desc.Image()
	if err == nil {
		_, err = fetched.Digest() // an index is looked through only now
	}
	if err != nil {
		if desc.MediaType.IsIndex() {
			return nil, platformProblem(img, desc, wanted)
		}
		return nil, fmt.Errorf("fetching %s: %w", img.Reference(), err)
	}
	return fetched, nil
}

// fetchStored opens an image of a layout.
func (c Client) fetchStored(ctx context.Context, img artifact.Image, wanted v1.Platform) (v1.Image, error) {
	entry, err := findEntry(img.Layout, img.Digest)
	if err != nil {
		return nil, err
	}
	if !entry.MediaType.IsIndex() {
		return c.open(ctx, &Layout{dir: img.Layout}, entry)
	}
	index, err := c.openIndex(ctx, img.Layout, entry)
	if err != nil {
		return nil, err
	}
	return index.choose(wanted)
}

// describe asks a registry for an image's manifest or index.
func (c Client) describe(ctx context.Context, img artifact.Image, from *artifact.Repository, platform v1.Platform) (*remote.Descriptor, error) {
	repository := artifact.Repository{Name: img.Repository}
	if from != nil {
		repository.Insecure, repository.Login = from.Insecure, from.Login
	}
	repo, err := parseRepository(repository)
	if err != nil {
		return nil, err
	}
	var ref name.Reference = repo.Tag(name.DefaultTag)
	switch {
	case img.Digest != "":
		ref = repo.Digest(img.Digest)
	case img.Tag != "":
		ref = repo.Tag(img.Tag)
	}
	desc, err := remote.Get(ref, c.options(ctx, repository, platform)...)
	if err != nil {
		return nil, fmt.Errorf("fetching %s: %w", img.Reference(), explain(err, repo.RegistryStr()))
	}
	return desc, nil
}

// platformProblem says which platforms an index has.
func platformProblem(img artifact.Image, desc *remote.Descriptor, wanted v1.Platform) error {
	var has []string
	if index, err := desc.ImageIndex(); err == nil {
		if manifest, err := index.IndexManifest(); err == nil {
			for _, entry := range manifest.Manifests {
				if entry.Platform != nil && entry.Platform.OS != "unknown" { // attestations
					has = append(has, entry.Platform.String())
				}
			}
		}
	}
	return &diag.Problem{
		Summary: "Image has no such platform",
		Detail: fmt.Sprintf("%s is not built for %s. It is built for: %s. Choose another base image, or another platform.",
			img.Reference(), wanted.String(), strings.Join(has, ", ")),
	}
}
