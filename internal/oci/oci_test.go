package oci_test

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/oci"
)

// files returns what writes them into a layer, sorted.
func files(content map[string]string) func(context.Context, *tar.Writer) error {
	return func(_ context.Context, archive *tar.Writer) error {
		for _, name := range slices.Sorted(maps.Keys(content)) {
			header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(content[name]))}
			if err := archive.WriteHeader(header); err != nil {
				return err
			}
			if _, err := io.WriteString(archive, content[name]); err != nil {
				return err
			}
		}
		return nil
	}
}

// makeImage puts an image with one layer for each map into the layout.
func makeImage(t *testing.T, layout *oci.Layout, base *oci.Base, layers ...map[string]string) artifact.Image {
	t.Helper()
	image := oci.NewImage{Base: base, Config: v1.ConfigFile{OS: "linux", Architecture: "amd64"}}
	for _, content := range layers {
		layer, err := layout.AddLayer(t.Context(), files(content))
		if err != nil {
			t.Fatal(err)
		}
		image.Layers = append(image.Layers, layer)
	}
	digest, err := layout.AddImage(image)
	if err != nil {
		t.Fatal(err)
	}
	return artifact.Image{Repository: "web", Digest: digest, Layout: layout.Dir(), Architecture: "amd64"}
}

func openLayout(t *testing.T, dir string) *oci.Layout {
	t.Helper()
	layout, err := oci.OpenLayout(dir)
	if err != nil {
		t.Fatal(err)
	}
	return layout
}

// fakeRegistry is a registry in memory, served over HTTP, that keeps a list of
// the requests and lets a test answer some of them.
type fakeRegistry struct {
	host      string
	client    oci.Client
	intercept func(http.ResponseWriter, *http.Request) (done bool) // nil: none
	handler   http.Handler                                         // the registry itself

	mu       sync.Mutex
	requests []string // METHOD PATH
}

func newRegistry(t *testing.T, intercept func(http.ResponseWriter, *http.Request) bool) *fakeRegistry {
	t.Helper()
	f := &fakeRegistry{intercept: intercept}
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.requests = append(f.requests, r.Method+" "+r.URL.Path)
		f.mu.Unlock()
		if f.intercept != nil && f.intercept(w, r) || mount(handler, w, r) {
			return
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	f.handler = handler
	f.host = strings.TrimPrefix(server.URL, "http://")
	f.client = oci.Client{HTTP: server.Client()}
	return f
}

// mount answers the request to mount a blob, which the registry in memory does
// not know, if there is that blob.
func mount(handler http.Handler, w http.ResponseWriter, r *http.Request) (done bool) {
	query := r.URL.Query()
	if r.Method != http.MethodPost || query.Get("mount") == "" {
		return false
	}
	asked := httptest.NewRecorder()
	handler.ServeHTTP(asked, httptest.NewRequestWithContext(r.Context(), http.MethodHead, "/v2/"+query.Get("from")+"/blobs/"+query.Get("mount"), nil))
	if asked.Code != http.StatusOK {
		return false
	}
	w.WriteHeader(http.StatusCreated)
	return true
}

// writes returns how many requests since the last call could have changed
// something.
func (f *fakeRegistry) writes() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, request := range f.requests {
		if !strings.HasPrefix(request, "GET ") && !strings.HasPrefix(request, "HEAD ") {
			n++
		}
	}
	f.requests = nil
	return n
}

// count returns how many requests so far have that method and a path with
// that part.
func (f *fakeRegistry) count(method, part string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, request := range f.requests {
		if strings.HasPrefix(request, method+" ") && strings.Contains(request, part) {
			n++
		}
	}
	return n
}

func (f *fakeRegistry) request(image artifact.Image, tag string) oci.PushRequest {
	return oci.PushRequest{Image: image, To: artifact.Repository{Name: f.host + "/acme/web"}, Tag: tag}
}

// contentOf reads the files of an image, upper layers over lower ones.
func contentOf(t *testing.T, image v1.Image) map[string]string {
	t.Helper()
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	content := map[string]string{}
	for _, layer := range layers {
		plain, err := layer.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		archive := tar.NewReader(plain)
		for {
			header, err := archive.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			var data bytes.Buffer
			if _, err := data.ReadFrom(archive); err != nil {
				t.Fatal(err)
			}
			content[header.Name] = data.String()
		}
		plain.Close()
	}
	return content
}
