package imagetree

import (
	"fmt"
	"io"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Referrers returns the contents of what refers to an image in a registry, by
// the type of each and, after a space, its predicate type.
func Referrers(image string, options ...remote.Option) (map[string]string, error) {
	ref, err := name.NewDigest(image)
	if err != nil {
		return nil, err
	}
	index, err := remote.Referrers(ref, options...)
	if err != nil {
		return nil, err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, desc := range manifest.Manifests {
		referrer, err := remote.Image(ref.Context().Digest(desc.Digest.String()), options...)
		if err != nil {
			return nil, err
		}
		content, err := onlyLayer(referrer)
		if err != nil {
			return nil, err
		}
		found[desc.ArtifactType+" "+desc.Annotations["in-toto.io/predicate-type"]] += content
	}
	return found, nil
}

// onlyLayer returns the content of an image of one layer.
func onlyLayer(image v1.Image) (string, error) {
	layers, err := image.Layers()
	if err != nil || len(layers) != 1 {
		return "", fmt.Errorf("a referrer has the layers %v: %w", layers, err)
	}
	content, err := layers[0].Compressed()
	if err != nil {
		return "", err
	}
	defer content.Close()
	text, err := io.ReadAll(content)
	return string(text), err
}
