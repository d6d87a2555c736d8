package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/go-github/v82/github"

	"github.com/deploy-action/deploy-action/internal/secret"
)

// appSpare is how much of its hour a token must have left to be used: a request
// may wait before it is sent.
const appSpare = 5 * time.Minute

// ErrNotInstalled means that a GitHub App has no access to the repository.
var ErrNotInstalled = errors.New("the App is not installed in this repository")

// SignInError means that there is no token, so that no request was sent.
type SignInError struct {
	App string // its ID
	Err error
}

// Error implements error.
func (e *SignInError) Error() string {
	return fmt.Sprintf("signing in as GitHub App %q: %v", e.App, e.Err)
}

// Unwrap returns the cause.
func (e *SignInError) Unwrap() error { return e.Err }

// AppOptions says which GitHub App signs in, and for which repository.
type AppOptions struct {
	ID      string      // of the App, or its client ID
	Key     secret.Text // its private key, in PEM
	Secrets *secret.Set // tokens are added to it

	API        string       // as in [Options]
	Repository string       // as in [Options]
	HTTP       *http.Client // required
}

// App signs in as a GitHub App in place of the job. Its tokens work in one
// repository, whatever else the App may see. It is safe for concurrent use.
//
// See https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app.
type App struct {
	options AppOptions
	client  *Client // speaks as the App itself, not as its installation

	turn    chan struct{} // held by who reads or writes what follows
	token   secret.Text
	expires time.Time
}

// NewApp returns an App. It sends nothing.
func NewApp(o AppOptions) (*App, error) {
	key, err := parseKey(o.Key)
	if err != nil {
		return nil, err
	}
	client, err := newClient(Options{API: o.API, Repository: o.Repository, HTTP: o.HTTP}, func(context.Context) (secret.Text, error) {
		return assertion(o.ID, key)
	})
	if err != nil {
		return nil, err
	}
	return &App{options: o, client: client, turn: make(chan struct{}, 1)}, nil
}

// Token returns a token that is good for some minutes at least. Its error is a
// [SignInError].
func (a *App) Token(ctx context.Context) (secret.Text, error) {
	select {
	case a.turn <- struct{}{}:
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	defer func() { <-a.turn }()
	if time.Until(a.expires) < appSpare {
		if err := a.refresh(ctx); err != nil {
			return "", &SignInError{a.options.ID, err}
		}
	}
	return a.token, nil
}

func (a *App) refresh(ctx context.Context) error {
	c := a.client
	var installed *github.Installation
	err := c.call(ctx, "", readPatience, func() (err error) {
		installed, _, err = c.rest.Apps.FindRepositoryInstallation(ctx, c.owner, c.name)
		return err
	})
	if errors.Is(err, ErrNotFound) {
		return ErrNotInstalled
	}
	if refusal, ok := errors.AsType[*PermissionError](err); ok && refusal.Status == http.StatusUnauthorized {
		return fmt.Errorf("GitHub does not accept the App's ID and key (401 %s)", refusal.Message)
	}
	if err != nil {
		return fmt.Errorf("finding where it is installed: %w", err)
	}
	var made *github.InstallationToken
	err = c.call(ctx, "", readPatience, func() (err error) {
		made, _, err = c.rest.Apps.CreateInstallationToken(ctx, installed.GetID(), &github.InstallationTokenOptions{Repositories: []string{c.name}})
		return err
	})
	if err != nil {
		return fmt.Errorf("asking for a token: %w", err)
	}
	a.token, a.expires = secret.Text(made.GetToken()), made.GetExpiresAt().Time
	if a.options.Secrets != nil {
		a.options.Secrets.Add(a.token)
	}
	return nil
}

// Close makes the present token useless, if there is one.
func (a *App) Close(ctx context.Context) error {
	select {
	case a.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-a.turn }()
	if a.token == "" || time.Until(a.expires) <= 0 {
		return nil
	}
	c, err := newClient(Options{API: a.options.API, Repository: a.options.Repository, HTTP: a.options.HTTP}, always(a.token))
	if err != nil {
		return err
	}
	err = c.call(ctx, "", reportPatience, func() error {
		_, err := c.rest.Apps.RevokeInstallationToken(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("revoking the token of GitHub App %q: %w", a.options.ID, err)
	}
	a.token, a.expires = "", time.Time{}
	return nil
}
