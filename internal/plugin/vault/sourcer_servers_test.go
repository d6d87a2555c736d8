//go:build servers

package vault_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/retry"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

// policies of the roles below.
const policies = `
path "secret/data/web" { capabilities = ["read"] }
path "secret/data/team/*" { capabilities = ["read"] }
path "kv1/*" { capabilities = ["read"] }
`

// TestRealVault runs against one Vault, since a start is the slowest of it.
func TestRealVault(t *testing.T) {
	t.Parallel()
	server := servers.Vault(t)
	github := newIssuer(t)
	prepare(t, server, github)
	for name, run := range map[string]func(*testing.T, *servers.VaultServer, *issuer){
		"reads":            testReads,
		"revocation":       testRevocation,
		"renewal":          testRenewal,
		"approle":          testAppRole,
		"refused sign-ins": testRefusedSignIns,
		"refused reads":    testRefusedReads,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, server, github)
		})
	}
}

// prepare gives a Vault its secrets, policies and auth methods.
func prepare(t *testing.T, server *servers.VaultServer, issuer *issuer) {
	t.Helper()
	write := func(path string, data map[string]any) {
		t.Helper()
		if _, err := server.Client.Logical().WriteWithContext(t.Context(), path, data); err != nil {
			t.Fatal(err)
		}
	}
	write("sys/mounts/kv1", map[string]any{"type": "kv", "options": map[string]any{"version": "1"}})
	write("kv1/web", map[string]any{"password": "pa55word-of-kv1"})
	write("secret/data/web", map[string]any{"data": map[string]any{"password": "pa55word-of-web", "n": 1234567, "on": true, "list": []any{"a", "b"}}})
	write("secret/data/team/web", map[string]any{"data": map[string]any{"password": "pa55word-of-team"}})
	write("secret/data/team/gone", map[string]any{"data": map[string]any{"password": "pa55word"}})
	write("secret/delete/team/gone", map[string]any{"versions": []int{1}})
	write("secret/data/other", map[string]any{"data": map[string]any{"password": "pa55word"}})
	write("sys/policies/acl/web", map[string]any{"policy": policies})
	write("sys/auth/jwt", map[string]any{"type": "jwt"})
	write("auth/jwt/config", map[string]any{"jwks_url": issuer.keys.URL, "bound_issuer": "https://issuer.test"})
	write("auth/jwt/role/deploy", map[string]any{
		"role_type": "jwt", "user_claim": "repository", "bound_audiences": []string{"https://github.com/o"},
		"bound_claims": map[string]any{"repository": "o/r"}, "token_policies": []string{"web"}, "token_ttl": "3s", "token_max_ttl": "10m",
	})
	write("sys/auth/approle", map[string]any{"type": "approle"})
	write("auth/approle/role/deploy", map[string]any{"token_policies": []string{"web"}})
}

// connect makes the surroundings of a job that reaches a real Vault.
func connect(t *testing.T, server *servers.VaultServer, token func(audience string) secret.Text) *rig {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	r := newRig(t, transport)
	r.env["VAULT_ADDR"] = server.Address
	r.host.IDToken = func(_ context.Context, audience string) (secret.Text, error) { return token(audience), nil }
	return r
}

func testReads(t *testing.T, server *servers.VaultServer, issuer *issuer) {
	source := connect(t, server, issuer.job).must(oidc)
	keys := []component.Key{
		key("secret/data/web", "data/password"), key("secret/data/web", "/data/n"), key("secret/web", "on"), key("secret/web", "/list/1"),
		key("secret/team/web", "password"), key("kv1/web", "password"), key("secret/web", "list"),
	}
	want := []string{"pa55word-of-web", "1234567", "true", "b", "pa55word-of-team", "pa55word-of-kv1", `["a","b"]`}
	readings, err := source.Read(t.Context(), keys)
	if err != nil {
		t.Fatal(err)
	}
	for i, got := range readings {
		if got.Err != nil || got.Text.Reveal() != want[i] {
			t.Errorf("Read(%v) = %q, %v, want %q", keys[i].Params, got.Text.Reveal(), got.Err, want[i])
		}
	}
}

