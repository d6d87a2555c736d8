package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"
	"syscall"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/build/cache"
	"github.com/deploy-action/deploy-action/internal/oci/build/frontend"
)

// maxWarnings is how many of a Dockerfile's warnings are told.
const maxWarnings = 5

// readDockerfile returns the file and its name for messages, relative to the
// root.
func readDockerfile(root *os.Root, req Request) (name string, content []byte, err error) {
	if name, err = within(req, req.Dockerfile, "dockerfile"); err != nil {
		return "", nil, err
	}
	content, err = root.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = &diag.Problem{
			Summary: "Missing Dockerfile",
			Detail:  fmt.Sprintf("There is no file %q. Add it, or name another with the attribute dockerfile.", name),
			Attr:    "dockerfile",
		}
	case errors.Is(err, syscall.EISDIR):
		err = &diag.Problem{
			Summary: "Dockerfile is a folder",
			Detail:  fmt.Sprintf("%q is a folder. Name the file in it with the attribute dockerfile.", name),
			Attr:    "dockerfile",
		}
	case err != nil:
		err = outside(name, "dockerfile", err)
	}
	return name, content, err
}

// convert turns the Dockerfile into steps, and tells its warnings.
func convert(ctx context.Context, req Request, name string, content []byte, images *images) (frontend.Result, error) {
	platform, err := platformOf(req.Platform)
	if err != nil {
		return frontend.Result{}, err
	}
	machine, err := platformOf(oci.DefaultPlatform)
	if err != nil {
		return frontend.Result{}, err
	}
	result, err := frontend.Convert(ctx, frontend.Request{
		Name: name, Content: content, Args: req.Args, Labels: req.Labels, Target: req.Target, NoCache: req.NoCache,
		Platform: platform, Machine: machine, Resolve: images.resolve,
	})
	if err != nil {
		return frontend.Result{}, err
	}
	told := map[string]bool{}
	for _, w := range result.Warnings {
		text := fmt.Sprintf("%s:%d: %s (%s)", name, max(1, w.Line), w.Detail, w.Rule)
		if !told[text] && len(told) < maxWarnings {
			told[text] = true
			req.Note(text)
		}
	}
	return result, nil
}

func platformOf(text string) (ocispecs.Platform, error) {
	p, err := oci.ParsePlatform(text)
	return ocispecs.Platform{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant}, err
}

// images finds base images, and keeps what was found for the steps that begin
// with them. What it fetches is read for as long as the build goes on, and so
// on no context but the build's.
type images struct {
	fetch func(name, platform string) (*oci.Base, error)
	mu    sync.Mutex
	found map[string]*oci.Base // by repository and digest
	names map[string]string    // the digests of what was found, by the name that was looked for
}

// named lists what was found.
func (i *images) named() []Base {
	i.mu.Lock()
	defer i.mu.Unlock()
	var all []Base
	for _, name := range slices.Sorted(maps.Keys(i.names)) {
		all = append(all, Base{name, i.names[name]})
	}
	return all
}

// resolve implements [frontend.Request.Resolve].
func (i *images) resolve(_ context.Context, name string, platform ocispecs.Platform) (digest string, config []byte, err error) {
	wanted := v1.Platform{OS: platform.OS, Architecture: platform.Architecture, Variant: platform.Variant}
	base, err := i.fetch(name, wanted.String())
	if err != nil {
		return "", nil, err
	}
	if config, err = base.Image.RawConfigFile(); err != nil {
		return "", nil, fmt.Errorf("reading base image %s: %w", name, err)
	}
	hash, err := base.Image.Digest()
	if err != nil {
		return "", nil, fmt.Errorf("reading base image %s: %w", name, err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.found[base.Repository.Name+"@"+hash.String()] = base
	i.names[name] = hash.String()
	return hash.String(), config, nil
}

// base returns the image that a step begins with.
func (i *images) base(_ context.Context, name, platform string) (*oci.Base, error) {
	image, err := oci.ParseReference(name)
	if err != nil {
		return nil, err
	}
	i.mu.Lock()
	base := i.found[image.Repository+"@"+image.Digest]
	i.mu.Unlock()
	if base != nil {
		return base, nil
	}
	return i.fetch(name, platform)
}

// newImages looks in registries, on ctx, and keeps what it finds.
func newImages(ctx context.Context, client oci.Client, known *cache.Cache) *images {
	return &images{found: map[string]*oci.Base{}, names: map[string]string{}, fetch: func(name, platform string) (*oci.Base, error) {
		image, err := oci.ParseReference(name)
		if err != nil {
			return nil, err
		}
		base := &oci.Base{Repository: artifact.Repository{Name: image.Repository}}
		if known.KeepsBases() {
			base.Image, err = fetchKnown(ctx, client, image, platform, known)
		} else {
			base.Image, err = client.Fetch(ctx, image, nil, platform)
		}
		return base, err
	}}
}

// fetchKnown fetches an image, or only asks for its digest if the rest is known.
func fetchKnown(ctx context.Context, client oci.Client, image artifact.Image, platform string, known *cache.Cache) (v1.Image, error) {
	digest, err := client.Resolve(ctx, image)
	if err != nil {
		return client.Fetch(ctx, image, nil, platform) // which says what is wrong, or works where HEAD does not
	}
	if base, ok := known.Base(digest, platform); ok {
		remembered, err := client.Remembered(ctx, artifact.Repository{Name: image.Repository}, base.Manifest, base.Config)
		if err == nil {
			return remembered, nil
		}
	}
	image.Tag, image.Digest = "", digest // the tag may have moved since
	content, err := client.Fetch(ctx, image, nil, platform)
	if err != nil {
		return nil, err
	}
	var base cache.Base
	if base.Manifest, err = content.RawManifest(); err != nil {
		return nil, fmt.Errorf("reading base image %s: %w", image.Repository, err)
	}
	if base.Config, err = content.RawConfigFile(); err != nil {
		return nil, fmt.Errorf("reading base image %s: %w", image.Repository, err)
	}
	known.PutBase(digest, platform, base)
	return content, nil
}

// reshape converts between two types of the same JSON.
func reshape(from, into any) error {
	data, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

// Unsupported reports what in a Dockerfile [Build] cannot do; nil for one that
// is invalid, about which Build has more to say.
func Unsupported(content []byte) error { return frontend.Unsupported("Dockerfile", content) }
