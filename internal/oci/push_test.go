package oci_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci"
)

func TestPush(t *testing.T) {
	t.Parallel()
	registry := newRegistry(t, nil)
	image := makeImage(t, openLayout(t, t.TempDir()), nil, map[string]string{"a": "1"}, map[string]string{"b": "2"})

	pushed, err := registry.client.Push(t.Context(), registry.request(image, "v1"))
	if err != nil {
		t.Fatal(err)
	}
	want := artifact.Image{Repository: registry.host + "/acme/web", Tag: "v1", Digest: image.Digest, Architecture: "amd64"}
	if diff := cmp.Diff(want, pushed); diff != "" {
		t.Errorf("Push (-want +got):\n%s", diff)
	}
	if registry.writes() == 0 {
		t.Error("the first push wrote nothing")
	}

	fetched, err := registry.client.Fetch(t.Context(), pushed, nil, "linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"a": "1", "b": "2"}, contentOf(t, fetched)); diff != "" {
		t.Errorf("fetched content (-want +got):\n%s", diff)
	}
}

func TestPushSendsOnlyWhatIsMissing(t *testing.T) {
	t.Parallel()
	registry := newRegistry(t, nil)
	layout := openLayout(t, t.TempDir())
	first := makeImage(t, layout, nil, map[string]string{"a": "1"}, map[string]string{"b": "2"})
	push := func(image artifact.Image, tag string) {
		t.Helper()
		if _, err := registry.client.Push(t.Context(), registry.request(image, tag)); err != nil {
			t.Fatal(err)
		}
	}
	push(first, "v1")
	registry.writes()

	push(first, "v1")
	if n := registry.writes(); n != 0 {
		t.Errorf("pushing the same image again wrote %d times, want 0", n)
	}
	push(makeImage(t, layout, nil, map[string]string{"a": "1"}, map[string]string{"b": "3"}), "v1")
	if n := registry.count("PUT", "/blobs/"); n != 2 { // one layer and the configuration
		t.Errorf("pushing an image with one new layer sent %d blobs, want 2", n)
	}
}

func TestPushCopiesBetweenRegistries(t *testing.T) {
	t.Parallel()
	from, to := newRegistry(t, nil), newRegistry(t, nil)
	image := makeImage(t, openLayout(t, t.TempDir()), nil, map[string]string{"a": "1"})
	pushed, err := from.client.Push(t.Context(), from.request(image, "v1"))
	if err != nil {
		t.Fatal(err)
	}
	promoted, err := to.client.Push(t.Context(), to.request(pushed, "stable"))
	if err != nil {
		t.Fatal(err)
	}
	if promoted.Digest != image.Digest || promoted.Repository != to.host+"/acme/web" || promoted.Tag != "stable" {
		t.Errorf("Push = %+v, want the same digest under the new name", promoted)
	}
}