// testRevocation counts the tokens that Vault knows of.
func testRevocation(t *testing.T, server *servers.VaultServer, issuer *issuer) {
	fake := &spy{base: &http.Transport{}}
	t.Cleanup(fake.base.CloseIdleConnections)
	r := connect(t, server, issuer.job)
	r.host.HTTP = &http.Client{Transport: fake}
	source := r.must(oidc)
	if _, err := read(t, source, key("kv1/web", "password")); err != nil {
		t.Fatal(err)
	}
	if _, err := server.Client.Auth().Token().LookupWithContext(t.Context(), fake.token); err != nil {
		t.Fatalf("the token in use: %v", err)
	}
	for range 2 {
		if err := source.Close(t.Context()); err != nil {
			t.Fatalf("Close() = %v", err)
		}
	}
	if _, err := server.Client.Auth().Token().LookupWithContext(t.Context(), fake.token); err == nil || !strings.Contains(err.Error(), "bad token") {
		t.Errorf("the token after Close: %v, want that it is bad", err)
	}
}

// spy keeps the token of the newest request.
type spy struct {
	base  *http.Transport
	token string
}

func (s *spy) RoundTrip(req *http.Request) (*http.Response, error) {
	s.token = req.Header.Get("X-Vault-Token")
	return s.base.RoundTrip(req)
}

// testRenewal reads with a token of three seconds after four.
func testRenewal(t *testing.T, server *servers.VaultServer, issuer *issuer) {
	source := connect(t, server, issuer.job).must(oidc)
	if _, err := read(t, source, key("kv1/web", "password")); err != nil {
		t.Fatal(err)
	}
	if err := retry.Sleep(t.Context(), 4*time.Second); err != nil {
		t.Fatal(err)
	}
	if got, err := read(t, source, key("secret/data/web", "password")); err != nil || got != "pa55word-of-web" {
		t.Errorf("Read() = %q, %v", got, err)
	}
}

func testAppRole(t *testing.T, server *servers.VaultServer, _ *issuer) {
	role, err := server.Client.Logical().ReadWithContext(t.Context(), "auth/approle/role/deploy/role-id")
	if err != nil {
		t.Fatal(err)
	}
	made, err := server.Client.Logical().WriteWithContext(t.Context(), "auth/approle/role/deploy/secret-id", nil)
	if err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf("auth_method = \"approle\"\napprole_role_id = %q\n", role.Data["role_id"])
	r := connect(t, server, nil)
	if got, err := read(t, r.must(config+fmt.Sprintf("approle_secret_id = %q", made.Data["secret_id"])), key("secret/web", "password")); err != nil || got != "pa55word-of-web" {
		t.Errorf("Read() = %q, %v", got, err)
	}
	_, err = read(t, r.must(config+`approle_secret_id = "wrong"`), key("secret/web", "password"))
	wantProblem(t, err, "Vault refuses the sign-in", `"auth/approle/login"`, "invalid role or secret ID")
}

