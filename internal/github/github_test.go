package github_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

const (
	token = secret.Text("ghs_token-of-the-job")
	head  = "0123456789abcdef0123456789abcdef01234567"
)

// newFake returns a fake that fails the test if it was used in a way that
// GitHub's own description does not allow.
func newFake(t *testing.T) *githubfake.Fake {
	t.Helper()
	fake, err := githubfake.New(githubfake.Options{Repository: "octo/shop"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, v := range fake.Violations() {
			t.Errorf("violation of the API description: %s", v)
		}
	})
	return fake
}

func newClient(t *testing.T, transport http.RoundTripper) *github.Client {
	t.Helper()
	client, err := github.New(github.Options{
		API: "https://api.example.test", Repository: "octo/shop", Token: token, HTTP: &http.Client{Transport: transport},
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func newService(t *testing.T, fake *githubfake.Fake, run int64, secrets *secret.Set) *github.Service {
	t.Helper()
	service, err := github.NewService(github.ServiceOptions{
		ResultsURL: "https://results.example.test/some/path", Token: secret.Text(fake.Token(run, "job-1")),
		HTTP: &http.Client{Transport: fake}, Secrets: secrets,
	})
	if err != nil {
		t.Fatal(err)
	}
	return service
}

// upload makes an artifact in a run.
func upload(t *testing.T, fake *githubfake.Fake, run int64, name, content string) int64 {
	t.Helper()
	id, err := newService(t, fake, run, nil).Upload(t.Context(), name, "file", []byte(content))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func list(t *testing.T, client *github.Client, name string) []github.Artifact {
	t.Helper()
	var found []github.Artifact
	for a, err := range client.Artifacts(t.Context(), name) {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, a)
	}
	return found
}

// roundTrip makes a function a transport.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// refuseTimes answers the first n requests whose path ends with suffix.
func refuseTimes(n int, suffix string, refusal githubfake.Refusal) func(*http.Request) *githubfake.Refusal {
	return func(r *http.Request) *githubfake.Refusal {
		if n == 0 || !strings.HasSuffix(r.URL.Path, suffix) {
			return nil
		}
		n--
		return &refusal
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	cases := map[string]github.Options{
		"no repository":   {},
		"no owner":        {Repository: "/shop"},
		"three parts":     {Repository: "octo/shop/x"},
		"address no URL":  {Repository: "octo/shop", API: "api.github.com"},
		"address garbage": {Repository: "octo/shop", API: "http://[::1"},
	}
	for name, o := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o.HTTP = &http.Client{}
			if _, err := github.New(o); err == nil {
				t.Errorf("New(%+v) succeeded, want an error", o.Repository)
			}
		})
	}
}

func TestTokenStaysAtHome(t *testing.T) {
	t.Parallel()
	var seen []string
	client := newClient(t, roundTrip(func(r *http.Request) (*http.Response, error) {
		seen = append(seen, fmt.Sprintf("%s %q", r.URL.Host, r.Header.Get("Authorization")))
		answer := &http.Response{StatusCode: http.StatusMovedPermanently, Header: http.Header{}, Body: http.NoBody, Request: r}
		answer.Header.Set("Location", "https://elsewhere.example.test/")
		if r.URL.Host == "elsewhere.example.test" {
			return nil, context.Canceled
		}
		return answer, nil
	}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	// The error is not the point here: the second host is.
	_, _ = client.Repository(ctx)
	want := []string{`api.example.test "Bearer ghs_token-of-the-job"`, `elsewhere.example.test ""`}
	if got := fmt.Sprint(seen); got != fmt.Sprint(want) {
		t.Errorf("requests = %v, want %v", got, want)
	}
}

func TestRepository(t *testing.T) {
	t.Parallel()
	got, err := newClient(t, newFake(t)).Repository(t.Context())
	want := github.Repository{ID: 1001, DefaultBranch: "main"}
	if err != nil || got != want {
		t.Errorf("Repository() = %+v, %v, want %+v", got, err, want)
	}
}

// TestSeal seals texts with tokens: the same only by the same.
func TestSeal(t *testing.T) {
	t.Parallel()
	seal := func(token secret.Text, text string) string {
		client, err := github.New(github.Options{Repository: "octo/shop", Token: token, HTTP: &http.Client{}})
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := client.Seal(t.Context(), text)
		if err != nil || token != "" && strings.Contains(sealed, token.Reveal()) {
			t.Errorf("Seal() = %q, %v", sealed, err)
		}
		return sealed
	}
	ours := seal("ghs_ours", "text")
	if len(ours) != 64 || seal("ghs_ours", "text") != ours || seal("ghs_ours", "other") == ours || seal("ghs_other", "text") == ours {
		t.Errorf("Seal() = %q, want one of this token and text alone", ours)
	}
	if got := seal("", "text"); got != "" {
		t.Errorf("Seal() without a token = %q, want none", got)
	}
}
