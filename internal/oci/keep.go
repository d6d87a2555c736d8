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
	all := func(int) bool { return true }
	return l.KeepEach(ctx, img, all, func(int) error { return nil })
}

// KeepEach does so with those layers that are needed, and calls use for one layer
// after the other, from the lowest on, as soon as it is there; meanwhile those
// above it arrive. An error of use is returned as it is, and ends that.
func (l *Layout) KeepEach(ctx context.Context, img v1.Image, needed func(layer int) bool, use func(layer int) error) error {
	manifest, err := img.Manifest()
	if err != nil {
		return fmt.Errorf("keeping image: %w", err)
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(1 + uploads) // the first only begins the others
	arrived := make([]chan error, len(manifest.Layers))
	for i := range arrived {
		arrived[i] = make(chan error, 1)
	}
	group.Go(func() error {
		for i, desc := range manifest.Layers {
			if !needed(i) {
				arrived[i] <- nil
				continue
			}
			group.Go(func() error {
				err := l.keepOne(inner, img, desc)
				arrived[i] <- err
				return err
			})
		}
		return nil
	})
	for i := range arrived {
		err := <-arrived[i]
		if err == nil {
			err = use(i)
		}
		if err != nil {
			stop(err)
			_ = group.Wait() // what failed first is known
			return err
		}
	}
	return group.Wait()
}

// keepOne copies one layer of an image, unless it is there.
func (l *Layout) keepOne(ctx context.Context, img v1.Image, desc v1.Descriptor) error {
	if err := context.Cause(ctx); err != nil || l.has(desc) {
		return err
	}
	layer, err := img.LayerByDigest(desc.Digest)
	if err == nil {
		err = l.keep(ctx, layer, desc)
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return fmt.Errorf("keeping layer %s: %w", desc.Digest, err)
}

// keep copies one blob and checks what arrived. The end of ctx ends it, too.
func (l *Layout) keep(ctx context.Context, layer v1.Layer, desc v1.Descriptor) error {
	content, err := layer.Compressed()
	if err != nil {
		return err
	}
	defer content.Close()
	stop := context.AfterFunc(ctx, func() { content.Close() })
	defer stop()
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
