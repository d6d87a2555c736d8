package oci

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/deploy-action/deploy-action/internal/artifact"
)

// Resolve asks a registry which manifest or index a tag names at present. It is
// one request without content, which registries do not count as a pull.
func (c Client) Resolve(ctx context.Context, img artifact.Image) (digest string, err error) {
	repository := artifact.Repository{Name: img.Repository}
	repo, err := parseRepository(repository)
	if err != nil {
		return "", err
	}
	if img.Digest != "" {
		return img.Digest, nil
	}
	tag := repo.Tag(name.DefaultTag)
	if img.Tag != "" {
		tag = repo.Tag(img.Tag)
	}
	desc, err := remote.Head(tag, c.options(ctx, repository, v1.Platform{})...)
	if err != nil {
		return "", fmt.Errorf("resolving %s: %w", img.Reference(), explain(err, repo.RegistryStr()))
	}
	return desc.Digest.String(), nil
}

// Remembered is an image of a repository whose manifest and configuration the
// caller has. They must fit together. Layers are read when they are asked for,
// with ctx.
func (c Client) Remembered(ctx context.Context, from artifact.Repository, manifest, config []byte) (v1.Image, error) {
	r := &rememberedImage{raw: manifest, config: config}
	if err := json.Unmarshal(manifest, &r.manifest); err != nil {
		return nil, fmt.Errorf("reading manifest: %w", err)
	}
	if r.manifest.Config.Digest != hashOf(config) {
		return nil, fmt.Errorf("reading manifest: the configuration is another one than %s", r.manifest.Config.Digest)
	}
	r.open = func(desc v1.Descriptor) (io.ReadCloser, error) { return c.openRemote(ctx, desc, from) }
	return partial.CompressedToImage(r)
}

// rememberedImage is a [partial.CompressedImageCore].
type rememberedImage struct {
	manifest    v1.Manifest
	raw, config []byte
	open        func(v1.Descriptor) (io.ReadCloser, error)
}

// MediaType implements [partial.CompressedImageCore].
func (r *rememberedImage) MediaType() (types.MediaType, error) {
	if r.manifest.MediaType == "" {
		return types.OCIManifestSchema1, nil // which may leave it out
	}
	return r.manifest.MediaType, nil
}

// RawManifest implements [partial.CompressedImageCore].
func (r *rememberedImage) RawManifest() ([]byte, error) { return r.raw, nil }

// RawConfigFile implements [partial.CompressedImageCore].
func (r *rememberedImage) RawConfigFile() ([]byte, error) { return r.config, nil }

// LayerByDigest implements [partial.CompressedImageCore].
func (r *rememberedImage) LayerByDigest(digest v1.Hash) (partial.CompressedLayer, error) {
	for _, desc := range r.manifest.Layers {
		if desc.Digest == digest {
			return blob{desc, func() (io.ReadCloser, error) { return r.open(desc) }}, nil
		}
	}
	return nil, fmt.Errorf("reading image: it has no layer %s", digest)
}
