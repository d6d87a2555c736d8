package buildkit

import (
	"archive/tar"
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"golang.org/x/sync/errgroup"

	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/build/files"
)

// add moves an image from an archive into the layout. Layers are compressed
// anew, for the engine's archive has them plain.
func add(ctx context.Context, req Request, archive string) (digest, architecture string, err error) {
	image, err := tarball.ImageFromPath(archive, nil)
	if err != nil {
		return "", "", fmt.Errorf("reading the image that BuildKit made: %w", err)
	}
	added := oci.NewImage{}
	raw, err := image.RawConfigFile()
	if err == nil {
		err = json.Unmarshal(raw, &added.Config)
	}
	if err == nil {
		added.StartInterval, err = startInterval(raw)
	}
	if err != nil {
		return "", "", fmt.Errorf("reading the image that BuildKit made: %w", err)
	}
	if !req.Times.Keep {
		added.Config.Created = v1.Time{Time: req.Times.Fixed.UTC()}
	}
	if added.Layers, err = addLayers(ctx, req.Layout, image); err != nil {
		return "", "", err
	}
	digest, err = req.Layout.AddImage(added)
	return digest, added.Config.Architecture, err
}

// startInterval reads the one setting that [v1.ConfigFile] has no field for.
func startInterval(config []byte) (time.Duration, error) {
	var file struct {
		Config struct {
			Healthcheck struct{ StartInterval time.Duration }
		} `json:"config"`
	}
	err := json.Unmarshal(config, &file)
	return file.Config.Healthcheck.StartInterval, err
}

// addLayers adds the layers of an image, several at a time.
func addLayers(ctx context.Context, layout *oci.Layout, image v1.Image) ([]oci.Layer, error) {
	layers, err := image.Layers()
	if err != nil {
		return nil, fmt.Errorf("reading the image that BuildKit made: %w", err)
	}
	added := make([]oci.Layer, len(layers))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, layer := range layers {
		group.Go(func() error {
			var err error
			added[i], err = layout.AddLayer(ctx, func(ctx context.Context, to *tar.Writer) error { return copyLayer(ctx, to, layer) })
			return err
		})
	}
	return added, group.Wait()
}

// copyLayer writes the entries of a layer to an archive.
func copyLayer(ctx context.Context, to *tar.Writer, layer v1.Layer) error {
	plain, err := layer.Uncompressed()
	if err != nil {
		return fmt.Errorf("reading the image that BuildKit made: %w", err)
	}
	defer plain.Close()
	if err := files.CopyArchive(ctx, to, plain); err != nil {
		return fmt.Errorf("copying a layer: %w", err)
	}
	return nil
}
