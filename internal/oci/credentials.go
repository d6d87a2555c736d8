package oci

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// Login is what one registry is shown. Its zero value is nobody.
type Login struct {
	Username      string
	Password      secret.Text
	IdentityToken secret.Text // exchanged for an access token
	RegistryToken secret.Text // sent as it is
}

func (l Login) empty() bool {
	return l.Username == "" && l.Password == "" && l.IdentityToken == "" && l.RegistryToken == ""
}

// Header returns the login as a Docker engine takes it in the header
// X-Registry-Auth. It is as secret as the login.
func (l Login) Header() (string, error) {
	data, err := json.Marshal(struct {
		Username      string `json:"username,omitempty"`
		Password      string `json:"password,omitempty"`
		IdentityToken string `json:"identitytoken,omitempty"`
		RegistryToken string `json:"registrytoken,omitempty"`
	}{l.Username, l.Password.Reveal(), l.IdentityToken.Reveal(), l.RegistryToken.Reveal()})
	if err != nil {
		return "", fmt.Errorf("encoding the login: %w", err)
	}
	return base64.URLEncoding.EncodeToString(data), nil
}

// Credentials finds the login for a registry. The first of these that knows
// the host wins: Logins; the variable REGISTRY_AUTH, one host=user:password a
// line; the Docker configuration file with its credential helpers; for ghcr.io
// the variable GITHUB_TOKEN.
type Credentials struct {
	Logins  map[string]Login    // by host, as configuration gives them
	Getenv  func(string) string // nil: no variables
	Environ func() []string     // for credential helpers; nil: none

	// Ask is asked in place of all others; nil for none.
	Ask func(ctx context.Context, host string) (Login, error)

	// DockerConfig is the content of Docker's configuration file, where that may
	// change or be hidden meanwhile; "" reads it at each lookup.
	DockerConfig secret.Text
}

// registryAuth is the variable behind the action's input registry-auth.
const registryAuth = "REGISTRY_AUTH"

// Lookup returns the login for a host, or the zero Login where nobody signs in.
func (c Credentials) Lookup(ctx context.Context, host string) (Login, error) {
	host = canonicalHost(host)
	if c.Ask != nil {
		return c.Ask(ctx, host)
	}
	for _, known := range slices.Sorted(maps.Keys(c.Logins)) {
		if canonicalHost(known) == host {
			return c.Logins[known], nil
		}
	}
	if c.Getenv == nil {
		return Login{}, nil
	}
	logins, err := parseRegistryAuth(c.Getenv(registryAuth))
	if err != nil {
		return Login{}, err
	}
	if login, ok := logins[host]; ok {
		return login, nil
	}
	login, err := c.fromDocker(ctx, host)
	if err != nil || !login.empty() {
		return login, err
	}
	if token := c.Getenv("GITHUB_TOKEN"); host == "ghcr.io" && token != "" {
		// The registry looks at the token only, but wants some name beside it.
		return Login{Username: "x-access-token", Password: secret.Text(token)}, nil
	}
	return Login{}, nil
}

// ParseEncodedAuth reads the attribute encoded_auth: base64 of the JSON object
// that the Docker engine calls AuthConfig.
func ParseEncodedAuth(text secret.Text) (Login, error) {
	raw, err := decodeBase64(text)
	var config authn.AuthConfig
	if err == nil {
		err = json.Unmarshal(raw, &config)
	}
	if err != nil {
		// The cause would quote a part of the secret.
		return Login{}, &diag.Problem{
			Summary: "Unreadable encoded_auth",
			Detail:  "The value must be base64 of a JSON object with username and password, as the Docker engine takes it.",
			Attr:    "encoded_auth",
		}
	}
	return loginOf(config), nil
}

// ParseBasicAuth reads the attribute auth: base64 of USER:PASSWORD.
func ParseBasicAuth(text secret.Text) (user string, password secret.Text, err error) {
	raw, err := decodeBase64(text)
	user, rest, ok := strings.Cut(string(raw), ":")
	if err != nil || !ok {
		return "", "", &diag.Problem{
			Summary: "Unreadable auth",
			Detail:  "The value must be base64 of a user and a password with a colon between.",
			Attr:    "auth.auth",
		}
	}
	return user, secret.Text(rest), nil
}

// decodeBase64 takes either alphabet, with or without padding.
func decodeBase64(text secret.Text) ([]byte, error) {
	encoded := strings.TrimRight(strings.TrimSpace(text.Reveal()), "=")
	return base64.RawURLEncoding.DecodeString(strings.NewReplacer("+", "-", "/", "_").Replace(encoded))
}

// loginOf converts the library's form, which is also that of Docker's file.
func loginOf(config authn.AuthConfig) Login {
	return Login{
		Username:      config.Username,
		Password:      secret.Text(config.Password),
		IdentityToken: secret.Text(config.IdentityToken),
		RegistryToken: secret.Text(config.RegistryToken),
	}
}

// parseRegistryAuth reads one host=user:password a line.
func parseRegistryAuth(text string) (map[string]Login, error) {
	logins := map[string]Login{}
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		host, rest, hasHost := strings.Cut(line, "=")
		user, password, hasUser := strings.Cut(rest, ":")
		if !hasHost || !hasUser || host == "" {
			return nil, &diag.Problem{
				Summary: "Unreadable registry-auth",
				Detail:  fmt.Sprintf("Line %d is not of the form host=user:password.", number),
			}
		}
		logins[canonicalHost(host)] = Login{Username: user, Password: secret.Text(password)}
	}
	return logins, nil
}

// canonicalHost reduces the ways to write a registry to its host: Docker's
// file also has URLs, and Docker Hub has three names.
func canonicalHost(text string) string {
	text = strings.TrimPrefix(strings.TrimPrefix(text, "https://"), "http://")
	host, _, _ := strings.Cut(text, "/")
	if host == "docker.io" || host == "registry-1.docker.io" {
		return name.DefaultRegistry
	}
	return host
}
