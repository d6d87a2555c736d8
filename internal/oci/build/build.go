// Package build makes an image from a Dockerfile that only arranges files: one
// stage, from scratch or from an image in a registry, without running anything.
//
// It needs no container engine and no privileges, and the same input gives the
// same image, byte for byte: entries are sorted and times are fixed. What would
// need a running program, or another stage, is refused with its line. It knows
// no app; where files may come from and where the image goes is in the [Request].
package build

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci"
)

// Request says what to build.
type Request struct {
	Root       string            // absolute folder; nothing outside it is read, also not through links
	Context    string            // absolute folder that COPY and ADD read from; in Root
	Dockerfile string            // absolute path; in Root
	Args       map[string]string // values for ARG
	Platform   string            // "linux/arm64"; "" is [oci.DefaultPlatform]
	Time       time.Time         // of everything in the image; zero is 1 January 1970

	Layout   *oci.Layout // where the image goes
	Client   oci.Client  // reads the base image
	KeepBase bool        // copy the base's layers into Layout, because those who read it later cannot sign in to their registry
}

// Result is a built image.
type Result struct {
	Digest       string // of the manifest in Request.Layout
	Architecture string
}

// Build makes the image that a Dockerfile describes. What its author can mend
// is a problem that names the line; several at once are joined. Builds may run
// concurrently, also into one layout.
func Build(ctx context.Context, req Request) (Result, error) {
	if req.Time.IsZero() {
		req.Time = time.Unix(0, 0)
	}
	root, err := os.OpenRoot(req.Root)
	if errors.Is(err, fs.ErrNotExist) {
		return Result{}, &diag.Problem{
			Summary: "Missing folder",
			Detail:  fmt.Sprintf("There is no folder %q to build from. Correct the path of the app, or make the folder in a hook before the build.", req.Root),
		}
	}
	if err != nil {
		return Result{}, fmt.Errorf("opening the repository: %w", err)
	}
	defer root.Close()
	file, err := readDockerfile(root, req)
	if err != nil {
		return Result{}, err
	}
	source, err := openSource(root, req)
	if err != nil {
		return Result{}, err
	}
	defer source.close()

	stage, err := newStage(ctx, req, file, source)
	if err != nil {
		return Result{}, err
	}
	if err := stage.runAll(); err != nil {
		return Result{}, err
	}
	layers, err := writeLayers(ctx, req, source, stage.layers)
	if err != nil {
		return Result{}, err
	}
	if req.KeepBase && stage.base != nil {
		if err := req.Layout.Keep(ctx, stage.base.Image); err != nil {
			return Result{}, err
		}
	}
	stage.config.Created = v1.Time{Time: req.Time.UTC()}
	digest, err := req.Layout.AddImage(oci.NewImage{Config: stage.config, Base: stage.base, Layers: layers})
	if err != nil {
		return Result{}, err
	}
	return Result{Digest: digest, Architecture: stage.config.Architecture}, nil
}

// writeLayers makes all layers, several at a time: one alone cannot use a
// second processor.
func writeLayers(ctx context.Context, req Request, source *source, planned [][]entry) ([]oci.Layer, error) {
	layers := make([]oci.Layer, len(planned))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, entries := range planned {
		group.Go(func() error {
			layer, err := req.Layout.AddLayer(ctx, func(ctx context.Context, archive *tar.Writer) error {
				return writeEntries(ctx, archive, source, entries, req.Time)
			})
			layers[i] = layer
			return err
		})
	}
	return layers, group.Wait()
}

// within returns path relative to the root, in slashes. A path outside is a
// problem at attr.
func within(req Request, path, attr string) (string, error) {
	relative, err := filepath.Rel(req.Root, path)
	if err != nil || !filepath.IsLocal(relative) {
		return "", outside(path, attr, nil)
	}
	return filepath.ToSlash(relative), nil
}

// outside says that a path leads out of the repository.
func outside(path, attr string, cause error) error {
	return &diag.Problem{
		Summary: "Path outside the repository",
		Detail: fmt.Sprintf("%q is not in the repository, or a symbolic link on the way leads out of it or is absolute. "+
			"A build reads only files of the repository, so that it cannot carry others into an image. Move or copy what it needs.", path),
		Attr: attr,
		Err:  cause,
	}
}
