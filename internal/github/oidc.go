package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/deploy-action/deploy-action/internal/retry"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// Issuer gives out the OIDC tokens of a job. A token says which workflow, of
// which repository and environment, asks, and lives five minutes.
type Issuer struct {
	URL   string      // ACTIONS_ID_TOKEN_REQUEST_URL; "" where the job may have none
	Token secret.Text // ACTIONS_ID_TOKEN_REQUEST_TOKEN
	HTTP  *http.Client
}

// ErrNoIDToken means that the job may not ask for a token: its permissions lack
// "id-token: write", or it is of a pull request from a fork.
var ErrNoIDToken = errors.New("the job may not ask for an OIDC token")

// IDToken returns a new token for an audience; "" is GitHub's own default, the
// URL of the repository's owner. Its error is [ErrNoIDToken] where there is none.
//
// See https://docs.github.com/actions/reference/security/oidc.
func (i Issuer) IDToken(ctx context.Context, audience string) (token secret.Text, err error) {
	if i.URL == "" {
		return "", ErrNoIDToken
	}
	address, err := url.Parse(i.URL)
	if err != nil {
		return "", fmt.Errorf("reading ACTIONS_ID_TOKEN_REQUEST_URL: %w", err)
	}
	if audience != "" {
		query := address.Query()
		query.Set("audience", audience)
		address.RawQuery = query.Encode()
	}
	err = retry.Do(ctx, func(ctx context.Context) error {
		token, err = i.request(ctx, address.String())
		return err
	})
	if err != nil {
		return "", fmt.Errorf("asking GitHub for an OIDC token: %w", err)
	}
	return token, nil
}

// request asks once.
func (i Issuer) request(ctx context.Context, address string) (secret.Text, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+i.Token.Reveal())
	req.Header.Set("User-Agent", userAgent)
	resp, err := i.HTTP.Do(req)
	if err != nil {
		return "", retry.Transient(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		err := fmt.Errorf("the answer is %s", resp.Status)
		if resp.StatusCode >= http.StatusInternalServerError || resp.StatusCode == http.StatusTooManyRequests {
			return "", retry.Transient(err)
		}
		return "", err
	}
	var answer struct {
		Value secret.Text `json:"value"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&answer); err != nil {
		return "", retry.Transient(fmt.Errorf("reading the answer: %w", err))
	}
	if answer.Value == "" {
		return "", retry.Transient(errors.New("the answer holds no token"))
	}
	return answer.Value, nil
}
