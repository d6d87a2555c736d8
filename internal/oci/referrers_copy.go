package oci

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/oci/transfer"
)

// mostCopied is how many referrers of one manifest are copied.
const mostCopied = 64

// keepsToItself is how registries answer that do not show what refers to an
// image to those who may read the image.
var keepsToItself = []int{http.StatusUnauthorized, http.StatusForbidden}

// copying takes what refers to an image from one repository to another.
type copying struct {
	client Client
	from   artifact.Repository
	source *transfer.Repository
	target *target
	byTag  bool
}

// copyReferrers copies what a repository knows about an image, or about an
// index and its images, to the target. Where the target has no place for that,
// and byTag does not allow a tag, nothing is copied: the image is the same
// without.
func (c Client) copyReferrers(ctx context.Context, from artifact.Repository, to *target, content remote.Taggable, byTag bool) error {
	repo, err := parseRepository(from)
	if err != nil || repo.String() == to.name.String() {
		return err
	}
	subjects, err := subjectsOf(content)
	if err != nil {
		return err
	}
	copying := copying{c, from, c.reader(from, repo), to, byTag}
	for _, subject := range subjects {
		if err := copying.subject(ctx, subject); err != nil {
			return fmt.Errorf("copying what refers to %s: %w", subject.Digest, err)
		}
	}
	return nil
}

// reader opens a repository that is only read.
func (c Client) reader(from artifact.Repository, repo name.Repository) *transfer.Repository {
	return transfer.Open(repo.RegistryStr(), repo.RepositoryStr(), func(ctx context.Context) (http.RoundTripper, error) {
		auth, err := keychain{c.Credentials, from}.ResolveContext(ctx, repo.Registry)
		if err != nil {
			return nil, err
		}
		return transport.NewWithContext(ctx, repo.Registry, auth, transport.NewUserAgent(c.transport(), userAgent), []string{repo.Scope(transport.PullScope)})
	})
}

// subject copies what refers to one manifest.
func (c copying) subject(ctx context.Context, subject v1.Descriptor) error {
	has, err := readReferrers(ctx, c.source, subject)
	if refusal, ok := errors.AsType[*transport.Error](err); ok && slices.Contains(keepsToItself, refusal.StatusCode) {
		return nil
	}
	if err != nil || len(has.listed.Manifests) == 0 {
		return err
	}
	there, err := readReferrers(ctx, c.target.repo, subject)
	if err != nil || there.tag != "" && !c.byTag {
		return err
	}
	for _, referrer := range has.listed.Manifests[:min(mostCopied, len(has.listed.Manifests))] {
		known := slices.ContainsFunc(there.listed.Manifests, func(d v1.Descriptor) bool { return d.Digest == referrer.Digest })
		if known || referrer.MediaType != types.OCIManifestSchema1 {
			continue
		}
		manifest, err := c.referrer(ctx, referrer)
		if err != nil {
			return err
		}
		if err := there.put(ctx, manifest); err != nil {
			return err
		}
	}
	return there.close(ctx)
}

// referrer copies the blobs of one referrer and returns its manifest.
func (c copying) referrer(ctx context.Context, desc v1.Descriptor) ([]byte, error) {
	_, data, err := c.source.Manifest(ctx, desc.Digest.String(), string(types.OCIManifestSchema1))
	if err != nil {
		return nil, err
	}
	if got := hashOf(data); got != desc.Digest {
		return nil, &transfer.LieError{Want: desc.Digest.String(), Got: got.String()}
	}
	manifest, err := v1.ParseManifest(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	for _, blob := range append(manifest.Layers, manifest.Config) {
		send := transfer.Blob{
			Digest: blob.Digest.String(), Size: blob.Size,
			Open: func(ctx context.Context) (io.ReadCloser, error) { return c.client.openRemote(ctx, blob, c.from) },
		}
		if len(c.target.sources) > 0 {
			send.Mount = c.target.sources[0].RepositoryStr()
		}
		if err := c.target.repo.Send(ctx, send); err != nil {
			return nil, err
		}
	}
	return data, nil
}
