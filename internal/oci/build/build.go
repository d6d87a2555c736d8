// Package build makes an image from a Dockerfile, without a container engine or,
// where one is named, by a BuildKit daemon.
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
	"sync"
	"time"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/build/buildkit"
	"github.com/deploy-action/deploy-action/internal/oci/build/cache"
	"github.com/deploy-action/deploy-action/internal/oci/build/sandbox"
	"github.com/deploy-action/deploy-action/internal/oci/build/sibling"
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

	Steps   string       // folder of what steps made, shared by builds; it may be missing; "" keeps nothing
	Lasting bool         // Steps is meant to be there for later builds, which is worth some work in this one
	Remote  *RemoteCache // the same in a registry; nil for none
	GitHub  *GitHubCache // the same in GitHub's cache; nil for none
	Caches  string       // folder of cache mounts, shared by builds; it may be missing
	Work    string       // folder for unpacked files, which are gone after the build; it may be missing, and is not used in the action's own image

	// Where commands can reach the files of the job, they find those in Hidden
	// empty, and may change none of those in Watched. Both may be missing.
	Hidden, Watched []string

	Rung sandbox.Rung // the only way to run commands that is tried; 0 is all
	Fit  Fit          // what [Suits] found out, which is not tried again

	// Who builds: a daemon, or this engine in another container of this program's
	// image; nil for both is this engine, here.
	Daemon  *buildkit.Daemon
	Sibling *sibling.Container

	// Progress shows fn as a step, with what fn writes as its output; nil shows
	// nothing. Note is told what the user may want to know; nil tells nobody.
	Progress func(ctx context.Context, title string, fn func(context.Context, io.Writer) error) error
	Note     func(text string)

	written func(oci.Layer) // told of layers that are in Layout; nil for nobody
}

// RemoteCache is a repository that keeps what steps made, and who may read it:
// a build looks in some scopes and writes to one.
type RemoteCache struct {
	Repository artifact.Repository
	Read       []string // scopes that are looked in, in this order
	Write      string   // the scope that is written to; "" writes nothing
}

// GitHubCache is GitHub's cache with what it keeps for a build. For scopes, see
// [RemoteCache].
type GitHubCache = cache.Actions

// Result is a built image.
type Result struct {
	Digest       string // of the manifest in Request.Layout
	Architecture string
	Bases        []Base // images that the stages begin with or copy from, by name
}

// Base is an image that others are made of, as it was found.
type Base struct{ Name, Digest string }

// Build makes the image that a Dockerfile describes. What its author can mend
// is a problem that names the line. Builds may run concurrently, also into one
// layout.
func Build(ctx context.Context, req Request) (Result, error) {
	req = withDefaults(req)
	if req.Sibling != nil {
		return handToSibling(ctx, req)
	}
	root, err := openRoot(req)
	if err != nil {
		return Result{}, err
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
	if req.Daemon != nil {
		return hand(ctx, req, name, content, source)
	}
	known, opened, err := openCache(ctx, req)
	if err != nil {
		return Result{}, err
	}
	defer func() {
		if err := opened.Close(); err != nil {
			req.Note(err.Error())
		}
	}()
	images := newImages(ctx, req.Client, known)
	converted, err := convert(ctx, req, name, content, images)
	if err != nil {
		return Result{}, err
	}
	if err := steadyAhead(sandbox.Home(), req.Ahead, req.Layout); err != nil {
		return Result{}, err
	}
	solved, err := job{req, name, converted, source, images, known}.carryOut(ctx)
	if err != nil {
		return Result{}, err
	}
	if req.KeepBase && solved.Base != nil {
		if err := req.Layout.Keep(ctx, solved.Base.Image); err != nil {
			return Result{}, err
		}
	}
	result, err := addImage(req, converted.Image, solved)
	result.Bases = images.named()
	return result, err
}

// openRoot opens the folder that the build may read.
func openRoot(req Request) (*os.Root, error) {
	root, err := os.OpenRoot(req.Root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &diag.Problem{
			Summary: "Missing folder",
			Detail:  fmt.Sprintf("There is no folder %q to build from. Correct the path of the app, or make the folder in a hook before the build.", req.Root),
		}
	}
	if err != nil {
		return nil, fmt.Errorf("opening the repository: %w", err)
	}
	return root, nil
}

// skipped says that a file of the context is in no image.
func skipped(name string) string {
	return fmt.Sprintf("%q is left out, because no image can hold a socket, a pipe or a device of the build context", name)
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
	var telling sync.Mutex
	tell := req.Note
	req.Note = func(text string) {
		telling.Lock()
		defer telling.Unlock()
		if tell != nil {
			tell(text)
		}
	}
	return req
}
