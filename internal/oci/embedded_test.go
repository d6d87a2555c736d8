package oci_test

import (
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/oci"
)

func openEmbedded(t *testing.T, dir string) *oci.Embedded {
	t.Helper()
	embedded, err := oci.OpenEmbedded(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := embedded.Close(); err != nil {
			t.Error(err)
		}
	})
	return embedded
}

// noNetwork fails every request that is not served in process.
type noNetwork struct{ t *testing.T }

func (n noNetwork) RoundTrip(req *http.Request) (*http.Response, error) {
	n.t.Errorf("a request left the process: %s %s", req.Method, req.URL)
	return nil, net.ErrClosed
}

func inProcess(t *testing.T, embedded *oci.Embedded) oci.Client {
	return oci.Client{HTTP: &http.Client{Transport: embedded.Transport(noNetwork{t})}}
}

func TestEmbeddedKeepsImages(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := openEmbedded(t, dir)
	image := makeImage(t, openLayout(t, t.TempDir()), nil, map[string]string{"a": strings.Repeat("1", 1<<20)})
	req := oci.PushRequest{Image: image, To: artifact.Repository{Name: first.Host() + "/acme/web"}, Tag: "v1"}
	pushed, err := inProcess(t, first).Push(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}

	second := openEmbedded(t, dir)
	if second.Host() != first.Host() {
		t.Errorf("the host became %s, want %s as before", second.Host(), first.Host())
	}
	for name, ref := range map[string]artifact.Image{
		"by digest": pushed,
		"by tag":    {Repository: pushed.Repository, Tag: "v1"},
	} {
		fetched, err := inProcess(t, second).Fetch(t.Context(), ref, nil, "")
		if err != nil {
			t.Fatalf("fetching %s: %v", name, err)
		}
		if diff := cmp.Diff(map[string]string{"a": strings.Repeat("1", 1<<20)}, contentOf(t, fetched)); diff != "" {
			t.Errorf("content %s (-want +got):\n%s", name, diff)
		}
	}
	plan, err := inProcess(t, second).PlanPush(t.Context(), req)
	if err != nil || !plan.Exists {
		t.Errorf("PlanPush = %+v, %v; want it to find the image", plan, err)
	}
}

func TestEmbeddedServesOthers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	embedded := openEmbedded(t, dir)
	image := makeImage(t, openLayout(t, t.TempDir()), nil, map[string]string{"a": "1"})
	req := oci.PushRequest{Image: image, To: artifact.Repository{Name: embedded.Host() + "/web"}, Tag: "v1"}
	for range 2 { // the second call changes nothing
		if err := embedded.Serve(); err != nil {
			t.Fatal(err)
		}
	}
	if err := openEmbedded(t, dir).Serve(); err != nil {
		t.Errorf("serving the same folder from a second place: %v", err)
	}
	outside := oci.Client{HTTP: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
	pushed, err := outside.Push(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := inProcess(t, embedded).Fetch(t.Context(), pushed, nil, ""); err != nil {
		t.Error(err)
	}
}

func TestEmbeddedChoosesAnotherPort(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := openEmbedded(t, dir)
	image := makeImage(t, openLayout(t, t.TempDir()), nil, map[string]string{"a": "1"})
	pushed, err := inProcess(t, first).Push(t.Context(),
		oci.PushRequest{Image: image, To: artifact.Repository{Name: first.Host() + "/web"}, Tag: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := net.Listen("tcp", first.Host())
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	go http.Serve(stranger, http.NotFoundHandler())

	second := openEmbedded(t, dir)
	if second.Host() == first.Host() {
		t.Fatalf("the host is still %s, which another program has", second.Host())
	}
	if third := openEmbedded(t, dir); third.Host() != second.Host() {
		t.Errorf("the new host was not kept: %s, want %s", third.Host(), second.Host())
	}
	if _, err := inProcess(t, second).Fetch(t.Context(), pushed, nil, ""); err != nil {
		t.Errorf("the former name %s does not resolve: %v", pushed.Reference(), err)
	}
}

func TestEmbeddedRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	embedded := openEmbedded(t, dir)
	client := http.Client{Transport: embedded.Transport(noNetwork{t})}
	tests := map[string]struct {
		method, path, body string
		want               int
	}{
		"unknown manifest":         {"GET", "/v2/web/manifests/v1", "", 404},
		"unknown blob":             {"HEAD", "/v2/web/blobs/sha256:" + strings.Repeat("0", 64), "", 404},
		"manifest that is no JSON": {"PUT", "/v2/web/manifests/v1", "no", 400},
		"tag with a path":          {"PUT", "/v2/web/manifests/..%2F..%2Fevil", "{}", 404},
		"tag of dots":              {"PUT", "/v2/web/manifests/..", "{}", 400},
		"repository above":         {"PUT", "/v2/../evil/manifests/v1", "{}", 404},
		"repository of dots":       {"PUT", "/v2/%2e%2e/manifests/v1", "{}", 404},
		"hidden repository":        {"PUT", "/v2/_tags/manifests/v1", "{}", 404},
		"unknown upload":           {"PATCH", "/v2/web/blobs/uploads/ABC", "x", 404},
		"upload with a path":       {"PATCH", "/v2/web/blobs/uploads/..", "x", 404},
		"delete":                   {"DELETE", "/v2/web/manifests/v1", "", 405},
		"other digest":             {"POST", "/v2/web/blobs/uploads/?digest=sha256:" + strings.Repeat("0", 64), "x", 400},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), test.method, "http://"+embedded.Host()+test.path, strings.NewReader(test.body))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != test.want {
				t.Errorf("status is %d, want %d", resp.StatusCode, test.want)
			}
		})
	}
	if strays, err := filepath.Glob(filepath.Join(dir, "..", "*evil*")); err != nil || len(strays) > 0 {
		t.Errorf("files outside the folder: %v, %v", strays, err)
	}
}
