package oci

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/deploy-action/deploy-action/internal/artifact"
)

// SignIn asks a registry whether it knows the login for a repository, and
// changes nothing there. Whether that login may push, most registries tell only
// when something is pushed. It reports false where there is no login.
func (c Client) SignIn(ctx context.Context, repo artifact.Repository) (known bool, err error) {
	parsed, err := parseRepository(repo)
	if err != nil {
		return false, err
	}
	host := parsed.RegistryStr()
	auth, err := keychain{c.Credentials, repo}.ResolveContext(ctx, parsed.Registry)
	if err != nil {
		return false, err
	}
	known = auth != authn.Anonymous
	// Where logins are exchanged for tokens, this is where a wrong one fails.
	signed, err := transport.NewWithContext(ctx, parsed.Registry, auth, c.transport(), []string{parsed.Scope(transport.PushScope)})
	if err != nil {
		return known, explain(err, host)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, parsed.Scheme()+"://"+host+"/v2/", nil)
	if err != nil {
		return known, fmt.Errorf("asking registry %s: %w", host, err)
	}
	response, err := (&http.Client{Transport: signed}).Do(request)
	if err != nil {
		return known, explain(err, host)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20)) // so that the connection can be used again
	return known, explain(transport.CheckError(response, http.StatusOK), host)
}
