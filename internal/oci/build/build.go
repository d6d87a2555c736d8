// Package build makes an image from a Dockerfile, without a container engine.
//
// The Dockerfile becomes a graph of steps (package frontend), and the steps are
// carried out (package solve): files are planned into layers without being
// unpacked, commands run in a sandbox. The same input gives the same image, byte
// for byte, as far as its commands do: entries are sorted and times are fixed.
// The package knows no app; where files may come from and where the image goes
// is in the [Request].
package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/build/files"
	"github.com/deploy-action/deploy-action/internal/oci/build/frontend"
	"github.com/deploy-action/deploy-action/internal/oci/build/rootfs"
	"github.com/deploy-action/deploy-action/internal/oci/build/sandbox"
	"github.com/deploy-action/deploy-action/internal/oci/build/solve"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// Request says what to build.
type Request struct {
	Root       string // absolute folder; nothing outside it is read, also not through links
	Context    string // absolute folder that COPY and ADD read from; in Root
	Dockerfile string // absolute path; in Root

	Target   string            // the stage to build; "" is the last
	Args     map[string]string // values for ARG
	Labels   map[string]string // added to the image's
	Secrets  map[string]secret.Text
	Platform string // "linux/arm64"; "" is [oci.DefaultPlatform]
	NoCache  bool   // make everything anew

	Time      time.Time // of all that the build adds; zero is 1 January 1980
	KeepTimes bool      // files keep the time they have, and the image has that of its build

	Layout   *oci.Layout // where the image goes
	Client   oci.Client  // reads base images
	Ahead    *oci.Ahead  // sends layers of the image while others are made; nil for nobody
	KeepBase bool        // copy the base's layers into Layout, because those who read it later cannot sign in to their registry

	Caches string // folder of cache mounts, shared by builds; it may be missing
	Work   string // folder for unpacked files, which are gone after the build; it may be missing
	Own    string // see [sandbox.Options]

	Rung sandbox.Rung // the only way to run commands that is tried; 0 is all

	// Progress shows fn as a step, with what fn writes as its output; nil shows
	// nothing. Note is told what the user may want to know; nil tells nobody.
	Progress func(ctx context.Context, title string, fn func(context.Context, io.Writer) error) error
	Note     func(text string)
}

// Result is a built image.
type Result struct {
	Digest       string // of the manifest in Request.Layout
	Architecture string
}

// Build makes the image that a Dockerfile describes. What its author can mend
// is a problem that names the line. Builds may run concurrently, also into one
// layout.
func Build(ctx context.Context, req Request) (Result, error) {
	req = withDefaults(req)
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
	name, content, err := readDockerfile(root, req)
	if err != nil {
		return Result{}, err
	}
	source, err := openSource(root, req)
	if err != nil {
		return Result{}, err
	}
	defer source.root.Close()
	images := newImages(ctx, req.Client)
	converted, err := convert(ctx, req, name, content, images)
	if err != nil {
		return Result{}, err
	}
	solved, err := carryOut(ctx, req, name, converted, source, images)
	if err != nil {
		return Result{}, err
	}
	if req.KeepBase && solved.Base != nil {
		if err := req.Layout.Keep(ctx, solved.Base.Image); err != nil {
			return Result{}, err
		}
	}
	return addImage(req, converted.Image, solved)
}

// withDefaults fills in what a request leaves out.
func withDefaults(req Request) Request {
	switch {
	case req.KeepTimes:
		req.Time = time.Now()
	case req.Time.IsZero():
		req.Time = time.Date(1980, time.January, 1, 0, 0, 0, 0, time.UTC) // the first that zip files can tell
	}
	if req.Progress == nil {
		req.Progress = func(ctx context.Context, _ string, fn func(context.Context, io.Writer) error) error {
			return fn(ctx, io.Discard)
		}
	}
	if req.Note == nil {
		req.Note = func(string) {}
	}
	return req
}

// carryOut solves the graph in a folder of its own, which it leaves no trace of.
func carryOut(ctx context.Context, req Request, name string, converted frontend.Result, source *source, images *images) (_ solve.Result, err error) {
	if req.Work != "" {
		if err := os.MkdirAll(req.Work, 0o755); err != nil {
			return solve.Result{}, fmt.Errorf("making a folder for the build: %w", err)
		}
	}
	work, err := os.MkdirTemp(req.Work, "build-")
	if err != nil {
		return solve.Result{}, fmt.Errorf("making a folder for the build: %w", err)
	}
	defer func() {
		if left := rootfs.Remove(work); left != nil && err == nil {
			err = fmt.Errorf("removing the build's files: %w", left)
		}
	}()
	view := files.Context(source.root, source.ignore)
	defer func() {
		for _, name := range files.Skipped(view) {
			req.Note(fmt.Sprintf("%q is left out, because no image can hold a socket, a pipe or a device of the build context", name))
		}
	}()
	var written func(oci.Layer)
	if req.Ahead != nil {
		written = func(layer oci.Layer) { req.Ahead.Send(ctx, layer) }
	}
	return solve.Solve(ctx, solve.Request{
		Graph: converted.Graph, File: name,
		Layout: req.Layout, Client: req.Client, Image: images.base,
		Context: view,
		Times:   files.Times{Fixed: req.Time, Keep: req.KeepTimes},
		Work:    work, Caches: req.Caches, Secrets: req.Secrets,
		Sandbox:  sandbox.Options{Work: filepath.Join(work, "sandbox"), Own: req.Own, Only: req.Rung},
		Progress: req.Progress, Note: req.Note, Written: written,
	})
}
