package aws_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/testkit/awsfake"
)

const role = "arn:aws:iam::222233334444:role/deploy"

// The two forms of what GitHub writes into sub: that of older repositories, and
// that of those that were made or renamed since July 2026.
const (
	plainSubject     = "repo:acme/shop:environment:production"
	immutableSubject = "repo:acme@9919/shop@1296269:environment:production"
)

var notAuthorized = refusal{http.StatusForbidden, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"}

// TestDenied shows what to change: the claims, and a trust policy for them.
func TestDenied(t *testing.T) {
	t.Parallel()
	const github = "https://token.actions.githubusercontent.com"
	cases := map[string]struct {
		role, issuer, subject string
		provider              string
	}{
		"plain subject":     {role, github, plainSubject, "arn:aws:iam::222233334444:oidc-provider/token.actions.githubusercontent.com"},
		"immutable subject": {role, github, immutableSubject, "arn:aws:iam::222233334444:oidc-provider/token.actions.githubusercontent.com"},
		"GHES":              {role, "https://ghe.example.com/_services/token", plainSubject, "arn:aws:iam::222233334444:oidc-provider/ghe.example.com/_services/token"},
		"China":             {"arn:aws-cn:iam::222233334444:role/deploy", github, plainSubject, "arn:aws-cn:iam::222233334444:oidc-provider/token.actions.githubusercontent.com"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := &issuer{claims: map[string]string{"iss": c.issuer, "sub": c.subject, "environment": "production"}}
			s := &sts{refuses: slices.Repeat([]refusal{notAuthorized}, 20)}
			_, err := open(t, job(c.role, i, s)).SignIn(t.Context())
			problem, _ := errors.AsType[*diag.Problem](err)
			if problem == nil || problem.Summary != "AWS does not give this job the role "+c.role {
				t.Fatalf("signing in: %v", err)
			}
			for _, want := range []string{"sub " + c.subject, "aud sts.amazonaws.com", "environment production", notAuthorized.message} {
				if !strings.Contains(problem.Detail, want) {
					t.Errorf("the detail lacks %q:\n%s", want, problem.Detail)
				}
			}
			checkTrust(t, problem.Detail, c.provider, strings.TrimPrefix(c.issuer, "https://"), c.subject)
			if len(s.tokens) != 1 {
				t.Errorf("what was denied was tried %d times", len(s.tokens))
			}
			if strings.Contains(fmt.Sprint(err, problem.Detail), i.given[0]) {
				t.Error("the token shows")
			}
		})
	}
}

// checkTrust reads the policy at the end of a text.
func checkTrust(t *testing.T, text, provider, issuer, subject string) {
	t.Helper()
	var policy struct {
		Statement []struct {
			Effect, Action string
			Principal      map[string]string
			Condition      map[string]map[string]string
		}
	}
	if err := json.Unmarshal([]byte(text[strings.IndexByte(text, '{'):]), &policy); err != nil || len(policy.Statement) != 1 {
		t.Fatalf("no trust policy in %s (%v)", text, err)
	}
	got := policy.Statement[0]
	condition := got.Condition["StringEquals"]
	if got.Effect != "Allow" || got.Action != "sts:AssumeRoleWithWebIdentity" || got.Principal["Federated"] != provider ||
		len(condition) != 2 || condition[issuer+":sub"] != subject || condition[issuer+":aud"] != "sts.amazonaws.com" {
		t.Errorf("the trust policy is %+v", got)
	}
}

// TestFlakyProvider tries again what is a matter of moments, each time with a
// new token.
func TestFlakyProvider(t *testing.T) {
	t.Parallel()
	for _, no := range []refusal{
		{http.StatusBadRequest, "IDPCommunicationError", "The identity provider could not be reached"},
		{http.StatusBadRequest, "InvalidIdentityToken", "Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity documentation"},
		{http.StatusBadRequest, "ExpiredTokenException", "Token expired"},
	} {
		t.Run(no.code, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				i := &issuer{claims: map[string]string{"sub": plainSubject}}
				// The SDK tries some of it by itself, with the token that it has.
				s := &sts{allow: func(token string) *refusal {
					if len(i.given) < 3 || token != i.given[2] {
						return &no
					}
					return nil
				}}
				if _, err := open(t, job(role, i, s)).SignIn(t.Context()); err != nil {
					t.Fatal(err)
				}
				if distinct := slices.Compact(slices.Sorted(slices.Values(s.tokens))); len(i.given) != 3 || len(distinct) != 3 {
					t.Errorf("%d tokens were made and %d shown, want 3", len(i.given), len(distinct))
				}
			})
		})
	}
}

// TestNoProvider is about an account that does not know GitHub.
func TestNoProvider(t *testing.T) {
	t.Parallel()
	i := &issuer{claims: map[string]string{"sub": plainSubject}}
	s := &sts{refuses: []refusal{{http.StatusBadRequest, "InvalidIdentityToken", "No OpenIDConnect provider found in your account for https://token.actions.githubusercontent.com"}}}
	_, err := open(t, job(role, i, s)).SignIn(t.Context())
	problem, _ := errors.AsType[*diag.Problem](err)
	if problem == nil || !strings.Contains(problem.Detail, "No OpenIDConnect provider found") || !strings.Contains(problem.Detail, "identity provider for token.actions") || len(s.tokens) != 1 {
		t.Errorf("signing in, %d times: %v", len(s.tokens), err)
	}
}

