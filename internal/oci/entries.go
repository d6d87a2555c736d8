package oci

import (
	"archive/tar"
	"context"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/deploy-action/deploy-action/internal/artifact"
)

// Entries calls visit for every entry of an image's layers, lowest layer first,
// with the number of the layer and the entry's content. Nothing is unpacked:
// layers are read from where they are, one after the other, and whiteouts are
// entries like others. An error of visit ends it. What a user can mend is a
// problem.
func (c Client) Entries(ctx context.Context, img artifact.Image, visit func(layer int, header *tar.Header, content io.Reader) error) error {
	image, err := c.Fetch(ctx, img, nil, "")
	if err != nil {
		return err
	}
	layers, err := image.Layers()
	if err != nil {
		return fmt.Errorf("reading image: %w", err)
	}
	for n, layer := range layers {
		err := entriesOf(ctx, layer, func(header *tar.Header, content io.Reader) error { return visit(n, header, content) })
		if err != nil {
			return fmt.Errorf("reading layer %d of %d: %w", n+1, len(layers), err)
		}
	}
	return nil
}

func entriesOf(ctx context.Context, layer v1.Layer, visit func(*tar.Header, io.Reader) error) error {
	content, err := layer.Compressed()
	if err != nil {
		return err
	}
	defer content.Close()
	return readEntries(ctx, content, visit)
}

// readEntries calls visit for the entries of an archive, compressed or not.
func readEntries(ctx context.Context, content io.Reader, visit func(*tar.Header, io.Reader) error) error {
	plain, err := decompress(content)
	if err != nil {
		return err
	}
	defer plain.Close()
	archive := tar.NewReader(plain)
	for {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		header, err := archive.Next()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = visit(header, archive)
		}
		if err != nil {
			return err
		}
	}
}
