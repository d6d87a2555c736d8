// Package awsfake is what tests of the AWS plugins share where a real server of
// testkit/servers would be too slow, or lacks what is asked for: services that
// answer in this process, a registry of images beside them, and the host of
// somebody who works with both.
//
// It knows no service by itself: each test has the operations that it needs.
package awsfake

import (
	"archive/tar"
	"context"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/testkit/plugintest"
	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

const (
	// Account is the one that [Getenv] and moto's keys are of.
	Account = "123456789012"

	// ImageHost has its images.
	ImageHost = Account + ".dkr.ecr.us-east-1.amazonaws.com"

	// Password is what moto's ECR gives out for the user AWS of that account.
	Password = Account + "-auth-token"
)

// Getenv is the environment of somebody with keys.
func Getenv(name string) string {
	return map[string]string{
		"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test-secret-key",
	}[name]
}

// Host is the host of an operation.
func Host(getenv func(string) string, transport http.RoundTripper) component.Host {
	return component.Host{
		Progress: plugintest.Quiet{}, HTTP: &http.Client{Transport: transport}, Getenv: getenv,
		Environ: func() []string { return nil }, Mask: func(secret.Text) {},
	}
}

// RoundTrip is a function as an [http.RoundTripper].
type RoundTrip func(*http.Request) (*http.Response, error)

// RoundTrip implements [http.RoundTripper].
func (f RoundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// InProcess answers requests without a connection.
func InProcess(handler http.Handler) RoundTrip {
	return func(req *http.Request) (*http.Response, error) {
		served := req.Clone(req.Context())
		if served.Body == nil {
			served.Body = http.NoBody
		}
		defer served.Body.Close()
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, served)
		response := recorder.Result()
		response.Request = req
		return response, nil
	}
}

// API answers the operations of a service with an answer that becomes JSON, or
// with the code of a refusal, as "RepositoryNotFoundException". The content of
// the request is JSON.
type API func(operation string, in json.RawMessage) (answer any, refusal string)

// ServeHTTP implements [http.Handler].
func (a API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	operation := servers.AWSOperation(r)
	in, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer, refusal := a(operation, in)
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if refusal != "" {
		w.WriteHeader(http.StatusBadRequest)
		answer = map[string]any{"__type": refusal, "message": "refused for the test"}
	}
	_ = json.NewEncoder(w).Encode(answer) // whoever asked may be gone
}

// WithImages sends requests for the hosts of images to one place, and all
// others to another.
func WithImages(images, others http.RoundTripper) RoundTrip {
	return func(req *http.Request) (*http.Response, error) {
		if strings.Contains(req.URL.Host, ".dkr.ecr.") {
			return images.RoundTrip(req)
		}
		return others.RoundTrip(req)
	}
}

// Images is an empty registry in memory that takes the user AWS with one
// password only.
func Images(password string) http.RoundTripper {
	images := registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(true))
	return InProcess(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, got, _ := r.BasicAuth(); user != "AWS" || got != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		images.ServeHTTP(w, r)
	}))
}

// At sends requests to a host of this machine, without TLS, whatever host they
// name.
func At(host string) RoundTrip {
	return func(req *http.Request) (*http.Response, error) {
		sent := req.Clone(req.Context())
		sent.URL.Scheme, sent.URL.Host = "http", host
		response, err := http.DefaultTransport.RoundTrip(sent)
		if err == nil {
			response.Request = req // so that what is named in the answer is below the host that was asked
		}
		return response, err
	}
}

// Reads is [servers.ReadsAWS] with images beside it.
func Reads(r *http.Request) bool {
	if strings.Contains(r.URL.Host, ".dkr.ecr.") {
		return r.Method == http.MethodGet || r.Method == http.MethodHead
	}
	return servers.ReadsAWS(r)
}

// Image makes an image with one file in a layout.
func Image(t *testing.T, content, architecture string) artifact.Image {
	t.Helper()
	layout, err := oci.OpenLayout(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	layer, err := layout.AddLayer(t.Context(), func(_ context.Context, archive *tar.Writer) error {
		if err := archive.WriteHeader(&tar.Header{Name: "hello", Mode: 0o644, Size: int64(len(content))}); err != nil {
			return err
		}
		_, err := archive.Write([]byte(content))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	config := v1.ConfigFile{OS: "linux", Architecture: architecture}
	digest, err := layout.AddImage(oci.NewImage{Config: config, Layers: []oci.Layer{layer}})
	if err != nil {
		t.Fatal(err)
	}
	return artifact.Image{Repository: "web", Digest: digest, Layout: layout.Dir(), Architecture: architecture}
}
