package aws_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/deploy-action/deploy-action/internal/cloud/aws"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/testkit/awsfake"
)

// issuer gives out tokens with the claims of one job, each token another one,
// with a signature that nobody checks.
type issuer struct {
	claims map[string]string
	given  []string
}

func (i *issuer) token(_ context.Context, audience string) (secret.Text, error) {
	claims := map[string]string{"aud": audience, "jti": rand.Text()}
	maps.Copy(claims, i.claims)
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	token := "e30." + base64.RawURLEncoding.EncodeToString(payload) + ".c2ln"
	i.given = append(i.given, token)
	return secret.Text(token), nil
}

// refusal is how AWS says no.
type refusal struct {
	status        int
	code, message string
}

func (f refusal) write(w http.ResponseWriter) {
	w.WriteHeader(f.status)
	fmt.Fprintf(w, "<ErrorResponse><Error><Code>%s</Code><Message>%s</Message></Error><RequestId>r-1</RequestId></ErrorResponse>", f.code, f.message)
}

// sts is the service that gives out keys: each ones of an account and a number
// of their own, for an hour.
type sts struct {
	mu      sync.Mutex
	refuses []refusal // the first requests, one after the other
	allow   func(token string) *refusal
	tokens  []string // that were shown
	calls   []string // what was asked for, with the key that signed
}

// ServeHTTP implements [http.Handler].
func (s *sts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "text/xml")
	_, signer, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	signer, _, _ = strings.Cut(signer, "/")
	operation := r.FormValue("Action")
	s.calls = append(s.calls, operation+" "+signer)
	if token := r.FormValue("WebIdentityToken"); token != "" {
		s.tokens = append(s.tokens, token)
		if s.allow != nil {
			if no := s.allow(token); no != nil {
				no.write(w)
				return
			}
		}
	}
	if len(s.refuses) > 0 {
		no := s.refuses[0]
		s.refuses = s.refuses[1:]
		no.write(w)
		return
	}
	if operation == "GetCallerIdentity" {
		fmt.Fprint(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><Account>123456789012</Account><Arn>arn:aws:iam::123456789012:user/u</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>`)
		return
	}
	fmt.Fprintf(w, `<%[1]sResponse><%[1]sResult><Credentials><AccessKeyId>AKIA%[2]s</AccessKeyId><SecretAccessKey>secret-of-%[2]s</SecretAccessKey>`+
		`<SessionToken>session-of-%[2]s</SessionToken><Expiration>%[3]s</Expiration></Credentials>`+
		`<AssumedRoleUser><Arn>%[4]s/me</Arn><AssumedRoleId>x</AssumedRoleId></AssumedRoleUser></%[1]sResult></%[1]sResponse>`,
		operation, strconv.Itoa(len(s.calls)), time.Now().Add(time.Hour).UTC().Format(time.RFC3339), r.FormValue("RoleArn"))
}

// job is the host of a job with a role.
func job(role string, i *issuer, s http.Handler) component.Host {
	host := awsfake.Host(func(name string) string { return map[string]string{"AWS_REGION": "us-east-1"}[name] }, awsfake.InProcess(s))
	host.Auth = map[string]component.Auth{"aws": {Role: role}}
	host.IDToken = i.token
	return host
}

func open(t *testing.T, h component.Host) *aws.Session {
	t.Helper()
	session, err := aws.Open(h, "")
	if err != nil {
		t.Fatal(err)
	}
	return session
}
