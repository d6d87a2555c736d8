package oci_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/testkit/imagetree"
)

const slsa = "https://slsa.dev/provenance/v1"

// attachments are a statement and a list of packages.
func attachments() []oci.Attachment {
	return []oci.Attachment{
		{Type: "application/vnd.in-toto+json", Predicate: slsa, Content: []byte(`{"of":"the image"}`)},
		{Type: "application/spdx+json", Content: []byte(`{"spdxVersion":"SPDX-2.3"}`)},
	}
}

// listingRegistry is a registry with a list of referrers. That in memory has
// one, but with other types than were pushed.
func listingRegistry(t *testing.T) *fakeRegistry {
	t.Helper()
	embedded := openEmbedded(t, t.TempDir())
	proxy := &httputil.ReverseProxy{
		Transport: embedded.Transport(noNetwork{t}),
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: embedded.Host()}) },
	}
	return newRegistry(t, func(w http.ResponseWriter, r *http.Request) bool {
		proxy.ServeHTTP(w, r)
		return true
	})
}

// attached returns what another client finds beside an image, by type.
func attached(t *testing.T, transport http.RoundTripper, repository, digest string, options ...remote.Option) map[string]string {
	t.Helper()
	options = append(options, remote.WithContext(t.Context()), remote.WithTransport(transport))
	found, err := imagetree.Referrers(repository+"@"+digest, options...)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

var allAttached = map[string]string{
	"application/vnd.in-toto+json " + slsa: `{"of":"the image"}`,
	"application/spdx+json ":               `{"spdxVersion":"SPDX-2.3"}`,
}

// attachedImage returns an image with all attachments.
func attachedImage(t *testing.T) (*oci.Layout, artifact.Image) {
	t.Helper()
	layout := openLayout(t, t.TempDir())
	image := makeImage(t, layout, nil, map[string]string{"a": "1"})
	if err := layout.Attach(image.Digest, attachments()...); err != nil {
		t.Fatal(err)
	}
	return layout, image
}

func (f *fakeRegistry) push(t *testing.T, req oci.PushRequest) artifact.Image {
	t.Helper()
	pushed, err := f.client.Push(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return pushed
}

func TestPushAttaches(t *testing.T) {
	t.Parallel()
	f := listingRegistry(t)
	layout, image := attachedImage(t)
	f.push(t, f.request(image, "v1"))
	if diff := cmp.Diff(allAttached, attached(t, http.DefaultTransport, f.host+"/acme/web", image.Digest)); diff != "" {
		t.Errorf("attached (-want +got):\n%s", diff)
	}
	f.writes()

	again := attachments()
	again[0].Content = []byte(`{"of":"the same image, built again"}`)
	if err := layout.Attach(image.Digest, again...); err != nil {
		t.Fatal(err)
	}
	f.push(t, f.request(image, "v1"))
	if n := f.count("GET", "/referrers/"); n != 1 {
		t.Errorf("pushing again asked %d times what refers to the image, want once", n)
	}
	if n := f.writes(); n != 0 {
		t.Errorf("pushing again wrote %d times, want 0", n)
	}

	if err := layout.Attach(image.Digest); err != nil {
		t.Fatal(err)
	}
	f.push(t, f.request(image, "v1"))
	if n := f.count("GET", "/referrers/"); n != 0 {
		t.Errorf("an image without attachments asked %d times", n)
	}
}

// TestPushAttachesByTag covers registries without a list of referrers.
func TestPushAttachesByTag(t *testing.T) {
	t.Parallel()
	f := newRegistry(t, nil)
	_, image := attachedImage(t)
	req := f.request(image, "v1")
	_, err := f.client.Push(t.Context(), req)
	problem, ok := errors.AsType[*diag.Problem](err)
	if !ok || problem.Attr != "referrers_tag" || problem.Summary != "Registry "+f.host+" cannot list what belongs to an image" {
		t.Errorf("Push = %v", err)
	}
	tag := "/manifests/sha256-" + strings.TrimPrefix(image.Digest, "sha256:")
	if n := f.count("PUT", tag); n != 0 {
		t.Error("a tag was made that nobody asked for")
	}

	req.ReferrersTag = true
	f.push(t, req)
	if diff := cmp.Diff(allAttached, attached(t, http.DefaultTransport, f.host+"/acme/web", image.Digest)); diff != "" {
		t.Errorf("attached (-want +got):\n%s", diff)
	}
	f.writes()
	f.push(t, req)
	if n := f.writes(); n != 0 {
		t.Errorf("pushing again wrote %d times, want 0", n)
	}
}

// TestPushCopiesWhatRefers copies an image between registries, and what refers to
// it.
func TestPushCopiesWhatRefers(t *testing.T) {
	t.Parallel()
	for name, to := range map[string]func(*testing.T) *fakeRegistry{
		"to a list": listingRegistry,
		"to a tag":  func(t *testing.T) *fakeRegistry { return newRegistry(t, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, to := listingRegistry(t), to(t)
			_, image := attachedImage(t)
			pushed := from.push(t, from.request(image, "v1"))
			req := to.request(pushed, "stable")
			req.ReferrersTag = true
			for range 2 {
				to.writes()
				to.push(t, req)
			}
			if n := to.writes(); n != 0 {
				t.Errorf("copying again wrote %d times, want 0", n)
			}
			if diff := cmp.Diff(allAttached, attached(t, http.DefaultTransport, to.host+"/acme/web", image.Digest)); diff != "" {
				t.Errorf("attached (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("to nothing", func(t *testing.T) {
		t.Parallel()
		from, to := listingRegistry(t), newRegistry(t, nil)
		_, image := attachedImage(t)
		pushed := from.push(t, from.request(image, "v1"))
		to.push(t, to.request(pushed, "stable")) // the image alone
		if got := attached(t, http.DefaultTransport, to.host+"/acme/web", image.Digest); len(got) > 0 {
			t.Errorf("attached: %v", got)
		}
	})
}

// TestPushCopiesWithoutWhatIsHidden copies from a registry that shows the image
// alone.
func TestPushCopiesWithoutWhatIsHidden(t *testing.T) {
	t.Parallel()
	from := newRegistry(t, func(w http.ResponseWriter, r *http.Request) bool {
		hidden := strings.Contains(r.URL.Path, "/referrers/")
		if hidden {
			w.WriteHeader(http.StatusForbidden)
		}
		return hidden
	})
	to := listingRegistry(t)
	image := makeImage(t, openLayout(t, t.TempDir()), nil, map[string]string{"a": "1"})
	pushed := from.push(t, from.request(image, "v1"))
	if copied := to.push(t, to.request(pushed, "stable")); copied.Digest != image.Digest {
		t.Errorf("Push = %+v, want digest %s", copied, image.Digest)
	}
}

// TestPushCopiesWhatRefersToParts copies an index, and what refers to it and to
// one of its images, within a registry.
func TestPushCopiesWhatRefersToParts(t *testing.T) {
	t.Parallel()
	f := listingRegistry(t)
	index, err := random.Index(1024, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.NewTag(f.host + "/acme/web:v1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(ref, index, remote.WithContext(t.Context())); err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	whole, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	child := manifest.Manifests[1].Digest
	for digest, text := range map[v1.Hash]string{whole: "whole", child: "part"} {
		refer(t, f.host+"/acme/web", digest, text)
	}
	req := f.request(artifact.Image{Repository: f.host + "/acme/web", Tag: "v1"}, "v2")
	req.To.Name = f.host + "/acme/other"
	f.push(t, req)
	for digest, text := range map[v1.Hash]string{whole: "whole", child: "part"} {
		want := map[string]string{"application/x-test ": text}
		if diff := cmp.Diff(want, attached(t, http.DefaultTransport, req.To.Name, digest.String())); diff != "" {
			t.Errorf("attached to the %s (-want +got):\n%s", text, diff)
		}
	}
}

// TestEmbeddedLists attaches to an image in the embedded registry.
func TestEmbeddedLists(t *testing.T) {
	t.Parallel()
	embedded := openEmbedded(t, t.TempDir())
	_, image := attachedImage(t)
	repository := embedded.Host() + "/acme/web"
	req := oci.PushRequest{Image: image, To: artifact.Repository{Name: repository}, Tag: "v1"}
	for range 2 {
		if _, err := inProcess(t, embedded).Push(t.Context(), req); err != nil {
			t.Fatal(err)
		}
	}
	transport := embedded.Transport(noNetwork{t})
	if diff := cmp.Diff(allAttached, attached(t, transport, repository, image.Digest)); diff != "" {
		t.Errorf("attached (-want +got):\n%s", diff)
	}
	other := "sha256:" + strings.Repeat("0", 64)
	if got := attached(t, transport, repository, other); len(got) > 0 {
		t.Errorf("to an image that is not there, attached: %v", got)
	}
}

// refer pushes a document that refers to a manifest, as another client does.
func refer(t *testing.T, repository string, subject v1.Hash, text string) {
	t.Helper()
	ref, err := name.NewDigest(repository + "@" + subject.String())
	if err != nil {
		t.Fatal(err)
	}
	head, err := remote.Head(ref, remote.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	image, err := mutate.AppendLayers(mutate.MediaType(mutate.ConfigMediaType(empty.Image, "application/x-test"), types.OCIManifestSchema1),
		static.NewLayer([]byte(text), "text/plain"))
	if err != nil {
		t.Fatal(err)
	}
	referrer, ok := mutate.Subject(image, *head).(v1.Image)
	if !ok {
		t.Fatal("no image")
	}
	digest, err := referrer.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref.Context().Digest(digest.String()), referrer, remote.WithContext(t.Context())); err != nil {
		t.Fatal(err)
	}
}

// TestAttachForgets keeps what was attached last.
func TestAttachForgets(t *testing.T) {
	t.Parallel()
	layout := openLayout(t, t.TempDir())
	for i := range 70 {
		digest := fmt.Sprintf("sha256:%064d", i)
		if err := layout.Attach(digest, attachments()...); err != nil {
			t.Fatal(err)
		}
	}
	left, err := filepath.Glob(filepath.Join(layout.Dir(), "attached", "*.json"))
	if err != nil || len(left) != 64 {
		t.Fatalf("%d images have attachments, %v, want 64", len(left), err)
	}
	if last := fmt.Sprintf("%064d.json", 69); filepath.Base(left[63]) != last {
		t.Errorf("%s is left, and not %s", left[63], last)
	}
}
