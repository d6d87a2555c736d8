package oci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci/transfer"
)

// manifestTypes are the manifests that a push understands.
var manifestTypes = []string{
	string(types.OCIManifestSchema1), string(types.OCIImageIndex),
	string(types.DockerManifestSchema2), string(types.DockerManifestList),
}

// target is a repository that images are sent to.
type target struct {
	name    name.Repository
	repo    *transfer.Repository
	sources []name.Repository // others of the registry, which have some of the layers
	copies  bool              // all layers come from the first of these
}

// target opens a repository. What is sent may also be mounted from others, the
// sources.
func (c Client) target(to artifact.Repository, sources []name.Repository) (*target, error) {
	repo, err := parseRepository(to)
	if err != nil {
		return nil, err
	}
	sources = slices.DeleteFunc(sources, func(s name.Repository) bool {
		return s.RegistryStr() != repo.RegistryStr() || s.String() == repo.String()
	})
	opened := transfer.Open(repo.RegistryStr(), repo.RepositoryStr(), func(ctx context.Context) (http.RoundTripper, error) {
		signed, err := c.signed(ctx, to, repo, sources)
		if _, refused := errors.AsType[*transport.Error](err); refused && len(sources) > 0 {
			// Some give no login at all where one of the repositories is not ours.
			return c.signed(ctx, to, repo, nil)
		}
		return signed, err
	})
	return &target{name: repo, repo: opened, sources: sources}, nil
}

// signed returns a transport that may push to one repository, and read others.
func (c Client) signed(ctx context.Context, to artifact.Repository, repo name.Repository, sources []name.Repository) (http.RoundTripper, error) {
	auth, err := keychain{c.Credentials, to}.ResolveContext(ctx, repo.Registry)
	if err != nil {
		return nil, err
	}
	scopes := []string{repo.Scope(transport.PushScope)}
	for _, source := range sources {
		scopes = append(scopes, source.Scope(transport.PullScope))
	}
	return transport.NewWithContext(ctx, repo.Registry, auth, transport.NewUserAgent(c.transport(), userAgent), scopes)
}

// push makes tag name the content, unless it does.
func (t *target) push(ctx context.Context, tag name.Tag, content remote.Taggable, digest string) error {
	_, current, err := t.repo.Manifest(ctx, tag.TagStr(), manifestTypes...)
	switch {
	case err == nil && hashOf(current).String() == digest:
		return nil
	case err != nil && !notFound(err):
		return err
	}
	t.know(content)
	err = t.store(ctx, tag.TagStr(), content)
	if refusal, ok := errors.AsType[*transport.Error](err); ok && lacksBlob(refusal) {
		// A blob went that the registry had; so nothing is taken for known.
		t.repo.Forget()
		err = t.store(ctx, tag.TagStr(), content)
	}
	if err != nil && current != nil {
		return explainImmutable(err, tag, hashOf(current).String())
	}
	return err
}

// know notes which layers of an image, or of those in an index, are in this very
// repository.
func (t *target) know(content remote.Taggable) {
	images, err := imagesOf(content)
	if err != nil {
		return // which is told when they are sent
	}
	for _, img := range images {
		layers, err := img.Layers()
		if err != nil {
			return // as above
		}
		for _, layer := range layers {
			digest, err := layer.Digest()
			if here, ok := layer.(*remote.MountableLayer); ok && err == nil && here.Reference.Context().String() == t.name.String() {
				t.repo.Know(digest.String())
			}
		}
	}
}

// lacksBlob reports whether a registry misses a blob of a manifest.
func lacksBlob(refusal *transport.Error) bool {
	return hasCode(refusal, transport.ManifestBlobUnknownErrorCode) || hasCode(refusal, transport.BlobUnknownErrorCode)
}

// store sends an image or an index and what belongs to it, and then its
// manifest under a tag or digest.
func (t *target) store(ctx context.Context, reference string, content remote.Taggable) error {
	var err error
	mediaType := types.OCIManifestSchema1
	switch content := content.(type) {
	case v1.Image:
		if mediaType, err = content.MediaType(); err == nil {
			err = t.blobs(ctx, content)
		}
	case v1.ImageIndex:
		if mediaType, err = content.MediaType(); err == nil {
			err = t.children(ctx, content)
		}
	}
	if err != nil {
		return err
	}
	manifest, err := content.RawManifest()
	if err != nil {
		return err
	}
	return t.repo.Put(ctx, reference, string(mediaType), hashOf(manifest).String(), manifest)
}

