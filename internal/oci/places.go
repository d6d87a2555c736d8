package oci

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/deploy-action/deploy-action/internal/artifact"
)

// places says, by digest, in which repository a blob is that the layout need
// not hold.
type places map[v1.Hash]artifact.Repository

// placesAnnotation is where the index keeps the places of an image's layers. It
// does not touch the image's digest.
const placesAnnotation = "dev.deploy-action.places"

// place is a repository in the annotation, with what it has.
type place struct {
	Repository string    `json:"repository"`
	Insecure   bool      `json:"insecure,omitempty"`
	Blobs      []v1.Hash `json:"blobs"`
}

// add notes a place. The first one that is known of a blob stays.
func (p *places) add(digest v1.Hash, where artifact.Repository) {
	if *p == nil {
		*p = places{}
	}
	if _, known := (*p)[digest]; !known {
		(*p)[digest] = artifact.Repository{Name: where.Name, Insecure: where.Insecure}
	}
}

// signIn gives the login for a repository to all places in its registry.
func (p places) signIn(repo artifact.Repository) {
	for digest, where := range p {
		if Host(where.Name) == Host(repo.Name) {
			where.Login = repo.Login
			p[digest] = where
		}
	}
}

// annotate returns the annotations of an image in the index.
func (p places) annotate() (map[string]string, error) {
	if len(p) == 0 {
		return nil, nil
	}
	byName := map[string]*place{}
	for digest, where := range p {
		if byName[where.Name] == nil {
			byName[where.Name] = &place{Repository: where.Name, Insecure: where.Insecure}
		}
		byName[where.Name].Blobs = append(byName[where.Name].Blobs, digest)
	}
	var list []*place
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		slices.SortFunc(byName[name].Blobs, func(a, b v1.Hash) int { return cmp.Compare(a.Hex, b.Hex) })
		list = append(list, byName[name])
	}
	data, err := json.Marshal(list)
	if err != nil {
		return nil, fmt.Errorf("writing image layout: %w", err)
	}
	return map[string]string{placesAnnotation: string(data)}, nil
}

// readPlaces is the inverse of [places.annotate].
func readPlaces(annotations map[string]string) (places, error) {
	var list []place
	if text := annotations[placesAnnotation]; text != "" {
		if err := json.Unmarshal([]byte(text), &list); err != nil {
			return nil, fmt.Errorf("reading image layout: %w", err)
		}
	}
	var found places
	for _, where := range list {
		for _, digest := range where.Blobs {
			found.add(digest, artifact.Repository{Name: where.Repository, Insecure: where.Insecure})
		}
	}
	return found, nil
}

// KeepLayer copies a layer into the layout from the repository that it is in,
// unless the layout holds it. What a user can mend is a problem.
func (l *Layout) KeepLayer(ctx context.Context, client Client, layer Layer) error {
	if l.has(layer.Descriptor) {
		return nil
	}
	if layer.From == nil {
		return fmt.Errorf("reading image layout: layer %s is missing", layer.Descriptor.Digest)
	}
	content, err := client.openRemote(ctx, layer.Descriptor, *layer.From)
	if err != nil {
		return err
	}
	defer content.Close()
	if err := l.copyBlob(content, layer.Descriptor.Digest); err != nil {
		return fmt.Errorf("keeping layer %s: %w", layer.Descriptor.Digest, err)
	}
	return nil
}
