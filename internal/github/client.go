// Package github is what we need of the GitHub API, in our own words, on top of
// go-github; no type of that library leaves this package. [Client] speaks REST
// with one repository, as the job or as a GitHub App ([App]); [Service] speaks
// with the artifact service that the runner offers to its job.
//
// It decides what is worth another try and what a refusal means. It does not
// decide which artifact to believe, nor what a status should say.
package github

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-github/v82/github"

	"github.com/deploy-action/deploy-action/internal/secret"
)

const userAgent = "deploy-action"

// Options says which repository a [Client] talks to, and as whom.
type Options struct {
	API        string       // GITHUB_API_URL; "" is the API of github.com
	Repository string       // owner/name
	Token      secret.Text  // of the job, or of the user; sent to the host of API only
	App        *App         // signs in in place of Token; or nil
	HTTP       *http.Client // required
}

// Client talks to one repository. It is safe for concurrent use.
type Client struct {
	rest        *github.Client
	http        *http.Client // without the token: for storage that signs its URLs
	owner, name string
	token       tokenSource
	pause       pause
	clock       *clock
}

// New returns a Client. It sends nothing.
func New(o Options) (*Client, error) {
	if o.App != nil {
		return newClient(o, o.App.Token)
	}
	return newClient(o, always(o.Token))
}

// tokenSource returns the token for the next request.
type tokenSource func(context.Context) (secret.Text, error)

func always(token secret.Text) tokenSource {
	return func(context.Context) (secret.Text, error) { return token, nil }
}

func newClient(o Options, token tokenSource) (*Client, error) {
	owner, name, ok := strings.Cut(o.Repository, "/")
	if !ok || owner == "" || name == "" || strings.Contains(name, "/") {
		return nil, fmt.Errorf("repository %q is not of the form owner/name", o.Repository)
	}
	base, err := url.Parse(strings.TrimRight(cmp.Or(o.API, "https://api.github.com"), "/") + "/")
	if err != nil || base.Host == "" {
		return nil, fmt.Errorf("the address of the GitHub API, %q, is not a URL", o.API)
	}
	signed := *o.HTTP
	told := new(clock)
	signed.Transport = &authorized{host: base.Host, token: token, clock: told, next: cmp.Or(o.HTTP.Transport, http.DefaultTransport)}

	rest := github.NewClient(&signed)
	rest.BaseURL = base
	rest.UserAgent = userAgent
	rest.RateLimitRedirectionalEndpoints = true // typed errors for downloads, too
	rest.DisableRateLimitCheck = true           // it takes the end of one limit for that of another
	return &Client{rest: rest, http: o.HTTP, owner: owner, name: name, token: token, clock: told}, nil
}

// Seal returns a code that only those can make of text who have the client's
// token; "" where there is none. It tells nothing of the token. The token of a
// GitHub App is another one in each process.
func (c *Client) Seal(ctx context.Context, text string) (string, error) {
	token, err := c.token(ctx)
	if err != nil || token == "" {
		return "", err
	}
	code := hmac.New(sha256.New, []byte(token.Reveal()))
	code.Write([]byte("deploy-action\n" + text))
	return hex.EncodeToString(code.Sum(nil)), nil
}

// authorized adds the token to requests for one host, and reads the time that its
// answers tell. A redirect to another host does not get the token.
type authorized struct {
	host  string
	token tokenSource
	clock *clock
	next  http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (a *authorized) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != a.host {
		return a.next.RoundTrip(r)
	}
	token, err := a.token(r.Context())
	if err != nil {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, err
	}
	if token != "" {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+token.Reveal())
	}
	answer, err := a.next.RoundTrip(r)
	if err == nil {
		a.clock.note(answer)
	}
	return answer, err
}

// Repository is what we need to know of a repository.
type Repository struct {
	ID            int64
	DefaultBranch string
}

// Repository asks for the repository itself.
func (c *Client) Repository(ctx context.Context) (Repository, error) {
	var found *github.Repository
	err := c.call(ctx, readContents, readPatience, func() (err error) {
		found, _, err = c.rest.Repositories.Get(ctx, c.owner, c.name)
		return err
	})
	if err != nil {
		return Repository{}, fmt.Errorf("reading repository %q: %w", c.owner+"/"+c.name, err)
	}
	return Repository{found.GetID(), found.GetDefaultBranch()}, nil
}