// children sends the images of an index.
func (t *target) children(ctx context.Context, index v1.ImageIndex) error {
	children, err := partial.Manifests(index)
	if err != nil {
		return err
	}
	for _, child := range children {
		content, ok := child.(remote.Taggable)
		if !ok {
			return fmt.Errorf("reading image index: it names a %T", child)
		}
		digest, err := child.Digest()
		if err != nil {
			return err
		}
		if err := t.store(ctx, digest.String(), content); err != nil {
			return err
		}
	}
	return nil
}

// blobs sends the layers and the configuration of an image, several at a time.
func (t *target) blobs(ctx context.Context, img v1.Image) error {
	layers, err := img.Layers()
	if err != nil {
		return err
	}
	config, err := partial.ConfigLayer(img)
	if err != nil {
		return err
	}
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(uploads)
	sent := map[v1.Hash]bool{}
	for _, layer := range append(layers, config) {
		digest, err := layer.Digest()
		if err != nil {
			return errors.Join(err, group.Wait())
		}
		if sent[digest] {
			continue
		}
		sent[digest] = true
		group.Go(func() error { return t.blob(inner, layer, layer == config) })
	}
	return group.Wait()
}

// blob sends one layer or configuration.
func (t *target) blob(ctx context.Context, layer v1.Layer, config bool) error {
	mediaType, err := layer.MediaType()
	if err != nil || !mediaType.IsDistributable() {
		return err
	}
	digest, err := layer.Digest()
	if err != nil {
		return err
	}
	size, err := layer.Size()
	if err != nil {
		return err
	}
	blob := transfer.Blob{
		Digest: digest.String(), Size: size,
		Open: func(context.Context) (io.ReadCloser, error) { return layer.Compressed() },
		// It is as small as the question, and almost as new as its manifest.
		New: config,
	}
	if !config {
		blob.Mount = t.mount(layer)
	}
	return t.repo.Send(ctx, blob)
}

// mount returns a repository of the same registry that has a layer, or "".
func (t *target) mount(layer v1.Layer) string {
	elsewhere, known := layer.(*remote.MountableLayer)
	for _, source := range t.sources {
		if t.copies && !known || known && elsewhere.Reference.Context().String() == source.String() {
			return source.RepositoryStr()
		}
	}
	return ""
}

// explainImmutable recognizes a registry that does not let a tag name anything
// else. Registries say so in many ways, and only once all blobs are there.
func explainImmutable(err error, tag name.Tag, current string) error {
	refusal, ok := errors.AsType[*transport.Error](err)
	if !ok || refusal.Request == nil || !strings.HasSuffix(refusal.Request.URL.Path, "/manifests/"+tag.TagStr()) {
		return err
	}
	immutable := refusal.StatusCode == http.StatusConflict || refusal.StatusCode == http.StatusPreconditionFailed || hasCode(refusal, "TAG_INVALID") ||
		slices.ContainsFunc(refusal.Errors, func(d transport.Diagnostic) bool {
			return strings.Contains(strings.ToLower(d.Message+fmt.Sprint(d.Detail)), "immutable")
		})
	if !immutable {
		return err
	}
	return TagTaken(tag.Context().String(), tag.TagStr(), current, err)
}

// TagTaken is the problem of a tag that names another image, in a repository
// that does not let tags move.
func TagTaken(repository, tag, current string, cause error) *diag.Problem {
	return &diag.Problem{
		Summary: fmt.Sprintf("Tag %s cannot be moved", tag),
		Detail: fmt.Sprintf("In %s it names %s, and the registry does not let a tag that exists name another image. "+
			"Give each image a tag of its own, for example tag = gitrefpretty(), or allow tags to be overwritten in the registry's settings.", repository, current),
		Attr: "tag",
		Err:  cause,
	}
}
