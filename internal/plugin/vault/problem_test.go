package vault_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/deploy-action/deploy-action/internal/component"
)

func TestProblemsOfOneKey(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		key     component.Key
		deny    string
		summary string
		says    []string
	}{
		"misspelt parameter": {
			key:     component.Key{Var: "V", Params: map[string]string{"path": "a", "kye": "b"}},
			summary: "Unknown parameter of a Vault value", says: []string{`"V"`, `"kye"`, `Did you mean "key"?`},
		},
		"no path":            {key: component.Key{Var: "V", Params: map[string]string{"key": "b"}}, summary: "Missing parameter of a Vault value", says: []string{`has no "path"`, "dynamic("}},
		"no key":             {key: key("a", "/"), summary: "Missing parameter of a Vault value", says: []string{`has no "key"`}},
		"missing key":        {key: key("secret/web", "pasword"), summary: "No such key in a secret of Vault", says: []string{`"secret/data/web"`, `"data", "list", "n", "none", "on", "password"`, `Did you mean "password"?`}},
		"null":               {key: key("secret/web", "none"), summary: "No such key in a secret of Vault", says: []string{"null"}},
		"pointer to nothing": {key: key("secret/web", "/list/2"), summary: "No such key in a secret of Vault"},
		"pointer into text":  {key: key("secret/web", "/password/x"), summary: "No such key in a secret of Vault"},
		"deleted":            {key: key("secret/gone", "x"), summary: "Secret of Vault deleted", says: []string{"vault kv undelete"}},
		"no such engine":     {key: key("secrte/web", "x"), summary: "No such path in Vault", says: []string{`"secrte/web"`, `"database", "kv1", "secret"`, `Did you mean "secret"?`}},
		"no such secret":     {key: key("secret/wbe", "x"), summary: "No such secret in Vault", says: []string{`"secret/data/wbe"`, "`vault kv list secret/` shows"}},
		"no such secret 1":   {key: key("kv1/wbe", "x"), summary: "No such secret in Vault", says: []string{"`vault kv list kv1/` shows"}},
		"data/ in version 1": {key: key("kv1/data/wbe", "data/x"), summary: "No such secret in Vault", says: []string{"version 1 of key/value", `try "kv1/wbe"`}},
		"data/ in the name":  {key: key("secret/app/data/x", "x"), summary: "No such secret in Vault", says: []string{`"secret/data/app/data/x"`}},
		"another engine":     {key: key("database/creds/wbe", "x"), summary: "No such secret in Vault", says: []string{`of the type "database"`, "vault path-help database/"}},
		"denied": {
			key: key("secret/web", "password"), deny: "secret/data/web", summary: "Vault denies a secret",
			says: []string{`path "secret/data/web" { capabilities = ["read"] }`, `the login at "auth/jwt/login"`, `the policies "default", "web"`, `in the namespace "team"`},
		},
		"denied below no engine": {
			key: key("secrte/data/web", "password"), deny: "secrte/data/web", summary: "Vault denies a secret",
			says: []string{"No secrets engine that the token may see is mounted there", `Did you mean "secret"?`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := newFake()
			fake.login, fake.denied = map[string]any{}, []string{c.deny, "secret/web"}
			source := newRig(t, fake).must(oidc + `namespace = "team"`)
			_, err := read(t, source, c.key)
			wantProblem(t, err, c.summary, c.says...)
			// One bad key does not keep the others from their values.
			if got, err := read(t, source, key("kv1/web", "password")); err != nil || got != "pa55word-of-kv1" {
				t.Errorf("the next key gets %q, %v", got, err)
			}
		})
	}
}

