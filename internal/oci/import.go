package oci

import (
	"context"
	"errors"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Import stores an image as a Docker engine saves it, whose layers are not
// compressed, and returns the digest that it has here. Its configuration stays
// as it is, byte for byte, and so the engine's ID of the image. Layers that are
// known, from earlier images or by [Layout.Ask], are not compressed again.
func (l *Layout) Import(ctx context.Context, img v1.Image) (digest string, err error) {
	raw, err := img.RawConfigFile()
	if err != nil {
		return "", fmt.Errorf("importing image: %w", err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		return "", fmt.Errorf("importing image: %w", err)
	}
	contents, err := img.Layers()
	if err != nil {
		return "", fmt.Errorf("importing image: %w", err)
	}
	if len(contents) != len(config.RootFS.DiffIDs) {
		return "", fmt.Errorf("importing image: it has %d layers, and its configuration names %d", len(contents), len(config.RootFS.DiffIDs))
	}
	manifest := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1}
	var places places
	for i, content := range contents {
		layer, err := l.importLayer(ctx, content, config.RootFS.DiffIDs[i])
		if err != nil {
			return "", fmt.Errorf("importing layer %s: %w", config.RootFS.DiffIDs[i], err)
		}
		manifest.Layers = append(manifest.Layers, layer.Descriptor)
		if layer.From != nil {
			places.add(layer.Descriptor.Digest, *layer.From)
		}
	}
	hash, err := l.writeBlob(raw)
	if err != nil {
		return "", err
	}
	manifest.Config = v1.Descriptor{MediaType: types.OCIConfigJSON, Digest: hash, Size: int64(len(raw))}
	entry, err := l.addJSON(manifest, types.OCIManifestSchema1)
	if err != nil {
		return "", err
	}
	entry.Platform = config.Platform()
	if entry.Annotations, err = places.annotate(); err != nil {
		return "", err
	}
	return entry.Digest.String(), l.locked(func() error {
		if err := l.list(entry); err != nil {
			return err
		}
		return l.clean()
	})
}

// importLayer stores one layer.
func (l *Layout) importLayer(ctx context.Context, from v1.Layer, diffID v1.Hash) (Layer, error) {
	fill := func(_ context.Context, to io.Writer) error {
		content, err := from.Uncompressed()
		if err != nil {
			return err
		}
		defer content.Close()
		_, err = io.Copy(to, content)
		return err
	}
	for mayAsk := l.mayAsk(); ; mayAsk = false {
		if layer, known := l.known(diffID); known {
			return layer, nil
		}
		layer, err := l.compressLayer(ctx, fill, mayAsk)
		switch {
		case errors.Is(err, errKnown):
			continue
		case err == nil && layer.DiffID != diffID:
			err = fmt.Errorf("its content has digest %s", layer.DiffID)
		}
		return layer, err
	}
}
