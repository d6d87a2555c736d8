package build_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/build"
	"github.com/deploy-action/deploy-action/internal/oci/build/sandbox"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// buildVerb is the first argument of this program when it is started in a
// container, to build there what [serveBuilds] reads.
const buildVerb = "build-corpus"

// corpusBuild is a Dockerfile to build, here or in a container.
type corpusBuild struct {
	ID       int
	Dir      string // the context, with the Dockerfile
	Folder   string // for the layout and the cache mounts
	Registry string // that has the bases
	Rung     sandbox.Rung
	Alone    bool // nothing else is built meanwhile

	Args, Labels, Secrets map[string]string
	Target, Platform      string
}

// corpusBuilt answers it. A problem's error has its detail.
type corpusBuilt struct {
	ID            int
	Digest, Error string
}

// layout is where the image goes.
func (b corpusBuild) layout() string { return filepath.Join(b.Folder, "layout") }

// build makes the image.
func (b corpusBuild) build(ctx context.Context) (digest string, err error) {
	layout, err := oci.OpenLayout(b.layout())
	if err != nil {
		return "", err
	}
	req := build.Request{
		Root: b.Dir, Context: b.Dir, Dockerfile: filepath.Join(b.Dir, "Dockerfile"), Platform: "linux/amd64",
		Layout: layout, Client: corpusClient(b.Registry), Rung: b.Rung,
		Caches: filepath.Join(b.Folder, "mounts"), Work: filepath.Join(b.Folder, "work"),
		Args: b.Args, Labels: b.Labels, Target: b.Target, Secrets: map[string]secret.Text{},
	}
	if b.Platform != "" {
		req.Platform = b.Platform
	}
	for id, value := range b.Secrets {
		req.Secrets[id] = secret.Text(value)
	}
	result, err := build.Build(ctx, req)
	if problem, ok := errors.AsType[*diag.Problem](err); ok {
		return "", fmt.Errorf("%w: %s", err, problem.Detail)
	}
	return result.Digest, err
}

// serveBuilds builds what it reads, several at a time, and writes what came of
// it. It ends with its input.
func serveBuilds(ctx context.Context, from io.Reader, to io.Writer) error {
	var (
		running sync.WaitGroup
		alone   sync.RWMutex
		telling sync.Mutex
		slots   = make(chan struct{}, runtime.GOMAXPROCS(0))
		say     = json.NewEncoder(to)
	)
	defer running.Wait()
	for asked := json.NewDecoder(from); ; {
		var b corpusBuild
		if err := asked.Decode(&b); err != nil {
			if err == io.EOF {
				return nil
			}
			return err
		}
		running.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			lock := alone.RLocker()
			if b.Alone {
				lock = &alone
			}
			lock.Lock()
			defer lock.Unlock()
			built := corpusBuilt{ID: b.ID}
			var err error
			if built.Digest, err = b.build(ctx); err != nil {
				built.Error = err.Error()
			}
			telling.Lock()
			defer telling.Unlock()
			_ = say.Encode(built) // if it cannot be told, whoever asked is gone
		})
	}
}

// buildHere is this program in a container.
func buildHere() int {
	if err := serveBuilds(context.Background(), os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// corpusClient reads images from a registry of the test's.
func corpusClient(registry string) oci.Client {
	return oci.Client{HTTP: &http.Client{Transport: mirror{registry}}}
}

// mirror sends requests for Docker Hub to a registry of plain HTTP.
type mirror struct{ registry string }

// RoundTrip implements [http.RoundTripper].
func (m mirror) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Host == name.DefaultRegistry {
		req = req.Clone(req.Context())
		req.URL.Scheme, req.URL.Host, req.Host = "http", m.registry, m.registry
	}
	return http.DefaultTransport.RoundTrip(req)
}
