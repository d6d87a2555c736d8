package oci

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci/transfer"
)

// referrers is what is known in a repository about one manifest, its subject:
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers
type referrers struct {
	repo    *transfer.Repository
	subject v1.Descriptor
	listed  v1.IndexManifest
	tag     string // that lists them where the registry has no list of its own; else ""
	news    bool   // listed has more than the tag names
}

// readReferrers asks a registry what it knows about a manifest. Where it has no
// list of its own, the tag that stands for one is read.
func readReferrers(ctx context.Context, repo *transfer.Repository, subject v1.Descriptor) (*referrers, error) {
	r := &referrers{repo: repo, subject: subject, listed: v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}}
	data, err := repo.Referrers(ctx, subject.Digest.String())
	if _, page := errors.AsType[*notRegistryError](err); page || errors.Is(err, errors.ErrUnsupported) {
		r.tag = subject.Digest.Algorithm + "-" + subject.Digest.Hex
		_, data, err = repo.Manifest(ctx, r.tag, string(types.OCIImageIndex))
		if notFound(err) {
			return r, nil
		}
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, &r.listed); err != nil {
		return nil, fmt.Errorf("reading what refers to %s: %w", subject.Digest, err)
	}
	return r, nil
}

// put stores a manifest that refers to the subject. Its blobs are there.
func (r *referrers) put(ctx context.Context, data []byte) error {
	manifest, err := v1.ParseManifest(bytes.NewReader(data))
	if err != nil {
		return err
	}
	digest := hashOf(data)
	if err := r.repo.Put(ctx, digest.String(), string(manifest.MediaType), digest.String(), data); err != nil {
		return err
	}
	r.listed.Manifests = append(r.listed.Manifests, v1.Descriptor{
		MediaType: manifest.MediaType, Digest: digest, Size: int64(len(data)), Annotations: manifest.Annotations,
		ArtifactType: cmp.Or(manifest.ArtifactType, string(manifest.Config.MediaType)),
	})
	r.news = true
	return nil
}

// close lets the tag name what was put, where there is need for one.
func (r *referrers) close(ctx context.Context) error {
	if r.tag == "" || !r.news {
		return nil
	}
	data, err := json.Marshal(r.listed)
	if err != nil {
		return err
	}
	return r.repo.Put(ctx, r.tag, string(types.OCIImageIndex), hashOf(data).String(), data)
}

// attach sends what the layout knows about an image, or about an index and its
// images. What the registry has of a kind is not sent again.
func (t *target) attach(ctx context.Context, layout *Layout, content remote.Taggable, byTag bool) error {
	subjects, err := subjectsOf(content)
	if err != nil {
		return err
	}
	for _, subject := range subjects {
		attachments, err := layout.attached(subject.Digest)
		if err == nil && len(attachments) > 0 {
			err = t.attachTo(ctx, subject, attachments, byTag)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// attachTo sends attachments of one subject.
func (t *target) attachTo(ctx context.Context, subject v1.Descriptor, attachments []Attachment, byTag bool) error {
	there, err := readReferrers(ctx, t.repo, subject)
	if err != nil {
		return err
	}
	if there.tag != "" && !byTag {
		return noReferrers(t.name)
	}
	for _, a := range attachments {
		if slices.ContainsFunc(there.listed.Manifests, a.is) {
			continue
		}
		manifest, err := a.manifest(subject)
		if err != nil {
			return err
		}
		for _, content := range [][]byte{emptyConfig, a.Content} {
			if err := t.repo.Send(ctx, blobOf(content)); err != nil {
				return err
			}
		}
		if err := there.put(ctx, manifest); err != nil {
			return err
		}
	}
	return there.close(ctx)
}

// noReferrers says that a registry cannot hold what is known about an image.
func noReferrers(repo name.Repository) error {
	return &diag.Problem{
		Summary: fmt.Sprintf("Registry %s cannot list what belongs to an image", repo.RegistryStr()),
		Detail: "The image was pushed, but its provenance or its list of packages was not: the registry lacks the referrers API, by which others would find them. " +
			"Set referrers_tag = true in the registry block to list them under a tag beside the image, or remove provenance and sbom from the build.",
		Attr: "referrers_tag",
	}
}

// subjectsOf lists what can be attached to: an image, or an index and its images.
func subjectsOf(content remote.Taggable) ([]v1.Descriptor, error) {
	describable, ok := content.(partial.Describable)
	if !ok {
		return nil, fmt.Errorf("reading image: it is a %T", content)
	}
	self, err := partial.Descriptor(describable)
	if err != nil {
		return nil, err
	}
	subjects := []v1.Descriptor{*self}
	if index, ok := content.(v1.ImageIndex); ok {
		manifest, err := index.IndexManifest()
		if err != nil {
			return nil, err
		}
		subjects = append(subjects, manifest.Manifests...)
	}
	return subjects, nil
}

func blobOf(content []byte) transfer.Blob {
	return transfer.Blob{
		Digest: hashOf(content).String(), Size: int64(len(content)),
		Open: func(context.Context) (io.ReadCloser, error) { return readSeekNopCloser{bytes.NewReader(content)}, nil },
	}
}

// readSeekNopCloser is content in memory.
type readSeekNopCloser struct{ *bytes.Reader }

// Close implements [io.Closer].
func (readSeekNopCloser) Close() error { return nil }
