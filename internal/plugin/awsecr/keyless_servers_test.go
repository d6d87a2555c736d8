//go:build servers

package awsecr_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/plugin/awsecr"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/testkit/awsfake"
	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

const (
	trusted    = "repo:acme@9919/shop@1296269:environment:production"
	deployRole = "arn:aws:iam::222233334444:role/deploy"
)

// tokens is a service that makes signed tokens for jobs, as GitHub's.
type tokens struct {
	*httptest.Server
	key *rsa.PrivateKey
}

func newTokens(t *testing.T) *tokens {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := &tokens{key: key}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, err := i.make(r.FormValue("sub"), r.FormValue("audience"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"value": token}) // the test misses what does not arrive
	}))
	t.Cleanup(i.Close)
	return i
}

// make returns a token that is good for five minutes.
func (i *tokens) make(subject, audience string) (string, error) {
	claims, err := json.Marshal(map[string]any{
		"iss": i.URL, "sub": subject, "aud": audience, "environment": "production", "exp": time.Now().Add(5 * time.Minute).Unix(),
	})
	if err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256"}`)) + "." + base64.RawURLEncoding.EncodeToString(claims)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, i.key, crypto.SHA256, sum[:])
	return text + "." + base64.RawURLEncoding.EncodeToString(signature), err
}

// trusts reports whether a token is one of the service's, for AWS, and of the
// subject that is trusted.
func (i *tokens) trusts(token string) bool {
	end := strings.LastIndexByte(token, '.')
	if end < 0 {
		return false
	}
	signature, err := base64.RawURLEncoding.DecodeString(token[end+1:])
	sum := sha256.Sum256([]byte(token[:end]))
	if err != nil || rsa.VerifyPKCS1v15(&i.key.PublicKey, crypto.SHA256, sum[:], signature) != nil {
		return false
	}
	_, payload, _ := strings.Cut(token[:end], ".")
	raw, err := base64.RawURLEncoding.DecodeString(payload)
	var claims struct {
		Sub, Aud string
		Exp      int64
	}
	return err == nil && json.Unmarshal(raw, &claims) == nil && claims.Sub == trusted && claims.Aud == "sts.amazonaws.com" && time.Now().Unix() < claims.Exp
}

// guarded is an AWS that gives keys only for trusted tokens, since moto would
// give them for any.
func guarded(t *testing.T, i *tokens, moto *servers.MotoServer) *httptest.Server {
	t.Helper()
	target, err := url.Parse(moto.URL)
	if err != nil {
		t.Fatal(err)
	}
	behind := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		form, unread := url.ParseQuery(string(body))
		r.Body = io.NopCloser(bytes.NewReader(body))
		asks := err == nil && unread == nil && form.Get("Action") == "AssumeRoleWithWebIdentity"
		if asks && !i.trusts(form.Get("WebIdentityToken")) {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>Not authorized to perform sts:AssumeRoleWithWebIdentity</Message></Error></ErrorResponse>")
			return
		}
		behind.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server
}

// onlyHere refuses every host but those of this machine.
func onlyHere(t *testing.T) awsfake.RoundTrip {
	return func(r *http.Request) (*http.Response, error) {
		if r.URL.Hostname() != "127.0.0.1" {
			t.Errorf("a request to %s", r.URL.Host)
			return nil, errors.New("no route to " + r.URL.Host)
		}
		return http.DefaultTransport.RoundTrip(r)
	}
}

// TestKeyless goes the whole way, from the job's token to keys, from those to a
// login, and with that to a registry that takes no other one. A token of another
// job does not come beyond the first step.
func TestKeyless(t *testing.T) {
	moto := servers.Moto(t)
	images := servers.Distribution(t, servers.RegistryConfig{Username: "AWS", Password: "222233334444-auth-token"})
	issuer := newTokens(t)
	aws := guarded(t, issuer, moto)
	push := func(subject string) (artifact.Image, error) {
		host := awsfake.Host(func(name string) string {
			return map[string]string{"AWS_ENDPOINT_URL": aws.URL, "AWS_REGION": "us-east-1"}[name]
		}, awsfake.WithImages(awsfake.At(images.Host), onlyHere(t)))
		host.Auth = map[string]component.Auth{"aws": {Role: deployRole, Accounts: []string{"222233334444"}}}
		host.IDToken = func(ctx context.Context, audience string) (secret.Text, error) {
			return fetch(ctx, issuer.URL+"?"+url.Values{"sub": {subject}, "audience": {audience}}.Encode())
		}
		pushed, err := openWith(t, host, awsecr.RegistryConfig{Tag: "v1"}).Push(t.Context(), request(awsfake.Image(t, "keyless", "amd64")))
		image, _ := pushed.(artifact.Image)
		return image, err
	}
	const want = "222233334444.dkr.ecr.us-east-1.amazonaws.com/waypoint-web"
	if pushed, err := push(trusted); err != nil || pushed.Repository != want || pushed.Digest == "" {
		t.Errorf("Push = %+v, %v, want an image in %s", pushed, err, want)
	}
	_, err := push("repo:acme@9919/shop@1296269:ref:refs/heads/main")
	problem, _ := errors.AsType[*diag.Problem](err)
	if problem == nil || problem.Summary != "AWS does not give this job the role "+deployRole ||
		!strings.Contains(problem.Detail, "sub repo:acme@9919/shop@1296269:ref:refs/heads/main, aud sts.amazonaws.com, environment production") ||
		!strings.Contains(problem.Detail, "oidc-provider/") {
		t.Errorf("with the token of another job: %v", err)
	}
}

// fetch asks for a token.
func fetch(ctx context.Context, address string) (secret.Text, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var answer struct{ Value string }
	err = json.NewDecoder(response.Body).Decode(&answer)
	return secret.Text(answer.Value), err
}
