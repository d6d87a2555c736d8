//go:build servers

package oci_test

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

// TestRegistryServer pushes to version 2 of the reference registry.
func TestRegistryServer(t *testing.T) { tryRegistry(t, servers.Registry) }

// TestDistributionServer pushes to version 3.
func TestDistributionServer(t *testing.T) { tryRegistry(t, servers.Distribution) }

func tryRegistry(t *testing.T, start func(*testing.T, servers.RegistryConfig) *servers.RegistryServer) {
	t.Helper()
	configs := map[string]servers.RegistryConfig{
		"open":         {},
		"with a login": {Username: "robot", Password: "hunter2"},
		"with TLS":     {Username: "robot", Password: "hunter2", TLS: true},
	}
	for name, config := range configs {
		t.Run(name, func(t *testing.T) {
			server := start(t, config)
			cut := &cutting{base: server.Client.Transport}
			client := oci.Client{HTTP: &http.Client{Transport: cut}}
			if config.Username != "" {
				client.Credentials.Logins = map[string]oci.Login{server.Host: {Username: "robot", Password: secret.Text(config.Password)}}
			}
			tryPush(t, client, cut, server.Host)
			tryAttach(t, client, server.Host)
			if config.Username == "" {
				return
			}
			client.Credentials.Logins = nil
			_, err := client.Fetch(t.Context(), artifact.Image{Repository: server.Host + "/acme/web", Tag: "v1"}, nil, "")
			problem, ok := errors.AsType[*diag.Problem](err)
			if !ok || problem.Summary != "Registry "+server.Host+" refused access" {
				t.Errorf("without a login, Fetch = %v", err)
			}
		})
	}
}

// tryPush pushes an image while the connection breaks once in a blob, mounts it
// into another repository, and reads it back.
func tryPush(t *testing.T, client oci.Client, cut *cutting, host string) {
	t.Helper()
	content := large(t)
	layout := openLayout(t, t.TempDir())
	image := makeImage(t, layout, nil, content, map[string]string{"a": "1"})
	push := func(image artifact.Image, repository, tag string) artifact.Image {
		t.Helper()
		pushed, err := client.Push(t.Context(), oci.PushRequest{Image: image, To: artifact.Repository{Name: host + repository}, Tag: tag})
		if err != nil {
			t.Fatal(err)
		}
		return pushed
	}
	cut.wanted.Store(true)
	pushed := push(image, "/acme/web", "v1")
	if cut.wanted.Load() {
		t.Error("no connection broke")
	}
	cut.sent.Store(0)
	push(image, "/acme/web", "v1")
	push(pushed, "/acme/web", "v2")
	push(pushed, "/acme/other", "v1")
	if sent := cut.sent.Load(); sent > 1<<20 {
		t.Errorf("%d bytes were sent for an image that is there", sent)
	}
	fetched, err := client.Fetch(t.Context(), artifact.Image{Repository: host + "/acme/other", Tag: "v1"}, nil, "linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(fetched); err != nil {
		t.Error(err)
	}
	if got := contentOf(t, fetched); got["large"] != content["large"] || got["a"] != "1" {
		t.Error("the registry has other content than was pushed")
	}
}

// tryAttach attaches to an image, by a tag since these registries have no list
// of what refers to an image, and copies both to another repository.
func tryAttach(t *testing.T, client oci.Client, host string) {
	t.Helper()
	_, image := attachedImage(t)
	req := oci.PushRequest{Image: image, To: artifact.Repository{Name: host + "/acme/attached"}, Tag: "v1"}
	_, err := client.Push(t.Context(), req)
	if problem, ok := errors.AsType[*diag.Problem](err); !ok || problem.Attr != "referrers_tag" {
		t.Errorf("without a tag, Push = %v", err)
	}
	req.ReferrersTag = true
	pushed, err := client.Push(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	req.Image, req.To.Name = pushed, host+"/acme/copied"
	if _, err := client.Push(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	login := client.Credentials.Logins[host]
	auth := authn.FromConfig(authn.AuthConfig{Username: login.Username, Password: login.Password.Reveal()})
	for _, repository := range []string{"/acme/attached", "/acme/copied"} {
		got := attached(t, client.HTTP.Transport, host+repository, image.Digest, remote.WithAuth(auth))
		if diff := cmp.Diff(allAttached, got); diff != "" {
			t.Errorf("beside the image in %s (-want +got):\n%s", repository, diff)
		}
	}
}

// cutting breaks the connection in the middle of one blob.
type cutting struct {
	base   http.RoundTripper
	wanted atomic.Bool
	sent   atomic.Int64
}

var errCut = errors.New("cut")

// RoundTrip implements [http.RoundTripper].
func (c *cutting) RoundTrip(req *http.Request) (*http.Response, error) {
	c.sent.Add(max(0, req.ContentLength))
	if req.ContentLength < 4<<20 || !c.wanted.Swap(false) {
		return c.base.RoundTrip(req)
	}
	req.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(io.LimitReader(req.Body, 3<<20), broken{}), req.Body}
	_, err := c.base.RoundTrip(req)
	return nil, errors.Join(err, io.ErrUnexpectedEOF)
}

// broken fails, so that the connection is closed.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errCut }
