package oci

import (
	"context"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Pull copies an image into the layout as it is, and returns its digest.
func (l *Layout) Pull(ctx context.Context, img v1.Image) (digest string, err error) {
	if err := l.Keep(ctx, img); err != nil {
		return "", err
	}
	manifest, err := img.RawManifest()
	if err != nil {
		return "", fmt.Errorf("pulling image: %w", err)
	}
	config, err := img.RawConfigFile()
	if err != nil {
		return "", fmt.Errorf("pulling image: %w", err)
	}
	if _, err := l.writeBlob(config); err != nil {
		return "", err
	}
	hash, err := l.writeBlob(manifest)
	if err != nil {
		return "", err
	}
	kind, err := img.MediaType()
	if err != nil {
		return "", fmt.Errorf("pulling image: %w", err)
	}
	return hash.String(), l.locked(func() error {
		if err := l.list(v1.Descriptor{MediaType: kind, Digest: hash, Size: int64(len(manifest))}); err != nil {
			return err
		}
		return l.clean()
	})
}
