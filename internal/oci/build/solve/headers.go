package solve

import (
	"archive/tar"
	"context"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/build/cache"
	"github.com/deploy-action/deploy-action/internal/oci/build/files"
)

// headers is a view of what the layers of a snapshot hold, by their headers
// alone. Layers whose headers are known are not fetched for it.
func (s *solver) headers(n *snapshot) files.View {
	return files.Layers(func(ctx context.Context, visit func(*tar.Header, io.Reader) error) error {
		if n.base != nil {
			if err := s.scanImage(ctx, n.base, visit); err != nil {
				return err
			}
		}
		for _, l := range n.chain() {
			id, err := l.diffID(ctx)
			if err != nil {
				return err
			}
			if err := s.scanMade(ctx, l, id, visit); err != nil {
				return damaged(ctx, l, err)
			}
		}
		return nil
	})
}

// scanMade does so for a layer that a step made, now or in an earlier build.
func (s *solver) scanMade(ctx context.Context, l *layer, id v1.Hash, visit cache.Visit) error {
	scan := func(visit cache.Visit) error {
		return s.scanLayer(ctx, id, func() (io.ReadCloser, error) { return s.open(ctx, l) }, visit)
	}
	if l.key == "" || s.Layout.Holds(l.written) {
		return scan(visit)
	}
	return s.scanAway(ctx, cache.Away{Layers: []v1.Hash{id}, Scan: scan, Size: l.written.Descriptor.Size}, visit)
}

// scanAway does so for layers of which some are not in the layout.
func (s *solver) scanAway(ctx context.Context, a cache.Away, visit cache.Visit) error {
	a.Layout, a.Keep = s.Layout, files.Kept
	a.Later = func(do func()) {
		s.group.Go(func() error {
			do()
			return nil
		})
	}
	return s.Cache.ScanAway(ctx, a, visit)
}

// scanImage does so for the layers of an image.
func (s *solver) scanImage(ctx context.Context, base *oci.Base, visit cache.Visit) error {
	layers, err := layersOf(base)
	if err != nil {
		return err
	}
	away := cache.Away{Scan: func(visit cache.Visit) error { return s.scanLayers(ctx, base, layers, visit) }}
	for _, l := range layers {
		away.Layers = append(away.Layers, l.DiffID)
		if !s.Layout.Holds(l) {
			away.Size += l.Descriptor.Size
		}
	}
	return s.scanAway(ctx, away, visit)
}

// scanLayers does so from the layers themselves, which it fetches unless the
// headers of all are known here.
func (s *solver) scanLayers(ctx context.Context, base *oci.Base, layers []oci.Layer, visit cache.Visit) error {
	for _, l := range layers {
		open := func() (io.ReadCloser, error) {
			if err := s.Layout.Keep(ctx, base.Image); err != nil {
				return nil, err
			}
			return s.Layout.OpenLayer(l.Descriptor, l.DiffID)
		}
		if err := s.scanLayer(ctx, l.DiffID, open, visit); err != nil {
			return fmt.Errorf("reading layer %s: %w", l.Descriptor.Digest, err)
		}
	}
	return nil
}

// scanLayer visits the entries of one layer, whose content has the digest id.
func (s *solver) scanLayer(ctx context.Context, id v1.Hash, open func() (io.ReadCloser, error), visit cache.Visit) error {
	scan := func(visit cache.Visit) error {
		content, err := open()
		if err != nil {
			return err
		}
		defer content.Close()
		archive := tar.NewReader(content)
		for {
			if err := context.Cause(ctx); err != nil {
				return err
			}
			header, err := archive.Next()
			if err == io.EOF {
				// To its end, where the digest is compared.
				_, err = io.Copy(io.Discard, content)
				return err
			}
			if err != nil {
				return err
			}
			if err := visit(header, archive); err != nil {
				return err
			}
		}
	}
	return s.Cache.Scan(ctx, id, files.Kept, scan, visit)
}

// layersOf lists the layers of an image.
func layersOf(base *oci.Base) ([]oci.Layer, error) {
	manifest, err := base.Image.Manifest()
	if err != nil {
		return nil, fmt.Errorf("reading base image: %w", err)
	}
	config, err := base.Image.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("reading base image: %w", err)
	}
	ids := config.RootFS.DiffIDs
	if len(ids) != len(manifest.Layers) {
		return nil, fmt.Errorf("reading base image: it has %d layers, but its configuration names %d", len(manifest.Layers), len(ids))
	}
	layers := make([]oci.Layer, len(ids))
	for i, desc := range manifest.Layers {
		layers[i] = oci.Layer{DiffID: ids[i], Descriptor: desc}
	}
	return layers, nil
}
