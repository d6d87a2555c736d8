package vault

import (
	"cmp"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// githubOIDC is the only kind of auth block.
const githubOIDC = "github-oidc"

// settings are the configuration under the environment.
type settings struct {
	SourcerConfig

	oidc    Auth // of the auth block, if there is one, and of the environment
	address url.URL
}

// resolve lays the environment over c and checks the result.
func resolve(c SourcerConfig, getenv func(string) string) (settings, error) {
	s := settings{SourcerConfig: c}
	if c.Auth != nil {
		s.oidc = *c.Auth
	}
	for name, field := range map[string]*string{
		"VAULT_ADDR":            &s.Addr,
		"VAULT_AGENT_ADDR":      &s.AgentAddr,
		"VAULT_CACERT":          &s.CACert,
		"VAULT_CAPATH":          &s.CAPath,
		"VAULT_CLIENT_CERT":     &s.ClientCert,
		"VAULT_CLIENT_KEY":      &s.ClientKey,
		"VAULT_NAMESPACE":       &s.Namespace,
		"VAULT_TLS_SERVER_NAME": &s.TLSServerName,
		"VAULT_ROLE":            &s.oidc.Role,
		"VAULT_AUTH_MOUNT":      &s.oidc.Mount,
		"VAULT_AUDIENCE":        &s.oidc.Audience,
	} {
		*field = cmp.Or(getenv(name), *field)
	}
	s.Token = cmp.Or(secret.Text(getenv("VAULT_TOKEN")), s.Token)
	if text := getenv("VAULT_SKIP_VERIFY"); text != "" {
		skip, err := strconv.ParseBool(text)
		if err != nil {
			return s, &diag.Problem{
				Summary: "Unreadable VAULT_SKIP_VERIFY",
				Detail:  fmt.Sprintf("The environment variable VAULT_SKIP_VERIFY is %q. It takes \"true\" or \"false\".", text),
				Attr:    "skip_verify",
			}
		}
		s.SkipVerify = skip
	}
	if err := s.checkAddress(); err != nil {
		return s, err
	}
	return s, s.checkSignIn()
}

// checkAddress reads the address to ask.
func (s *settings) checkAddress() error {
	text, attr := s.Addr, "addr"
	if s.AgentAddr != "" {
		text, attr = s.AgentAddr, "agent_addr"
	}
	if text == "" {
		return &diag.Problem{
			Summary: "No address of Vault",
			Detail: "Nothing says where Vault is. Set \"addr\" in the block source \"vault\", the environment variable VAULT_ADDR, " +
				"or the action's input vault-addr, for example to \"https://vault.example.com\".",
			Attr: attr,
		}
	}
	address, err := url.Parse(text)
	if err != nil || address.Host == "" || address.Scheme != "http" && address.Scheme != "https" {
		// The text is not shown: a password may be in it.
		return &diag.Problem{
			Summary: "Unusable address of Vault",
			Detail: "The address of Vault must begin with \"https://\" (or \"http://\") and name a host, as in \"https://vault.example.com:8200\". " +
				"It comes from VAULT_ADDR or the input vault-addr where one is set, else from the file.",
			Attr: attr,
		}
	}
	s.address = *address
	return nil
}

// checkSignIn checks the names that stand for a way to sign in.
func (s *settings) checkSignIn() error {
	if s.Auth != nil && s.Auth.Kind != githubOIDC {
		return &diag.Problem{
			Summary: "Unknown kind of auth",
			Detail: fmt.Sprintf("The source \"vault\" has an auth block %q. It knows %q; other ways to sign in are attributes: token and auth_method.%s",
				s.Auth.Kind, githubOIDC, diag.Suggest(s.Auth.Kind, []string{githubOIDC})),
			Attr: "auth",
		}
	}
	if s.Auth != nil && s.AuthMethod != "" {
		return &diag.Problem{
			Summary: "Two ways to sign in",
			Detail:  fmt.Sprintf("The source \"vault\" has auth %q and auth_method = %q. Remove one of them.", s.Auth.Kind, s.AuthMethod),
			Attr:    "auth_method",
		}
	}
	return nil
}

// mount returns where a method is mounted: as configured, or at its own name.
func mount(configured, method string) string {
	trimmed := strings.Trim(configured, "/")
	return cmp.Or(strings.Trim(strings.TrimPrefix(trimmed, "auth/"), "/"), method)
}