func TestProblemsOfAllKeys(t *testing.T) {
	t.Parallel()
	answer := func(status int, body string) func(*fakeVault) {
		return func(f *fakeVault) {
			f.override = func(*http.Request) (int, string) { return status, body }
		}
	}
	offline := func(err error) func(*fakeVault) { return func(f *fakeVault) { f.offline = err } }
	for name, c := range map[string]struct {
		change  func(*fakeVault)
		tries   int
		summary string
		says    []string
	}{
		"sealed":      {answer(503, `{"errors":["Vault is sealed"]}`), 2, "Vault is sealed", []string{"https://vault.test", "vault operator unseal"}},
		"standby":     {answer(500, `{"errors":["local node not active but active cluster node not found"]}`), 5, "Vault has no active node", []string{"https://vault.test"}},
		"fails":       {answer(500, `{"errors":["internal error"]}`), 5, "Vault fails", []string{"status 500", "Cause: internal error"}},
		"proxy fails": {answer(502, "<html>"+strings.Repeat("x", 1000)), 5, "Vault fails", []string{"status 502", "<html>"}},
		"too often":   {answer(429, `{"errors":["rate limit quota exceeded"]}`), 5, "Vault is asked too often", []string{"quota", "rate limit quota exceeded"}},
		"no Vault":    {answer(200, "<html>hello"), 1, "Not an answer of Vault", []string{"https://vault.test"}},
		"expired": {
			answer(403, `{"errors":["2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"]}`),
			1, "Token of Vault expired",
			[]string{"vault login", "VAULT_TOKEN"},
		},
		"refused connection": {offline(&net.OpError{Op: "dial", Err: errors.New("connection refused")}), 5, "Vault not reachable", []string{"https://vault.test", "VAULT_ADDR", "connection refused"}},
		"certificate": {
			offline(&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}),
			1, "Certificate of Vault not trusted",
			[]string{"ca_cert", "VAULT_CACERT", "ca-bundle", "unknown authority"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := newFake()
				c.change(fake)
				r := newRig(t, fake)
				r.env["VAULT_TOKEN"] = "a-given-token"
				readings, err := r.must(addr).Read(t.Context(), []component.Key{key("secret/data/web", "password")})
				if readings != nil {
					t.Errorf("Read() = %v beside its error", readings)
				}
				wantProblem(t, err, c.summary, c.says...)
				if got := fake.asked(); len(got) != c.tries {
					t.Errorf("%d requests, want %d: %q", len(got), c.tries, got)
				}
			})
		})
	}
}

// TestPassingFailures reads through failures that end.
func TestPassingFailures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		fake.login = map[string]any{}
		failed := map[string]bool{}
		fake.override = func(req *http.Request) (int, string) {
			if failed[req.URL.Path] {
				return 0, ""
			}
			failed[req.URL.Path] = true
			return http.StatusBadGateway, "down"
		}
		if got, err := read(t, newRig(t, fake).must(oidc), key("kv1/web", "password")); err != nil || got != "pa55word-of-kv1" {
			t.Errorf("Read() = %q, %v", got, err)
		}
		if len(failed) != 3 { // login, engines, secret
			t.Errorf("failed once: %v, want three paths", failed)
		}
	})
}

func TestRevocationDenied(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status        int
		body, summary string
	}{
		"denied":  {403, `{"errors":["1 error occurred:\n\t* permission denied\n\n"]}`, "Token of Vault not revoked"},
		"expired": {403, `{"errors":["2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"]}`, ""},
		"sealed":  {503, `{"errors":["Vault is sealed"]}`, "Vault is sealed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := newFake()
			fake.login = map[string]any{}
			source, err := newRig(t, fake).open(oidc)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := read(t, source, key("kv1/web", "password")); err != nil {
				t.Fatal(err)
			}
			fake.override = func(*http.Request) (int, string) { return c.status, c.body }
			err = source.Close(context.WithoutCancel(t.Context()))
			if c.summary == "" {
				if err != nil {
					t.Errorf("Close() = %v, want nothing: what is revoked has expired", err)
				}
				return
			}
			wantProblem(t, err, c.summary)
		})
	}
}
