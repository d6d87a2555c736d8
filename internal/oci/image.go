package oci

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/deploy-action/deploy-action/internal/artifact"
)

// NewImage describes an image for [Layout.AddImage].
type NewImage struct {
	Config v1.ConfigFile // its RootFS is filled in
	Base   *Base         // nil for an image from scratch
	Layers []Layer       // on top of the base, lowest first

	// StartInterval is the health check's, for which Config has no field.
	StartInterval time.Duration
}

// Base is an image in a registry that others are built on.
type Base struct {
	Image      v1.Image
	Repository artifact.Repository // without its Login
}

// AddImage writes the manifest of a new image, lists it in the index, cleans
// the layout of what it no longer needs, and returns the image's digest. The
// base's layers stay where they are.
func (l *Layout) AddImage(img NewImage) (digest string, err error) {
	manifest := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1}
	config := img.Config
	config.RootFS = v1.RootFS{Type: "layers"}
	entry := v1.Descriptor{MediaType: types.OCIManifestSchema1}
	if img.Base != nil {
		if err := addBase(&manifest, &config, img.Base.Image); err != nil {
			return "", err
		}
		entry.Annotations = map[string]string{
			baseAnnotation:       img.Base.Repository.Name,
			baseLayersAnnotation: strconv.Itoa(len(manifest.Layers)),
		}
		if img.Base.Repository.Insecure {
			entry.Annotations[insecureAnnotation] = "true"
		}
	}
	for _, layer := range img.Layers {
		manifest.Layers = append(manifest.Layers, layer.Descriptor)
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, layer.DiffID)
	}
	if manifest.Config, err = l.addConfig(config, img.StartInterval); err != nil {
		return "", err
	}
	desc, err := l.addJSON(manifest, types.OCIManifestSchema1)
	if err != nil {
		return "", err
	}
	entry.Digest, entry.Size, entry.Platform = desc.Digest, desc.Size, config.Platform()
	return desc.Digest.String(), l.locked(func() error {
		if err := l.list(entry); err != nil {
			return err
		}
		return l.clean()
	})
}

// addBase begins a manifest with the layers of another image.
func addBase(manifest *v1.Manifest, config *v1.ConfigFile, base v1.Image) error {
	baseManifest, err := base.Manifest()
	if err != nil {
		return fmt.Errorf("reading base image: %w", err)
	}
	baseConfig, err := base.ConfigFile()
	if err != nil {
		return fmt.Errorf("reading base image: %w", err)
	}
	for _, layer := range baseManifest.Layers {
		if layer.MediaType == types.DockerLayer {
			layer.MediaType = types.OCILayer // the same bytes under the name that fits an OCI manifest
		}
		manifest.Layers = append(manifest.Layers, layer)
	}
	config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, baseConfig.RootFS.DiffIDs...)
	return nil
}

// addConfig stores a configuration as a blob.
func (l *Layout) addConfig(config v1.ConfigFile, startInterval time.Duration) (v1.Descriptor, error) {
	if startInterval == 0 || config.Config.Healthcheck == nil {
		return l.addJSON(config, types.OCIConfigJSON)
	}
	type healthcheck struct {
		*v1.HealthConfig
		StartInterval time.Duration
	}
	type settings struct {
		v1.Config
		Healthcheck healthcheck
	}
	return l.addJSON(struct {
		v1.ConfigFile
		Config settings `json:"config"`
	}{config, settings{config.Config, healthcheck{config.Config.Healthcheck, startInterval}}}, types.OCIConfigJSON)
}

// addJSON stores a value as a blob.
func (l *Layout) addJSON(value any, mediaType types.MediaType) (v1.Descriptor, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return v1.Descriptor{}, fmt.Errorf("writing image layout: %w", err)
	}
	digest, err := l.writeBlob(data)
	return v1.Descriptor{MediaType: mediaType, Digest: digest, Size: int64(len(data))}, err
}

// layoutImage is an image of a [Layout]. Layers that are not there are read
// from the base's repository.
type layoutImage struct {
	layout   *Layout
	manifest v1.Manifest
	raw      []byte
	fetch    func(v1.Descriptor) (io.ReadCloser, error) // nil without a base
}

// image opens the image with that digest; "" is the newest.
func (c Client) image(ctx context.Context, dir, digest string) (v1.Image, error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("reading image layout: %w", err)
	}
	layout := &Layout{dir: dir}
	index, err := layout.index()
	if err != nil {
		return nil, err
	}
	for i := len(index.Manifests) - 1; i >= 0; i-- {
		if entry := index.Manifests[i]; digest == "" || entry.Digest.String() == digest {
			return c.open(ctx, layout, entry)
		}
	}
	return nil, fmt.Errorf("reading image layout %s: it has no image %s", dir, digest)
}

func (c Client) open(ctx context.Context, layout *Layout, entry v1.Descriptor) (v1.Image, error) {
	raw, err := os.ReadFile(layout.blobPath(entry.Digest))
	if err != nil {
		return nil, fmt.Errorf("reading image layout: %w", err)
	}
	core := &layoutImage{layout: layout, raw: raw}
	if err := json.Unmarshal(raw, &core.manifest); err != nil {
		return nil, fmt.Errorf("reading image layout: %w", err)
	}
	img, err := partial.CompressedToImage(core)
	if err != nil {
		return nil, fmt.Errorf("reading image layout: %w", err)
	}
	where := entry.Annotations[baseAnnotation]
	if where == "" {
		return img, nil
	}
	repository := artifact.Repository{Name: where, Insecure: entry.Annotations[insecureAnnotation] != ""}
	base, err := parseRepository(repository)
	if err != nil {
		return nil, err
	}
	core.fetch = func(desc v1.Descriptor) (io.ReadCloser, error) {
		layer, err := remote.Layer(base.Digest(desc.Digest.String()), c.options(ctx, repository, v1.Platform{})...)
		if err != nil {
			return nil, fmt.Errorf("reading base image: %w", explain(err, base.RegistryStr()))
		}
		content, err := layer.Compressed()
		if err != nil {
			return nil, fmt.Errorf("reading base image: %w", explain(err, base.RegistryStr()))
		}
		return content, nil
	}
	count, err := strconv.Atoi(entry.Annotations[baseLayersAnnotation])
	if err != nil {
		return nil, fmt.Errorf("reading image layout: %w", err)
	}
	return basedImage{img, base, core.manifest.Layers[:min(count, len(core.manifest.Layers))]}, nil
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
	if i.fetch != nil && !i.layout.has(desc) {
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

// basedImage tells a push where the base's layers are, so that a registry that
// has them need not be sent them.
type basedImage struct {
	v1.Image
	base   name.Repository
	layers []v1.Descriptor // those of the base
}

// Layers implements [v1.Image].
func (i basedImage) Layers() ([]v1.Layer, error) {
	layers, err := i.Image.Layers()
	if err != nil {
		return nil, err
	}
	for n, desc := range i.layers {
		layers[n] = &remote.MountableLayer{Layer: layers[n], Reference: i.base.Digest(desc.Digest.String())}
	}
	return layers, nil
}
