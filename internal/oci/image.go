package oci

import (
	"encoding/json"
	"fmt"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
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
// base's layers, and those that are in another repository, stay where they are.
func (l *Layout) AddImage(img NewImage) (digest string, err error) {
	manifest := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1}
	config := img.Config
	config.RootFS = v1.RootFS{Type: "layers"}
	entry := v1.Descriptor{MediaType: types.OCIManifestSchema1}
	var places places
	if img.Base != nil {
		if err := addBase(&manifest, &config, img.Base.Image); err != nil {
			return "", err
		}
		for _, layer := range manifest.Layers {
			places.add(layer.Digest, img.Base.Repository)
		}
	}
	for _, layer := range img.Layers {
		manifest.Layers = append(manifest.Layers, layer.Descriptor)
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, layer.DiffID)
		if layer.From != nil {
			places.add(layer.Descriptor.Digest, *layer.From)
		}
	}
	if entry.Annotations, err = places.annotate(); err != nil {
		return "", err
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
