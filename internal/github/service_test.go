package github_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

func TestNewServiceRefuses(t *testing.T) {
	t.Parallel()
	tokenWith := func(payload string) secret.Text {
		return secret.Text("e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln")
	}
	cases := map[string]struct {
		url   string
		token secret.Text
		none  bool // ErrNoService, else another error
	}{
		"off a runner":      {none: true},
		"no token":          {url: "https://results.example.test", none: true},
		"no scope":          {url: "https://results.example.test", token: tokenWith(`{}`), none: true},
		"other scope":       {url: "https://results.example.test", token: tokenWith(`{"scp":"Actions.GenericRead:1"}`), none: true},
		"too many parts":    {url: "https://results.example.test", token: tokenWith(`{"scp":"Actions.Results:1:2:3"}`), none: true},
		"not a token":       {url: "https://results.example.test", token: "abc"},
		"not JSON":          {url: "https://results.example.test", token: tokenWith(`x`)},
		"address is no URL": {url: "results", token: tokenWith(`{"scp":"Actions.Results:1:2"}`)},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := github.NewService(github.ServiceOptions{ResultsURL: c.url, Token: c.token, HTTP: &http.Client{}})
			if err == nil || errors.Is(err, github.ErrNoService) != c.none {
				t.Errorf("NewService() error = %v, want ErrNoService: %v", err, c.none)
			}
		})
	}
}

func TestUploadListDownload(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	service := newService(t, fake, 7, nil)
	content := bytes.Repeat([]byte("0123456789"), 900_000) // more than one block
	id, err := service.Upload(t.Context(), "state", "file", content)
	if err != nil {
		t.Fatal(err)
	}
	upload(t, fake, 8, "other", "of another run")

	list, err := newService(t, fake, 7, nil).List(t.Context())
	if err != nil || len(list) != 1 || list[0].ID != id || list[0].Name != "state" {
		t.Fatalf("List() = %+v, %v, want the artifact %d", list, err, id)
	}
	got, err := service.Download(t.Context(), list[0], "file")
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("Download() = %d bytes, %v, want the %d uploaded", len(got), err, len(content))
	}
	fake.Corrupt(id)
	if _, err := service.Download(t.Context(), list[0], "file"); !errors.Is(err, github.ErrDigest) {
		t.Errorf("Download() of a changed artifact: %v, want ErrDigest", err)
	}
}

// Servers may name the fields of their answers in the other way that JSON of
// Protocol Buffers allows, as act's does.
func TestFieldsInCamelCase(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	service, err := github.NewService(github.ServiceOptions{
		ResultsURL: "https://results.example.test", Token: secret.Text(fake.Token(7, "deploy")), Secrets: &secret.Set{},
		HTTP: &http.Client{Transport: camelCase{fake}},
	})
	if err != nil {
		t.Fatal(err)
	}
	id, err := service.Upload(t.Context(), "state", "file", []byte("content"))
	if err != nil {
		t.Fatal(err)
	}
	list, err := service.List(t.Context())
	if err != nil || len(list) != 1 || list[0].ID != id || id == 0 {
		t.Fatalf("the list is %v (%v), want artifact %d", list, err, id)
	}
	if got, err := service.Download(t.Context(), list[0], "file"); err != nil || string(got) != "content" {
		t.Errorf("Download() = %q, %v", got, err)
	}
}

// camelCase renames the fields of the answers of the artifact service.
type camelCase struct{ next http.RoundTripper }

func (c camelCase) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := c.next.RoundTrip(r)
	if err != nil || !strings.HasPrefix(r.URL.Path, "/twirp/") {
		return response, err
	}
	content, err := io.ReadAll(response.Body)
	renamed := content
	for again := regexp.MustCompile(`_([A-Za-z])([a-z_]*":)`); again.Match(renamed); {
		renamed = again.ReplaceAllFunc(renamed, func(part []byte) []byte {
			return append(bytes.ToUpper(part[1:2]), part[2:]...)
		})
	}
	response.Body = io.NopCloser(bytes.NewReader(renamed))
	return response, err
}

func TestNameTaken(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	upload(t, fake, 7, "state", "first")
	before := len(fake.Calls())
	_, err := newService(t, fake, 7, nil).Upload(t.Context(), "state", "file", []byte("second"))
	if !errors.Is(err, github.ErrNameTaken) {
		t.Errorf("Upload() = %v, want ErrNameTaken", err)
	}
	if got := len(fake.Calls()) - before; got != 1 {
		t.Errorf("sent %d requests, want 1: a taken name stays taken", got)
	}
}

func TestServiceRetries(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		refusal githubfake.Refusal
		suffix  string
		good    bool
		atLeast time.Duration
	}{
		"unavailable":       {githubfake.Refusal{Status: 503}, "/CreateArtifact", true, 3500 * time.Millisecond},
		"told to wait":      {githubfake.Refusal{Status: 429, Header: http.Header{"Retry-After": {"30"}}}, "/FinalizeArtifact", true, time.Minute},
		"storage":           {githubfake.Refusal{Status: 500}, "/blob/1", true, 300 * time.Millisecond},
		"quota is used up":  {githubfake.Refusal{Status: 500, Body: `{"code":"resource_exhausted","msg":"Artifact storage quota has been hit"}`}, "/CreateArtifact", false, 0},
		"malformed request": {githubfake.Refusal{Status: 400}, "/CreateArtifact", false, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := newFake(t)
				fake.Refuse(refuseTimes(2, c.suffix, c.refusal))
				service, start := newService(t, fake, 7, nil), time.Now()
				_, err := service.Upload(t.Context(), "state", "file", []byte("x"))
				if (err == nil) != c.good {
					t.Errorf("Upload() = %v, want success: %v", err, c.good)
				}
				if waited := time.Since(start); waited < c.atLeast {
					t.Errorf("waited %v, want at least %v", waited, c.atLeast)
				}
			})
		})
	}
}

// TestSignaturesStayHidden breaks every request to the storage: neither its
// URL nor the token may show up in what is printed.
func TestSignaturesStayHidden(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t)
		var signature string
		var secrets secret.Set
		broken := roundTrip(func(r *http.Request) (*http.Response, error) {
			if strings.HasPrefix(r.URL.Path, "/blob/") {
				signature = r.URL.Query().Get("sig")
				return nil, errors.New("connection reset")
			}
			return fake.RoundTrip(r)
		})
		service, err := github.NewService(github.ServiceOptions{
			ResultsURL: "https://results.example.test", Token: secret.Text(fake.Token(7, "")), HTTP: &http.Client{Transport: broken}, Secrets: &secrets,
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = service.Upload(t.Context(), "state", "file", []byte("x"))
		if err == nil || signature == "" {
			t.Fatalf("Upload() = %v with signature %q, want an error after the URL was used", err, signature)
		}
		if strings.Contains(err.Error(), signature) || strings.Contains(err.Error(), "sig=") {
			t.Errorf("the error shows the signature: %v", err)
		}
		if got := secrets.RedactString(url.QueryEscape(signature)); got != "***" {
			t.Errorf("the signature is not known as a secret: %q", got)
		}
	})
}
