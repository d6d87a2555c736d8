package docker_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/plugin/docker"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/testkit/plugintest"
)

func openWith(t *testing.T, h component.Host, c docker.RegistryConfig) component.AnyRegistry {
	t.Helper()
	registry, _, err := docker.Plugin.Registry.Open(h, decoded(c))
	if err != nil {
		t.Fatal(err)
	}
	return registry
}

func TestRegistry(t *testing.T) {
	t.Parallel()
	plugintest.Registry(t, plugintest.RegistryCase{
		Plugin: docker.Plugin,
		New: func(t *testing.T, _ *plugintest.Calls) plugintest.World {
			host, client := newRegistry(t)
			return plugintest.World{
				Host:     component.Host{HTTP: client},
				Config:   `image = "` + host + `/acme/web"` + "\ntag = \"v1\"\nusername = \"u\"\npassword = \"hunter2-hunter2\"",
				Secrets:  []secret.Text{"hunter2-hunter2"},
				Artifact: testImage(t),
			}
		},
	})
}

func TestPushWithoutRegistry(t *testing.T) {
	t.Parallel()
	layout := testImage(t)
	named := layout
	named.Repository, named.Tag = "ghcr.io/acme/web", "v1"
	pushed := artifact.Image{Repository: "ghcr.io/acme/web", Tag: "v1"}
	tests := map[string]struct {
		config docker.RegistryConfig
		given  artifact.Image
		want   artifact.Image
	}{
		"local only":              {docker.RegistryConfig{Image: "ghcr.io/acme/web", Tag: "v1", Local: true}, layout, named},
		"same image, as by a ref": {docker.RegistryConfig{Image: "ghcr.io/acme/web", Tag: "v1"}, pushed, pushed},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			registry := openWith(t, testHost(t, &http.Client{Transport: nowhere{}}), test.config)
			req := component.PushRequest[artifact.Artifact]{Artifact: test.given}
			got, err := registry.Push(t.Context(), req)
			if err != nil || got != test.want {
				t.Errorf("Push = %+v, %v; want %+v", got, err, test.want)
			}
			planned, plan, err := registry.Plan(t.Context(), req)
			if err != nil || planned != test.want || plan.Changes[0].Action != component.Keep {
				t.Errorf("Plan = %+v, %+v, %v; want %+v and nothing to do", planned, plan, err, test.want)
			}
		})
	}
}

func TestPushSignsIn(t *testing.T) {
	t.Parallel()
	host, client := newRegistry(t)
	guarded := &http.Client{Transport: guard{client.Transport, "Basic " + base64.StdEncoding.EncodeToString([]byte("u:p"))}}
	image := testImage(t)
	encoded := base64.StdEncoding.EncodeToString([]byte(`{"username":"u","password":"p"}`))
	tests := map[string]struct {
		config docker.RegistryConfig
		fails  bool
	}{
		"user and password":     {docker.RegistryConfig{Username: "u", Password: "p"}, false},
		"encoded_auth wins":     {docker.RegistryConfig{EncodedAuth: secret.Text(encoded), Username: "x", Password: "x"}, false},
		"auth block":            {docker.RegistryConfig{Auth: &docker.Auth{Username: "u", Password: "p"}}, false},
		"auth in an auth block": {docker.RegistryConfig{Auth: &docker.Auth{Auth: secret.Text(base64.StdEncoding.EncodeToString([]byte("u:p")))}}, false},
		"wrong password":        {docker.RegistryConfig{Username: "u", Password: "wrong"}, true},
		"nobody":                {docker.RegistryConfig{}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.config.Image, test.config.Tag = host+"/"+strings.ReplaceAll(strings.ToLower(name), " ", "-"), "v1"
			_, err := openWith(t, testHost(t, guarded), test.config).
				Push(t.Context(), component.PushRequest[artifact.Artifact]{Artifact: image})
			if !test.fails {
				if err != nil {
					t.Error(err)
				}
				return
			}
			checkProblem(t, err, "Registry "+host+" refused access", "image")
		})
	}
}

// guard lets only requests with that authorization through.
type guard struct {
	base   http.RoundTripper
	wanted string
}

func (g guard) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Header.Get("Authorization") == g.wanted {
		return g.base.RoundTrip(req)
	}
	if req.Body != nil {
		req.Body.Close()
	}
	return &http.Response{
		StatusCode: http.StatusUnauthorized, Request: req, Body: http.NoBody,
		Header: http.Header{"Www-Authenticate": {`Basic realm="test"`}},
	}, nil
}

func TestRegistryProblems(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		config  docker.RegistryConfig
		summary string
		attr    string
	}{
		"image":        {docker.RegistryConfig{Image: "ghcr.io/Acme", Tag: "v1"}, "Invalid image name", "image"},
		"tag":          {docker.RegistryConfig{Image: "ghcr.io/acme/web", Tag: "v:1"}, "Invalid image tag", "tag"},
		"hostname":     {docker.RegistryConfig{Image: "ghcr.io/acme/web", Tag: "v1", Auth: &docker.Auth{Hostname: "x"}}, "Login for another registry", "auth.hostname"},
		"encoded_auth": {docker.RegistryConfig{Image: "ghcr.io/acme/web", Tag: "v1", EncodedAuth: "%"}, "Unreadable encoded_auth", "encoded_auth"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := docker.Plugin.Registry.Open(testHost(t, nil), decoded(test.config))
			checkProblem(t, err, test.summary, test.attr)
		})
	}
}