// TestPushCopiesIndex copies an image for two platforms within a registry.
func TestPushCopiesIndex(t *testing.T) {
	t.Parallel()
	registry := newRegistry(t, nil)
	index, err := random.Index(1024, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.NewTag(registry.host + "/acme/web:v1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(ref, index, remote.WithContext(t.Context())); err != nil {
		t.Fatal(err)
	}
	req := registry.request(artifact.Image{Repository: registry.host + "/acme/web", Tag: "v1"}, "v2")
	req.To.Name = registry.host + "/acme/other"
	registry.writes()
	copied, err := registry.client.Push(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if copied.Digest != digest.String() {
		t.Errorf("Push = %+v, want digest %s", copied, digest)
	}
	if n := registry.count("PUT", "/blobs/"); n > 2 {
		t.Errorf("%d blobs were sent, want the two configurations", n)
	}
	to, err := name.NewTag(req.To.Name + ":v2")
	if err != nil {
		t.Fatal(err)
	}
	got, err := remote.Index(to, remote.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(got); err != nil {
		t.Error(err)
	}
}

func TestPlanPush(t *testing.T) {
	t.Parallel()
	registry := newRegistry(t, nil)
	layout := openLayout(t, t.TempDir())
	old := makeImage(t, layout, nil, map[string]string{"a": "1"}, map[string]string{"b": "2"})
	if _, err := registry.client.Push(t.Context(), registry.request(old, "v1")); err != nil {
		t.Fatal(err)
	}
	registry.writes()
	changed := makeImage(t, layout, nil, map[string]string{"a": "1"}, map[string]string{"b": "3"})

	tests := map[string]struct {
		image   artifact.Image
		tag     string
		exists  bool
		replace string
		missing int
	}{
		"the same content": {image: old, tag: "v1", exists: true},
		"a new tag":        {image: old, tag: "v2"},
		"other content":    {image: changed, tag: "v1", replace: old.Digest, missing: 2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			plan, err := registry.client.PlanPush(t.Context(), registry.request(test.image, test.tag))
			if err != nil {
				t.Fatal(err)
			}
			if plan.Exists != test.exists || plan.Replace != test.replace || len(plan.Missing) != test.missing {
				t.Errorf("PlanPush = exists %v, replace %q, %d missing; want %v, %q, %d",
					plan.Exists, plan.Replace, len(plan.Missing), test.exists, test.replace, test.missing)
			}
			if plan.Image.Digest != test.image.Digest || plan.Image.Tag != test.tag {
				t.Errorf("PlanPush promises %s, want tag %s and digest %s", plan.Image.Reference(), test.tag, test.image.Digest)
			}
		})
	}
	if n := registry.writes(); n != 0 {
		t.Errorf("planning wrote %d times, want 0", n)
	}
}

func TestBaseIsMounted(t *testing.T) {
	t.Parallel()
	registry := newRegistry(t, nil)
	base := makeImage(t, openLayout(t, t.TempDir()), nil, map[string]string{"base": "1"})
	pushed, err := registry.client.Push(t.Context(), registry.request(base, "base"))
	if err != nil {
		t.Fatal(err)
	}
	content, err := registry.client.Fetch(t.Context(), pushed, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	built := makeImage(t, openLayout(t, t.TempDir()),
		&oci.Base{Image: content, Repository: artifact.Repository{Name: pushed.Repository}}, map[string]string{"top": "2"})
	registry.writes()

	req := registry.request(built, "v1")
	req.To.Name = registry.host + "/acme/other"
	top, err := registry.client.Push(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if n := registry.count("PUT", "/blobs/"); n > 2 {
		t.Errorf("the push sent %d blobs, want only the new layer and the configuration", n)
	}
	fetched, err := registry.client.Fetch(t.Context(), top, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"base": "1", "top": "2"}, contentOf(t, fetched)); diff != "" {
		t.Errorf("pushed content (-want +got):\n%s", diff)
	}
	// The layout has no copy of the base, so its layers come from the registry.
	local, err := registry.client.Fetch(t.Context(), built, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"base": "1", "top": "2"}, contentOf(t, local)); diff != "" {
		t.Errorf("content of the layout (-want +got):\n%s", diff)
	}
	_ = map[v1.Image]bool{local: true} // as the library keeps images when it writes an archive
}

func TestPushSurvivesOneFault(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusInternalServerError, http.StatusServiceUnavailable, http.StatusTooManyRequests} {
		for _, asked := range []string{"GET /v2/", "GET /v2/acme/web/manifests/v1", "POST /v2/acme/web/blobs/", "PUT /v2/acme/web/blobs/", "PUT /v2/acme/web/manifests/v1"} {
			t.Run(fmt.Sprint(asked, " ", status), func(t *testing.T) {
				t.Parallel()
				var failed atomic.Bool
				registry := newRegistry(t, func(w http.ResponseWriter, r *http.Request) bool {
					if !strings.HasPrefix(r.Method+" "+r.URL.Path, asked) || failed.Swap(true) {
						return false
					}
					w.Header().Set("Retry-After", "0")
					w.WriteHeader(status)
					return true
				})
				image := makeImage(t, openLayout(t, t.TempDir()), nil, map[string]string{"a": "1"})
				if _, err := registry.client.Push(t.Context(), registry.request(image, "v1")); err != nil {
					t.Errorf("Push = %v, want it to try again", err)
				}
				if !failed.Load() {
					t.Errorf("no request %s was sent", asked)
				}
			})
		}
	}
}

func TestPushProblems(t *testing.T) {
	t.Parallel()
	refuse := func(status int, contentType, body string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			fmt.Fprint(w, body)
			return true
		}
	}
	onWrite := func(then func(http.ResponseWriter, *http.Request) bool) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			return r.Method != http.MethodGet && r.Method != http.MethodHead && then(w, r)
		}
	}
	tests := map[string]struct {
		intercept func(http.ResponseWriter, *http.Request) bool
		summary   string // HOST stands for the registry
		detail    string // a part of it
	}{
		"login refused":     {refuse(401, "application/json", `{"errors":[{"code":"UNAUTHORIZED"}]}`), "Registry HOST refused access", "docker login HOST"},
		"push denied":       {onWrite(refuse(403, "application/json", `{"errors":[{"code":"DENIED"}]}`)), "Registry HOST refused access", "not enough for this repository"},
		"web site":          {refuse(200, "text/html; charset=utf-8", "<html>"), "HOST is not a registry", "Check the host"},
		"page not found":    {refuse(404, "text/html", "<html>"), "HOST is not a registry", "Check the host"},
		"always failing":    {onWrite(refuse(500, "text/plain", "oops")), "Registry HOST is failing", "status 500"},
		"too many requests": {onWrite(refuse(429, "application/json", `{"errors":[{"code":"TOOMANYREQUESTS"}]}`)), "Registry HOST limits the rate of requests", "wait"},
		"name refused":      {onWrite(refuse(400, "application/json", `{"errors":[{"code":"NAME_INVALID"}]}`)), "Invalid repository name", "does not accept"},
		"no repository":     {onWrite(refuse(404, "application/json", `{"errors":[{"code":"NAME_UNKNOWN"}]}`)), "Repository not found", "created first"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			registry := newRegistry(t, test.intercept)
			image := makeImage(t, openLayout(t, t.TempDir()), nil, map[string]string{"a": "1"})
			_, err := registry.client.Push(t.Context(), registry.request(image, "v1"))
			checkProblem(t, err, strings.ReplaceAll(test.summary, "HOST", registry.host), strings.ReplaceAll(test.detail, "HOST", registry.host))
		})
	}
}

