package vault

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// jwtMethod is auth_method = "jwt".
func jwtMethod(h component.Host, s settings) (*login, error) {
	if h.IDToken == nil {
		return nil, &diag.Problem{
			Summary: "No OIDC token outside of jobs",
			Detail: "auth_method = \"jwt\" signs in to Vault with the job's OIDC token, and this run is not a job's. " +
				"A block auth \"github-oidc\" in its place lets other runs use VAULT_TOKEN or the token of vault login.",
			Attr: "auth_method",
		}
	}
	return jwtLogin(h, s, cmp.Or(s.oidc.Mount, s.AuthMethodMountPath)), nil
}

// jwtLogin signs in with the job's OIDC token.
func jwtLogin(h component.Host, s settings, configured string) *login {
	prove := func(ctx context.Context) (proof, error) {
		token, err := h.IDToken(ctx, s.oidc.Audience)
		if err != nil {
			return proof{}, fmt.Errorf("getting an OIDC token for Vault: %w", err)
		}
		fields := map[string]any{"jwt": token.Reveal()}
		if s.oidc.Role != "" {
			fields["role"] = s.oidc.Role
		}
		return proof{fields, claims(token, "sub", "aud", "repository", "environment", "ref")}, nil
	}
	return &login{"jwt", mount(configured, "jwt"), s.oidc.Role, "auth.role", prove}
}

// claims says in a sentence what a token claims by those names, or "".
func claims(token secret.Text, names ...string) string {
	values, err := payload(token)
	if err != nil {
		return ""
	}
	var parts []string
	for _, name := range names {
		if value, ok := values[name]; ok {
			text, _ := json.Marshal(value) // it was JSON before
			parts = append(parts, fmt.Sprintf("%s = %s", name, text))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "The token claims " + strings.Join(parts, ", ") + "."
}

// payload decodes the claims of a JSON Web Token without checking it.
func payload(token secret.Text) (map[string]any, error) {
	parts := strings.Split(token.Reveal(), ".")
	if len(parts) != 3 {
		return nil, errors.New("reading a token: it has not three parts")
	}
	data, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, fmt.Errorf("reading a token: %w", err)
	}
	var values map[string]any
	return values, json.Unmarshal(data, &values)
}