func testRefusedSignIns(t *testing.T, server *servers.VaultServer, issuer *issuer) {
	foreign := newIssuer(t)
	for name, c := range map[string]struct {
		config  string
		token   func(string) secret.Text
		summary string
		says    []string
	}{
		"another repository": {oidc, func(string) secret.Text { return issuer.sign("o/other", "https://github.com/o") }, "Vault refuses the sign-in", []string{`claim "repository" does not match`, `repository = "o/other"`, `sub = "repo:o/other"`}},
		"another audience":   {oidc, func(string) secret.Text { return issuer.sign("o/r", "me") }, "Vault refuses the sign-in", []string{"audience", `aud = "me"`}},
		"another issuer":     {oidc, foreign.job, "Vault refuses the sign-in", []string{"error verifying token signature"}},
		"no such role":       {`auth "github-oidc" { role = "none" }`, issuer.job, "Vault refuses the sign-in", []string{`role "none" could not be found`}},
		"no role":            {`auth "github-oidc" {}`, issuer.job, "Vault refuses the sign-in", []string{"without a role", "missing role"}},
		"no such mount":      {"auth \"github-oidc\" {\nmount = \"gh\"\n}", issuer.job, "Vault refuses the sign-in", []string{"vault auth enable -path=gh jwt"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := read(t, connect(t, server, c.token).must(c.config), key("secret/web", "password"))
			wantProblem(t, err, c.summary, c.says...)
		})
	}
	t.Run("bad token", func(t *testing.T) {
		t.Parallel()
		r := connect(t, server, nil)
		r.env["VAULT_TOKEN"] = "hvs.AAAA"
		_, err := read(t, r.must(""), key("secret/data/web", "password"))
		wantProblem(t, err, "Token of Vault expired", "VAULT_TOKEN")
	})
}

func testRefusedReads(t *testing.T, server *servers.VaultServer, issuer *issuer) {
	for name, c := range map[string]struct {
		path, key, summary string
		says               []string
	}{
		"denied":           {"secret/other", "password", "Vault denies a secret", []string{`path "secret/data/other" { capabilities = ["read"] }`, `the policies "default", "web"`}},
		"no such engine":   {"secrte/web", "password", "Vault denies a secret", []string{`it may see "kv1", "secret"`, `Did you mean "secret"?`}},
		"no such secret":   {"secret/team/none", "password", "No such secret in Vault", []string{`"secret/data/team/none"`}},
		"deleted":          {"secret/team/gone", "password", "Secret of Vault deleted", []string{"undelete"}},
		"no such key":      {"secret/web", "pasword", "No such key in a secret of Vault", []string{`It has "list", "n", "on", "password".`, `Did you mean "password"?`}},
		"data/, version 1": {"kv1/data/web", "data/password", "No such secret in Vault", []string{`try "kv1/web"`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := read(t, connect(t, server, issuer.job).must(oidc), key(c.path, c.key))
			wantProblem(t, err, c.summary, c.says...)
		})
	}
	t.Run("no such engine, as root", func(t *testing.T) {
		t.Parallel()
		r := connect(t, server, nil)
		r.env["VAULT_TOKEN"] = "root"
		_, err := read(t, r.must(""), key("secrte/web", "password"))
		wantProblem(t, err, "No such path in Vault", `Did you mean "secret"?`)
	})
}

func TestRealVaultSealed(t *testing.T) {
	t.Parallel()
	server := servers.Vault(t)
	if err := server.Client.Sys().SealWithContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := read(t, connect(t, server, newIssuer(t).job).must(oidc), key("secret/web", "password"))
	wantProblem(t, err, "Vault is sealed", server.Address, "vault operator unseal")
}

// issuer signs OIDC tokens as GitHub does.
type issuer struct {
	signer jose.Signer
	keys   *httptest.Server
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	key := jose.JSONWebKey{Key: private, KeyID: "k1", Algorithm: "RS256", Use: "sig"}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.Public()}}); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(keys.Close)
	return &issuer{signer, keys}
}

// job is the token of a job of the repository o/r, for whom GitHub says.
func (i *issuer) job(string) secret.Text { return i.sign("o/r", "https://github.com/o") }

func (i *issuer) sign(repository, audience string) secret.Text {
	claims := fmt.Sprintf(`{"iss":"https://issuer.test","sub":"repo:%s","repository":%q,"aud":%q,"iat":%d,"exp":%d}`,
		repository, repository, audience, time.Now().Unix(), time.Now().Add(5*time.Minute).Unix())
	signed, err := i.signer.Sign([]byte(claims))
	if err != nil {
		panic(err) // the key is made above
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return secret.Text(text)
}
