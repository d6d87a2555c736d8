// Package oci handles container images as data: it keeps them in folders of
// the OCI layout, moves them between folders and registries, finds the
// credentials for that, and is itself a small registry in a folder.
//
// It runs no container, talks to no container engine, and knows neither apps
// nor plugins. How an image is built is the business of package oci/build.
package oci

import (
	"context"
	"errors"
	"net/http"
	"runtime"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/oci/transfer"
)

// Client talks to registries. It holds no connection and no state of its own;
// its methods may run concurrently.
type Client struct {
	HTTP        *http.Client // only its transport is used; required
	Credentials Credentials
}

// DefaultPlatform is what is built and fetched where nothing else is asked for.
const DefaultPlatform = "linux/" + runtime.GOARCH

// uploads is how many blobs of one image travel at the same time.
const uploads = 4

const userAgent = "deploy-action"

// options returns what every operation on repo needs. A login that comes with
// the repository wins over all others.
func (c Client) options(ctx context.Context, repo artifact.Repository, platform v1.Platform) []remote.Option {
	return []remote.Option{
		remote.WithContext(ctx),
		remote.WithTransport(c.transport()),
		remote.WithAuthFromKeychain(keychain{c.Credentials, repo}),
		remote.WithPlatform(platform),
		remote.WithJobs(uploads),
		remote.WithUserAgent(userAgent),
		// The transport tries again by itself.
		remote.WithRetryPredicate(func(error) bool { return false }),
		remote.WithRetryStatusCodes(),
	}
}

// transport returns how requests travel before they are signed.
func (c Client) transport() http.RoundTripper {
	base := c.HTTP.Transport
	if base == nil {
		base = remote.DefaultTransport
	}
	return transfer.Transport{Base: guard{base}}
}

// keychain answers the library's question for credentials.
type keychain struct {
	credentials Credentials
	repo        artifact.Repository
}

var _ authn.ContextKeychain = keychain{}

// Resolve implements [authn.Keychain]. The library prefers ResolveContext, so
// this is never called.
func (k keychain) Resolve(authn.Resource) (authn.Authenticator, error) {
	return nil, errors.ErrUnsupported
}

// ResolveContext implements [authn.ContextKeychain].
func (k keychain) ResolveContext(ctx context.Context, target authn.Resource) (authn.Authenticator, error) {
	login, err := k.login(ctx, target.RegistryStr())
	if err != nil {
		return nil, err
	}
	if login.empty() {
		return authn.Anonymous, nil
	}
	return authn.FromConfig(authn.AuthConfig{
		Username:      login.Username,
		Password:      login.Password.Reveal(),
		IdentityToken: login.IdentityToken.Reveal(),
		RegistryToken: login.RegistryToken.Reveal(),
	}), nil
}

func (k keychain) login(ctx context.Context, host string) (Login, error) {
	if k.repo.Login != nil {
		repo, err := parseRepository(k.repo)
		if err == nil && repo.RegistryStr() == host {
			user, password, err := k.repo.Login(ctx)
			return Login{Username: user, Password: password}, err
		}
	}
	return k.credentials.Lookup(ctx, host)
}

// parseRepository reads a repository's name, which may be as short as people
// write it ("nginx").
func parseRepository(repo artifact.Repository) (name.Repository, error) {
	var options []name.Option
	if repo.Insecure {
		options = append(options, name.Insecure)
	}
	parsed, err := name.NewRepository(repo.Name, options...)
	if err != nil {
		return name.Repository{}, nameProblem(repo.Name, err)
	}
	return parsed, nil
}