// TestRenewal signs in again before the keys end, with a new token.
func TestRenewal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{claims: map[string]string{"sub": plainSubject}}
		s := &sts{}
		session := open(t, job(role, i, s))
		signIn := func(after time.Duration, tokens int) {
			t.Helper()
			time.Sleep(after)
			if _, err := session.SignIn(t.Context()); err != nil {
				t.Fatal(err)
			}
			if len(i.given) != tokens {
				t.Errorf("%d tokens, want %d", len(i.given), tokens)
			}
		}
		signIn(0, 1)
		signIn(54*time.Minute, 1)
		signIn(2*time.Minute, 2) // four minutes before the end
		signIn(54*time.Minute, 2)
		signIn(2*time.Minute, 3)
	})
}

// TestSharedSignIn signs in once for all operations of a run, and once more for
// another role.
func TestSharedSignIn(t *testing.T) {
	t.Parallel()
	i := &issuer{claims: map[string]string{"sub": plainSubject}}
	s := &sts{}
	shared := &sync.Map{}
	for _, role := range []string{role, role, "arn:aws:iam::222233334444:role/plan", role} {
		host := job(role, i, s)
		host.SignIns = shared
		if _, err := open(t, host).SignIn(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.tokens) != 2 {
		t.Errorf("signed in %d times, want once for each role", len(s.tokens))
	}
}

// TestRoleChain assumes the role through another one.
func TestRoleChain(t *testing.T) {
	t.Parallel()
	i := &issuer{claims: map[string]string{"sub": plainSubject}}
	s := &sts{}
	host := job(role, i, s)
	host.Auth["aws"] = component.Auth{Role: role, Arguments: map[string]string{"through": "arn:aws:iam::555566667777:role/hub"}}
	if _, err := open(t, host).SignIn(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{"AssumeRoleWithWebIdentity ", "AssumeRole AKIA1", "GetCallerIdentity AKIA2"}
	if !slices.Equal(s.calls, want) {
		t.Errorf("calls %q, want %q", s.calls, want)
	}
}

// TestWithoutIDToken asks AWS for nothing.
func TestWithoutIDToken(t *testing.T) {
	t.Parallel()
	s := &sts{}
	host := job(role, nil, s)
	host.IDToken = func(context.Context, string) (secret.Text, error) {
		return "", &diag.Problem{Summary: "No OIDC token to be had", Detail: "Add `id-token: write`."}
	}
	_, err := open(t, host).SignIn(t.Context())
	problem, _ := errors.AsType[*diag.Problem](err)
	if problem == nil || !strings.Contains(problem.Detail, "id-token: write") || len(s.calls) != 0 {
		t.Errorf("signing in: %v, after the calls %q", err, s.calls)
	}
}

// TestTokenBeforeKeys signs in by the token, and says that it does.
func TestTokenBeforeKeys(t *testing.T) {
	t.Parallel()
	s := &sts{}
	host := job(role, &issuer{claims: map[string]string{"sub": plainSubject}}, s)
	host.Getenv = awsfake.Getenv
	said := &notes{}
	host.Progress = said
	var masked []secret.Text
	host.Mask = func(text secret.Text) { masked = append(masked, text) }
	session := open(t, host)
	if _, err := session.SignIn(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.calls[1] != "GetCallerIdentity AKIA1" || !strings.Contains(said.text, "the keys in the environment are not used") {
		t.Errorf("calls %q, and said %q", s.calls, said.text)
	}
	if !slices.Contains(masked, "secret-of-1") || !slices.Contains(masked, "session-of-1") {
		t.Error("the keys are not kept from the log")
	}
	environ, err := session.Environ(t.Context())
	for _, want := range []string{"AWS_ACCESS_KEY_ID=AKIA1", "AWS_SECRET_ACCESS_KEY=secret-of-1", "AWS_SESSION_TOKEN=session-of-1", "AWS_REGION=us-east-1"} {
		if err != nil || !slices.Contains(environ, want) {
			t.Errorf("the environment of a child lacks %s, %v", want, err)
		}
	}
}

// notes keeps what steps say.
type notes struct{ text string }

// Step implements [component.Progress].
func (n *notes) Step(ctx context.Context, title string, fn func(context.Context, component.Step) error) error {
	n.text += title + "\n"
	return fn(ctx, note{nil, n})
}

type note struct {
	component.Step
	to *notes
}

// Output implements [component.Step].
func (n note) Output() io.Writer { return n.to }

// Write implements [io.Writer].
func (n *notes) Write(text []byte) (int, error) {
	n.text += string(text)
	return len(text), nil
}

// TestWrongAccount stops before anything is asked of another account.
func TestWrongAccount(t *testing.T) {
	t.Parallel()
	s := &sts{}
	host := job(role, &issuer{claims: map[string]string{"sub": plainSubject}}, s)
	host.Auth["aws"] = component.Auth{Role: role, Accounts: []string{"111122223333"}}
	_, err := open(t, host).SignIn(t.Context())
	problem, _ := errors.AsType[*diag.Problem](err)
	if problem == nil || !strings.Contains(problem.Summary, "account 222233334444, which must not be touched") || len(s.calls) != 1 {
		t.Errorf("signing in: %v, after the calls %q", err, s.calls)
	}
}

func TestRegionMissing(t *testing.T) {
	t.Parallel()
	host := job(role, &issuer{}, &sts{})
	host.Getenv = func(string) string { return "" }
	_, err := aws.Open(host, "")
	problem, _ := errors.AsType[*diag.Problem](err)
	if problem == nil || !strings.Contains(problem.Detail, "`aws-region`") || !strings.Contains(problem.Detail, "AWS_REGION") {
		t.Errorf("Open = %v", err)
	}
	if _, err := aws.Open(host, "eu-west-1"); err != nil {
		t.Errorf("with a region: %v", err)
	}
}
