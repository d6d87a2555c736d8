package vault

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/retry"
)

const (
	// requestTime is how long one request may take.
	requestTime = 10 * time.Second

	// sealedTries is how often a sealed Vault is asked: an unsealing may be
	// under way, but mostly a person must come.
	sealedTries = 2
)

// client makes requests of one Vault.
type client struct {
	*api.Client
	address string // as messages show it
}

// newClient makes a client without a token. It goes through the host's HTTP
// client and takes nothing from the process's environment.
func newClient(h component.Host, s settings) (*client, error) {
	shown := url.URL{Scheme: s.address.Scheme, Host: s.address.Host, Path: s.address.Path}
	base, err := httpClient(h.HTTP, s)
	if err != nil {
		return nil, err
	}
	made, err := api.NewClient(&api.Config{Address: s.address.String(), HttpClient: base, Timeout: requestTime})
	if err != nil {
		// The library reads VAULT_* of the process before it takes what it is
		// given, and refuses to go on where one of them is malformed.
		return nil, &diag.Problem{Summary: "Unusable settings of Vault", Detail: "The client for Vault cannot be made.", Err: err}
	}
	// The rest of what it took from there is put back.
	made.ClearToken()
	made.SetHeaders(http.Header{api.RequestHeaderName: {"true"}})
	made.SetWrappingLookupFunc(func(string, string) string { return "" })
	if s.Namespace != "" {
		made.SetNamespace(s.Namespace)
	}
	return &client{made, shown.String()}, nil
}

// httpClient returns base, with a transport of its own where s has settings for
// TLS.
func httpClient(base *http.Client, s settings) (*http.Client, error) {
	own := *base
	own.CheckRedirect = func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // the library follows redirects, with the token
	}
	given := api.TLSConfig{
		CACert: s.CACert, CAPath: s.CAPath,
		ClientCert: s.ClientCert, ClientKey: s.ClientKey,
		TLSServerName: s.TLSServerName, Insecure: s.SkipVerify,
	}
	if given.CACert+given.CAPath+given.ClientCert+given.ClientKey+given.TLSServerName == "" && !given.Insecure {
		return &own, nil
	}
	shared, ok := base.Transport.(*http.Transport)
	if !ok {
		return nil, fmt.Errorf("setting up TLS for Vault: the transport is a %T", base.Transport)
	}
	transport := shared.Clone()
	if transport.TLSClientConfig == nil {
		transport.TLSClientConfig = &tls.Config{}
	}
	own.Transport = transport
	if err := (&api.Config{HttpClient: &own}).ConfigureTLS(&given); err != nil {
		return nil, &diag.Problem{
			Summary: "Unusable TLS settings for Vault",
			Detail: "The files of ca_cert, ca_path, client_cert and client_key (or VAULT_CACERT, VAULT_CAPATH, VAULT_CLIENT_CERT and VAULT_CLIENT_KEY) " +
				"must exist and hold PEM; a client's certificate and its key come together.",
			Err: err,
		}
	}
	return &own, nil
}

// try calls fn until it succeeds or fails for good.
func (c *client) try(ctx context.Context, fn func(context.Context) error) error {
	sealed := 0
	err := retry.Do(ctx, func(ctx context.Context) error {
		err := fn(ctx)
		if isSealed(err) {
			sealed++
		}
		if passing(err) && sealed < sealedTries {
			return retry.Transient(err)
		}
		return err
	})
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// passing reports whether an error may be gone at the next try.
func passing(err error) bool {
	if answer, ok := errors.AsType[*api.ResponseError](err); ok {
		return answer.StatusCode >= http.StatusInternalServerError ||
			answer.StatusCode == http.StatusTooManyRequests ||
			answer.StatusCode == http.StatusPreconditionFailed // a standby that is not up to date yet
	}
	_, sent := errors.AsType[*url.Error](err)
	return sent && !distrusted(err)
}

// distrusted reports whether the other side's certificate was refused.
func distrusted(err error) bool {
	_, ok := errors.AsType[*tls.CertificateVerificationError](err)
	return ok
}

func isSealed(err error) bool {
	return answered(err, http.StatusServiceUnavailable, "sealed")
}

// answered reports whether err is an answer of Vault with that status and, in
// one of its errors, that text.
func answered(err error, status int, text string) bool {
	answer, ok := errors.AsType[*api.ResponseError](err)
	return ok && answer.StatusCode == status && strings.Contains(strings.Join(answer.Errors, "\n"), text)
}
