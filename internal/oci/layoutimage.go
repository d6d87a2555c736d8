package oci

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/deploy-action/deploy-action/internal/artifact"
)

// layoutImage is an image of a [Layout]. Layers that are not there are read
// from the repository that has them.
type layoutImage struct {
	layout   *Layout
	manifest v1.Manifest
	raw      []byte
	fetch    func(v1.Descriptor) (io.ReadCloser, error)
}

// image opens the image with that digest; "" is the newest.
func (c Client) image(ctx context.Context, dir, digest string) (*placedImage, error) {
	entry, err := findEntry(dir, digest)
	if err != nil {
		return nil, err
	}
	return c.open(ctx, &Layout{dir: dir}, entry)
}

// findEntry finds what a layout lists under a digest; "" is the newest.
func findEntry(dir, digest string) (v1.Descriptor, error) {
	if _, err := os.Stat(dir); err != nil {
		return v1.Descriptor{}, fmt.Errorf("reading image layout: %w", err)
	}
	index, err := (&Layout{dir: dir}).index()
	if err != nil {
		return v1.Descriptor{}, err
	}
	for i := len(index.Manifests) - 1; i >= 0; i-- {
		if entry := index.Manifests[i]; digest == "" || entry.Digest.String() == digest {
			return entry, nil
		}
	}
	return v1.Descriptor{}, fmt.Errorf("reading image layout %s: it has no image %s", dir, digest)
}

func (c Client) open(ctx context.Context, layout *Layout, entry v1.Descriptor) (*placedImage, error) {
	raw, err := os.ReadFile(layout.blobPath(entry.Digest))
	if err != nil {
		return nil, fmt.Errorf("reading image layout: %w", err)
	}
	core := &layoutImage{layout: layout, raw: raw}
	if err := json.Unmarshal(raw, &core.manifest); err != nil {
		return nil, fmt.Errorf("reading image layout: %w", err)
	}
	places, err := readPlaces(entry.Annotations)
	if err != nil {
		return nil, err
	}
	core.fetch = func(desc v1.Descriptor) (io.ReadCloser, error) {
		where, known := places[desc.Digest]
		if !known {
			return layout.openBlob(desc.Digest) // which says that it is missing
		}
		return c.openRemote(ctx, desc, where)
	}
	img, err := partial.CompressedToImage(core)
	if err != nil {
		return nil, fmt.Errorf("reading image layout: %w", err)
	}
	return &placedImage{img, places}, nil
}

// openRemote opens a blob of a repository.
func (c Client) openRemote(ctx context.Context, desc v1.Descriptor, where artifact.Repository) (io.ReadCloser, error) {
	repo, err := parseRepository(where)
	if err != nil {
		return nil, err
	}
	layer, err := remote.Layer(repo.Digest(desc.Digest.String()), c.options(ctx, where, v1.Platform{})...)
	if err != nil {
		return nil, fmt.Errorf("reading layer %s of %s: %w", desc.Digest, where.Name, explain(err, repo.RegistryStr()))
	}
	content, err := layer.Compressed()
	if err != nil {
		return nil, fmt.Errorf("reading layer %s of %s: %w", desc.Digest, where.Name, explain(err, repo.RegistryStr()))
	}
	return content, nil
}

// MediaType implements [partial.CompressedImageCore].
func (i *layoutImage) MediaType() (types.MediaType, error) { return i.manifest.MediaType, nil }

// RawManifest implements [partial.CompressedImageCore].
func (i *layoutImage) RawManifest() ([]byte, error) { return i.raw, nil }

// RawConfigFile implements [partial.CompressedImageCore].
func (i *layoutImage) RawConfigFile() ([]byte, error) {
	data, err := os.ReadFile(i.layout.blobPath(i.manifest.Config.Digest))
	if err != nil {
		return nil, fmt.Errorf("reading image layout: %w", err)
	}
	return data, nil
}

// LayerByDigest implements [partial.CompressedImageCore].
func (i *layoutImage) LayerByDigest(digest v1.Hash) (partial.CompressedLayer, error) {
	for _, desc := range append(i.manifest.Layers, i.manifest.Config) {
		if desc.Digest == digest {
			return blob{desc, func() (io.ReadCloser, error) { return i.openLayer(desc) }}, nil
		}
	}
	return nil, fmt.Errorf("reading image layout: %s is no layer of the image", digest)
}

func (i *layoutImage) openLayer(desc v1.Descriptor) (io.ReadCloser, error) {
	if !i.layout.has(desc) {
		return i.fetch(desc)
	}
	return i.layout.openBlob(desc.Digest)
}

// blob is a [partial.CompressedLayer] that knows where to read.
type blob struct {
	desc v1.Descriptor
	read func() (io.ReadCloser, error)
}

// Digest implements [partial.CompressedLayer].
func (b blob) Digest() (v1.Hash, error) { return b.desc.Digest, nil }

// Size implements [partial.CompressedLayer].
func (b blob) Size() (int64, error) { return b.desc.Size, nil }

// MediaType implements [partial.CompressedLayer].
func (b blob) MediaType() (types.MediaType, error) { return b.desc.MediaType, nil }

// Compressed implements [partial.CompressedLayer].
func (b blob) Compressed() (io.ReadCloser, error) { return b.read() }

// placedImage tells a push where else layers are, so that a registry that has
// them need not be sent them.
type placedImage struct {
	v1.Image
	places places
}

// Layers implements [v1.Image].
func (i *placedImage) Layers() ([]v1.Layer, error) {
	layers, err := i.Image.Layers()
	if err != nil {
		return nil, err
	}
	for n, layer := range layers {
		digest, err := layer.Digest()
		if err != nil {
			return nil, err
		}
		where, known := i.places[digest]
		if !known {
			continue
		}
		repo, err := parseRepository(where)
		if err != nil {
			return nil, err
		}
		layers[n] = &remote.MountableLayer{Layer: layer, Reference: repo.Digest(digest.String())}
	}
	return layers, nil
}
