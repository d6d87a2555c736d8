// Package oidc reads what a job's OIDC token claims, for people who have to
// mend a trust policy.
package oidc

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"

	"github.com/deploy-action/deploy-action/internal/secret"
)

// Claims is what an OIDC token says of the job that asked for it, as far as
// clouds decide by it.
type Claims struct {
	Subject     string   `json:"sub"`
	Audience    audience `json:"aud"`
	Issuer      string   `json:"iss"`
	Environment string   `json:"environment"`
	Ref         string   `json:"ref"`
	Workflow    string   `json:"job_workflow_ref"`
}

// audience is one name, or a list of them.
type audience string

// UnmarshalJSON implements [json.Unmarshaler].
func (a *audience) UnmarshalJSON(raw []byte) error {
	var several []string
	if json.Unmarshal(raw, &several) == nil {
		*a = audience(strings.Join(several, ", "))
		return nil
	}
	var one string
	err := json.Unmarshal(raw, &one)
	*a = audience(one)
	return err
}

// errNoToken means that a text is no JSON web token. It shows nothing of it.
var errNoToken = errors.New("GitHub's answer is no OIDC token")

// Read reads the claims of a token. It does not verify them: that is for
// those whom the token is shown to.
func Read(token secret.Text) (Claims, error) {
	parts := strings.Split(token.Reveal(), ".")
	if len(parts) != 3 {
		return Claims{}, errNoToken
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	var claims Claims
	if err != nil || json.Unmarshal(payload, &claims) != nil {
		return Claims{}, errNoToken
	}
	return claims, nil
}

// String names the claims that trust policies look at.
func (c Claims) String() string {
	shown := []string{"sub " + cmp.Or(c.Subject, "(none)"), "aud " + cmp.Or(string(c.Audience), "(none)")}
	for _, claim := range []struct{ name, value string }{{"environment", c.Environment}, {"ref", c.Ref}, {"job_workflow_ref", c.Workflow}} {
		if claim.value != "" {
			shown = append(shown, claim.name+" "+claim.value)
		}
	}
	return strings.Join(shown, ", ")
}
