//go:build servers

package aws_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

// jobHost is the host of a job whose token a role trusts.
func jobHost(moto *servers.MotoServer, auth component.Auth) component.Host {
	host := job("", &issuer{claims: map[string]string{"sub": plainSubject}}, nil)
	host.Getenv, host.HTTP = moto.Getenv, http.DefaultClient
	host.Auth["aws"] = auth
	return host
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	moto := servers.Moto(t)
	cases := map[string]struct {
		auth          component.Auth
		account, says string
	}{
		"role":           {component.Auth{Role: role}, "222233334444", ""},
		"account":        {component.Auth{Role: role, Accounts: []string{"222233334444"}}, "222233334444", ""},
		"wrong account":  {component.Auth{Role: role, Accounts: []string{"111122223333"}}, "", "AWS account 222233334444, which must not be touched"},
		"through a role": {component.Auth{Role: role, Arguments: map[string]string{"through": "arn:aws:iam::555566667777:role/hub"}}, "222233334444", ""},
		"keys":           {component.Auth{}, "123456789012", ""},
		"keys of the wrong account": {
			component.Auth{Accounts: []string{"111122223333"}}, "", "AWS account 123456789012, which must not be touched",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			session, err := aws.Open(jobHost(moto, c.auth), "")
			if err != nil {
				t.Fatal(err)
			}
			who, err := session.SignIn(t.Context())
			problem, _ := errors.AsType[*diag.Problem](err)
			switch {
			case c.says == "" && (err != nil || who.Account != c.account):
				t.Errorf("signed in to account %q, %v, want %q", who.Account, err, c.account)
			case c.says != "" && (problem == nil || !strings.Contains(problem.Summary, c.says)):
				t.Errorf("signing in: %v, want %q", err, c.says)
			}
		})
	}
}
