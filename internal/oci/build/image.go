package build

import (
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"

	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/build/solve"
)

// addImage writes the image's configuration and manifest.
func addImage(req Request, image dockerspec.DockerOCIImage, solved solve.Result) (Result, error) {
	added := oci.NewImage{Base: solved.Base, Layers: solved.Layers}
	if err := reshape(image, &added.Config); err != nil {
		return Result{}, fmt.Errorf("writing the image's configuration: %w", err)
	}
	if health := image.Config.Healthcheck; health != nil {
		added.StartInterval = health.StartInterval
	}
	layers := len(solved.Layers)
	if solved.Base != nil {
		manifest, err := solved.Base.Image.Manifest()
		if err != nil {
			return Result{}, fmt.Errorf("reading base image: %w", err)
		}
		layers += len(manifest.Layers)
	}
	now := v1.Time{Time: req.Time.UTC()}
	added.Config.Created = now
	added.Config.History = history(added.Config.History, layers, now)
	digest, err := req.Layout.AddImage(added)
	if err != nil {
		return Result{}, err
	}
	return Result{Digest: digest, Architecture: added.Config.Architecture}, nil
}

// history makes the entries that stand for a layer as many as there are layers,
// which those of some base images are not, and gives the new ones their time.
func history(entries []v1.History, layers int, now v1.Time) []v1.History {
	for i := range entries {
		entry := &entries[i]
		if entry.Created.IsZero() {
			entry.Created = now
		}
		if entry.EmptyLayer {
			continue
		}
		if layers == 0 {
			entry.EmptyLayer = true
			continue
		}
		layers--
	}
	for range layers {
		entries = append(entries, v1.History{Created: now})
	}
	return entries
}
