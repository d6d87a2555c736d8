package cache

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync/atomic"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/oci"
)

// registry is the store in a repository. Each record is an image of one layer,
// which any registry takes, under a tag made of the scope and the key. After
// the first failure nothing more is asked of it: a build does not wait for it
// again and again.
type registry struct {
	session    *oci.Session
	repository artifact.Repository
	read       []string
	write      string
	note       func(string)
	writers    chan struct{} // one entry for each record that is being written
	off        atomic.Bool
}

const (
	// diffIDAnnotation is of a record's layer: the digest of its content before
	// compression. The configuration says the same, but would have to be fetched.
	diffIDAnnotation = "dev.deploy-action.diff-id"

	// writers is how many records are written at the same time.
	writers = 4

	// patience is how long one look for a record may take.
	patience = 30 * time.Second
)

// scopeForm keeps tags within what registries take.
var scopeForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)

// checkScopes checks what builds may write to and read.
func checkScopes(write string, read []string) error {
	for _, scope := range append([]string{write}, read...) {
		if scope != "" && !scopeForm.MatchString(scope) {
			return fmt.Errorf("opening the cache: the scope %q is not a word of lower-case letters, digits and dashes", scope)
		}
	}
	return nil
}

func openRegistry(ctx context.Context, o Options) (*registry, error) {
	if err := checkScopes(o.Write, o.Read); err != nil {
		return nil, err
	}
	session, err := o.Client.Session(ctx, *o.Repository)
	if err != nil {
		return nil, err
	}
	r := &registry{session: session, repository: *o.Repository, read: o.Read, write: o.Write, note: o.Note, writers: make(chan struct{}, writers)}
	if r.note == nil {
		r.note = func(string) {}
	}
	return r, nil
}

// tagOf is the tag of a record.
func tagOf(scope, key string) string { return "cache-" + scope + "-" + key }

// find implements [store].
func (r *registry) find(ctx context.Context, key string) (Record, bool) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for _, scope := range r.read {
		if r.off.Load() {
			break
		}
		manifest, ok, err := r.session.Find(ctx, tagOf(scope, key))
		if err != nil {
			r.fail(ctx, "read", err)
			break
		}
		if !ok {
			continue
		}
		if layer, ok := layerOf(manifest); ok {
			layer.From = &r.repository
			return Record{Layer: layer}, true
		}
	}
	return Record{}, false
}

// layerOf reads a record. A manifest that is none has no layer.
func layerOf(manifest *v1.Manifest) (oci.Layer, bool) {
	if len(manifest.Layers) != 1 {
		return oci.Layer{}, false
	}
	desc := manifest.Layers[0]
	diffID, err := v1.NewHash(desc.Annotations[diffIDAnnotation])
	if err != nil || !desc.MediaType.IsLayer() || desc.Size <= 0 {
		return oci.Layer{}, false
	}
	desc = v1.Descriptor{MediaType: desc.MediaType, Digest: desc.Digest, Size: desc.Size}
	return oci.Layer{DiffID: diffID, Descriptor: desc}, true
}

// put implements [store]. What goes wrong is told.
func (r *registry) put(ctx context.Context, key string, layer oci.Layer, from *oci.Layout) error {
	select {
	case r.writers <- struct{}{}:
	case <-ctx.Done():
		return nil
	}
	defer func() { <-r.writers }()
	if r.write == "" || r.off.Load() {
		return nil
	}
	image, err := imageOf(layer, from)
	if err != nil {
		return err
	}
	if err := r.session.Write(ctx, tagOf(r.write, key), image); err != nil {
		r.fail(ctx, "written", err)
	}
	return nil
}

// imageOf makes the image that a record is.
func imageOf(layer oci.Layer, from *oci.Layout) (v1.Image, error) {
	config := &v1.ConfigFile{Architecture: "unknown", OS: "unknown", RootFS: v1.RootFS{Type: "layers"}}
	image, err := mutate.ConfigFile(empty.Image, config)
	if err != nil {
		return nil, fmt.Errorf("writing the cache: %w", err)
	}
	image = mutate.ConfigMediaType(mutate.MediaType(image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err = mutate.Append(image, mutate.Addendum{
		Layer: from.Content(layer), MediaType: layer.Descriptor.MediaType,
		Annotations: map[string]string{diffIDAnnotation: layer.DiffID.String()},
	})
	if err != nil {
		return nil, fmt.Errorf("writing the cache: %w", err)
	}
	return image, nil
}

// check reports an error if a layer is not in the repository. That nobody can
// tell is none: whoever reads the layer will see.
func (r *registry) check(ctx context.Context, layer oci.Layer) error {
	has, err := r.session.Has(ctx, layer.Descriptor.Digest)
	if err == nil && !has {
		return fmt.Errorf("layer %s is not in %s any more", layer.Descriptor.Digest, r.repository.Name)
	}
	return nil
}

// fail gives the registry up, and tells so once.
func (r *registry) fail(ctx context.Context, done string, err error) {
	if errors.Is(context.Cause(ctx), context.Canceled) || r.off.Swap(true) {
		return
	}
	r.note(fmt.Sprintf("The cache %s cannot be %s, and the build goes on without it: %v", r.repository.Name, done, err))
}
