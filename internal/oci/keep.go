package oci

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"
)

// Keep copies the layers of an image into the layout, unless they are there.
// They stay for as long as an image in the index needs them.
func (l *Layout) Keep(ctx context.Context, img v1.Image) error {
	manifest, err := img.Manifest()
	if err != nil {
		return fmt.Errorf("keeping image: %w", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(uploads)
	for _, desc := range manifest.Layers {
		if l.has(desc) {
			continue
		}
		group.Go(func() error {
			if err := context.Cause(ctx); err != nil {
				return err
			}
			layer, err := img.LayerByDigest(desc.Digest)
			if err == nil {
				err = l.keep(layer, desc)
			}
			if err != nil {
				return fmt.Errorf("keeping layer %s: %w", desc.Digest, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// keep copies one blob and checks what arrived.
func (l *Layout) keep(layer v1.Layer, desc v1.Descriptor) error {
	content, err := layer.Compressed()
	if err != nil {
		return err
	}
	defer content.Close()
	return l.copyBlob(content, desc.Digest)
}

// copyBlob stores what content has, if it has that digest.
func (l *Layout) copyBlob(content io.Reader, digest v1.Hash) error {
	file, err := os.CreateTemp(l.blobDir(), ".layer-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) // renamed if all went well
	got := sha256.New()
	if _, err := io.Copy(io.MultiWriter(file, got), content); err != nil {
		file.Close()
		return err
	}
	if sum(got) != digest {
		file.Close()
		return fmt.Errorf("its digest is %s", sum(got))
	}
	return publish(file, l.blobPath(digest))
}

// Scan calls visit for every entry of an image's layers, lowest layer first,
// with the entry's content. The layers are kept in the layout.
func (l *Layout) Scan(ctx context.Context, img v1.Image, visit func(*tar.Header, io.Reader) error) error {
	if err := l.Keep(ctx, img); err != nil {
		return err
	}
	manifest, err := img.Manifest()
	if err != nil {
		return fmt.Errorf("reading image: %w", err)
	}
	for _, desc := range manifest.Layers {
		if err := l.scan(ctx, desc, visit); err != nil {
			return fmt.Errorf("reading layer %s: %w", desc.Digest, err)
		}
	}
	return nil
}

func (l *Layout) scan(ctx context.Context, desc v1.Descriptor, visit func(*tar.Header, io.Reader) error) error {
	file, err := l.openBlob(desc.Digest)
	if err != nil {
		return err
	}
	defer file.Close()
	return readEntries(ctx, file, visit)
}
