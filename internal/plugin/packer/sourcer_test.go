package packer_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/plugin/packer"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/testkit/plugintest"
)

// hcp is as much of HCP as a source needs: one bucket with three channels.
type hcp struct{}

// RoundTrip implements [http.RoundTripper].
func (hcp) RoundTrip(r *http.Request) (*http.Response, error) {
	status, body := hcp{}.answer(r)
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Request: r,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)),
	}, r.Context().Err()
}

func (hcp) answer(r *http.Request) (int, string) {
	const channels = "/packer/2023-01-01/organizations/org/projects/pro/buckets/web/channels/"
	switch {
	case r.URL.String() == "https://auth.idp.hashicorp.com/oauth2/token":
		_ = r.ParseForm() // what cannot be read is refused
		if r.Form.Get("client_secret") != "hunter2-of-hcp" || r.Form.Get("audience") != "https://api.hashicorp.cloud" || r.Form.Get("grant_type") != "client_credentials" {
			return http.StatusUnauthorized, `{"error":"access_denied"}`
		}
		return http.StatusOK, `{"access_token":"token-of-hcp","token_type":"Bearer","expires_in":3600}`
	case r.Header.Get("Authorization") != "Bearer token-of-hcp":
		return http.StatusUnauthorized, `{}`
	}
	switch name, _ := strings.CutPrefix(r.URL.Path, channels); name {
	case "production":
		return http.StatusOK, `{"channel":{"name":"production","version":{"name":"v7","status":"VERSION_ACTIVE","builds":[
			{"platform":"gce","artifacts":[{"external_identifier":"web-7","region":"europe-west1-b"}]},
			{"platform":"aws","artifacts":[{"external_identifier":"ami-1","region":"us-east-1"},{"external_identifier":"ami-2","region":"eu-west-1"}]}]}}}`
	case "old":
		return http.StatusOK, `{"channel":{"name":"old","version":{"name":"v1","status":"VERSION_REVOKED"}}}`
	case "empty":
		return http.StatusOK, `{"channel":{"name":"empty"}}`
	}
	return http.StatusNotFound, `{"message":"channel not found"}`
}

func key(name, cloud, region string) component.Key {
	return component.Key{Var: "image", Params: map[string]string{"bucket": "web", "channel": name, "cloud": cloud, "region": region}}
}

const settings = `
organization_id = "org"
project_id      = "pro"
client_id       = "reader"
client_secret   = "hunter2-of-hcp"
`

func TestSourcer(t *testing.T) {
	t.Parallel()
	plugintest.Sourcer(t, plugintest.SourcerCase{
		Plugin: packer.Plugin,
		New: func(*testing.T, *plugintest.Calls) plugintest.World {
			return plugintest.World{
				Host: component.Host{HTTP: &http.Client{Transport: hcp{}}}, Config: settings,
				Secrets: []secret.Text{"hunter2-of-hcp", "token-of-hcp"},
			}
		},
		Keys:    []component.Key{key("production", "aws", "eu-west-1"), key("production", "gce", "europe-west1-b")},
		Want:    []string{"ami-2", "web-7"},
		Unknown: key("nowhere", "aws", "eu-west-1"),
	})
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	host := component.Host{HTTP: &http.Client{Transport: hcp{}}, Mask: func(secret.Text) {}, Getenv: func(name string) string {
		return map[string]string{"HCP_ORGANIZATION_ID": "org", "HCP_PROJECT_ID": "pro", "HCP_CLIENT_ID": "reader", "HCP_CLIENT_SECRET": "hunter2-of-hcp"}[name]
	}}
	s := opened(t, host)
	cases := map[string]struct {
		key  component.Key
		want string
	}{
		"another region": {key("production", "aws", "eu-north-1"), "It has: aws eu-west-1, aws us-east-1, gce europe-west1-b"},
		"revoked":        {key("old", "aws", "eu-west-1"), "must no longer be used"},
		"no version":     {key("empty", "aws", "eu-west-1"), "Assign one"},
		"no channel":     {key("prod", "aws", "eu-west-1"), "HCP Packer has no channel \"prod\""},
		"no region":      {key("production", "aws", ""), "needs \"region\""},
		"a typo":         {component.Key{Params: map[string]string{"buket": "web"}}, "Did you mean \"bucket\"?"},
	}
	for name, c := range cases {
		readings, err := s.Read(t.Context(), []component.Key{c.key})
		if err != nil || readings[0].Err == nil || !strings.Contains(said(readings[0].Err), c.want) {
			t.Errorf("%s: %v, %v, want %q", name, readings, err, c.want)
		}
	}
}

func TestSourcerNeedsItsPrincipal(t *testing.T) {
	t.Parallel()
	getenv := func(name string) string { return strings.TrimPrefix(name, "HCP_CLIENT_SECRET") }
	host := component.Host{HTTP: &http.Client{Transport: hcp{}}, Getenv: getenv}
	if _, err := open(host); err == nil || !strings.Contains(said(err), "HCP_CLIENT_SECRET in the environment") {
		t.Errorf("without a secret: %v", err)
	}
	host.Getenv = func(name string) string {
		if strings.HasSuffix(name, "ADDRESS") || strings.HasSuffix(name, "URL") {
			return ""
		}
		return name
	}
	if _, err := opened(t, host).Read(t.Context(), nil); err == nil || !strings.Contains(said(err), "Check client_id and client_secret") {
		t.Errorf("with a wrong secret: %v", err)
	}
}