func TestPushToNobody(t *testing.T) {
	t.Parallel()
	image := makeImage(t, openLayout(t, t.TempDir()), nil, map[string]string{"a": "1"})
	client := oci.Client{HTTP: &http.Client{Transport: &http.Transport{}}}
	push := func(repository, tag string) error {
		_, err := client.Push(t.Context(), oci.PushRequest{Image: image, To: artifact.Repository{Name: repository}, Tag: tag})
		return err
	}
	// Port 1 is privileged and has no service: nothing listens there.
	checkProblem(t, push("127.0.0.1:1/web", "v1"), "Registry 127.0.0.1:1 cannot be reached", "Nothing accepts connections there")
	checkProblem(t, push("ghcr.io/Acme/Web", "v1"), "Invalid image name", `"ghcr.io/Acme/Web"`)
	checkProblem(t, push("ghcr.io/acme/web", "v 1"), "Invalid image tag", `"v 1"`)
}

func checkProblem(t *testing.T, err error, summary, detail string) {
	t.Helper()
	problem, ok := errors.AsType[*diag.Problem](err)
	if !ok {
		t.Fatalf("error is %v, want a problem", err)
	}
	if problem.Summary != summary {
		t.Errorf("summary is %q, want %q", problem.Summary, summary)
	}
	if !strings.Contains(problem.Detail, detail) {
		t.Errorf("detail is %q, want it to contain %q", problem.Detail, detail)
	}
}
