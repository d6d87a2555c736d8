package oci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/diag"
)

// AddIndex writes an index of images that the layout has, one for each
// platform, and returns its digest. The order of digests is that of the index.
func (l *Layout) AddIndex(digests []string) (digest string, err error) {
	err = l.locked(func() error {
		listed, err := l.index()
		if err != nil {
			return err
		}
		index := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
		var entries []v1.Descriptor
		for _, wanted := range digests {
			i := slices.IndexFunc(listed.Manifests, func(d v1.Descriptor) bool { return d.Digest.String() == wanted })
			if i < 0 {
				return fmt.Errorf("writing image index: the layout has no image %s", wanted)
			}
			entry := listed.Manifests[i]
			entries = append(entries, entry)
			entry.Annotations = nil // ours, of the layout
			index.Manifests = append(index.Manifests, entry)
		}
		desc, err := l.addJSON(index, types.OCIImageIndex)
		if err != nil {
			return err
		}
		digest = desc.Digest.String()
		if err := l.list(append(entries, desc)...); err != nil {
			return err
		}
		return l.clean()
	})
	return digest, err
}

// layoutIndex is an index of a [Layout].
type layoutIndex struct {
	client   Client
	ctx      context.Context // on which layers of base images are read
	dir      string
	login    artifact.Repository // whose login is for all layers in its registry
	raw      []byte
	manifest v1.IndexManifest
}

var _ v1.ImageIndex = (*layoutIndex)(nil)

// openIndex opens an index that the layout lists.
func (c Client) openIndex(ctx context.Context, dir string, entry v1.Descriptor) (*layoutIndex, error) {
	raw, err := os.ReadFile((&Layout{dir: dir}).blobPath(entry.Digest))
	if err != nil {
		return nil, fmt.Errorf("reading image layout: %w", err)
	}
	index := &layoutIndex{client: c, ctx: ctx, dir: dir, raw: raw}
	if err := json.Unmarshal(raw, &index.manifest); err != nil {
		return nil, fmt.Errorf("reading image layout: %w", err)
	}
	return index, nil
}

// MediaType implements [v1.ImageIndex].
func (i *layoutIndex) MediaType() (types.MediaType, error) { return types.OCIImageIndex, nil }

// Digest implements [v1.ImageIndex].
func (i *layoutIndex) Digest() (v1.Hash, error) { return hashOf(i.raw), nil }

// Size implements [v1.ImageIndex].
func (i *layoutIndex) Size() (int64, error) { return int64(len(i.raw)), nil }

// IndexManifest implements [v1.ImageIndex].
func (i *layoutIndex) IndexManifest() (*v1.IndexManifest, error) { return i.manifest.DeepCopy(), nil }

// RawManifest implements [v1.ImageIndex].
func (i *layoutIndex) RawManifest() ([]byte, error) { return i.raw, nil }

// Image implements [v1.ImageIndex].
func (i *layoutIndex) Image(digest v1.Hash) (v1.Image, error) {
	return i.open(digest)
}

func (i *layoutIndex) open(digest v1.Hash) (*placedImage, error) {
	img, err := i.client.image(i.ctx, i.dir, digest.String())
	if err != nil {
		return nil, err
	}
	img.places.signIn(i.login)
	return img, nil
}

// images opens all of them.
func (i *layoutIndex) images() ([]v1.Image, error) {
	var all []v1.Image
	for _, entry := range i.manifest.Manifests {
		img, err := i.open(entry.Digest)
		if err != nil {
			return nil, err
		}
		all = append(all, img)
	}
	return all, nil
}

// ImageIndex implements [v1.ImageIndex]. There are no indexes in ours.
func (i *layoutIndex) ImageIndex(v1.Hash) (v1.ImageIndex, error) { return nil, errors.ErrUnsupported }

// choose opens the image for a platform.
func (i *layoutIndex) choose(wanted v1.Platform) (v1.Image, error) {
	var has []string
	for _, entry := range i.manifest.Manifests {
		if entry.Platform == nil {
			continue
		}
		if entry.Platform.Satisfies(wanted) {
			return i.Image(entry.Digest)
		}
		has = append(has, entry.Platform.String())
	}
	return nil, &diag.Problem{
		Summary: "Image has no such platform",
		Detail: fmt.Sprintf("The image is not built for %s, but for: %s. Add it to platforms, or deploy to another kind of machine.",
			wanted.String(), strings.Join(has, ", ")),
	}
}

// stored is a [v1.Image] or a [v1.ImageIndex].
type stored interface {
	remote.Taggable
	Digest() (v1.Hash, error)
}

// stored opens what a layout lists under a digest, an image or an index, to
// send it to a repository.
func (c Client) stored(ctx context.Context, dir, digest string, to artifact.Repository) (stored, error) {
	entry, err := findEntry(dir, digest)
	if err != nil {
		return nil, err
	}
	if entry.MediaType.IsIndex() {
		index, err := c.openIndex(ctx, dir, entry)
		if err != nil {
			return nil, err
		}
		index.login = to
		return index, nil
	}
	img, err := c.open(ctx, &Layout{dir: dir}, entry)
	if err != nil {
		return nil, err
	}
	img.places.signIn(to)
	return img, nil
}

// imagesOf lists the image that content is, or the images of an index in a
// layout. Those of others are known when they are copied.
func imagesOf(content remote.Taggable) ([]v1.Image, error) {
	switch content := content.(type) {
	case v1.Image:
		return []v1.Image{content}, nil
	case *layoutIndex:
		return content.images()
	}
	return nil, nil
}

// lacking lists the blobs that the repository lacks of an image, or of all in
// an index of a layout.
func lacking(ctx context.Context, puller *remote.Puller, repo name.Repository, content remote.Taggable) ([]v1.Descriptor, error) {
	images, err := imagesOf(content)
	if err != nil {
		return nil, err
	}
	var all []v1.Descriptor
	for _, image := range images {
		blobs, err := missing(ctx, puller, repo, image)
		if err != nil {
			return nil, err
		}
		for _, blob := range blobs {
			if !slices.ContainsFunc(all, func(d v1.Descriptor) bool { return d.Digest == blob.Digest }) {
				all = append(all, blob)
			}
		}
	}
	return all, nil
}
