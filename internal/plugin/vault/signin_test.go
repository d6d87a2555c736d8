package vault_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/secret"
)

// TestSignIn says which way to sign in is taken, and what it sends.
func TestSignIn(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, ".vault-token"), []byte("a-token-of-vault-login\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	account := filepath.Join(home, "account")
	if err := os.WriteFile(account, []byte(jobToken.Reveal()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	byJWT := map[string]any{"role": "deploy", "jwt": jobToken.Reveal()}
	for name, c := range map[string]struct {
		config   string
		env      map[string]string
		terminal bool
		login    string         // where
		sent     map[string]any // what
		token    string         // in place of a login
		audience string
	}{
		"auth block":                    {config: oidc, login: "auth/jwt/login", sent: byJWT},
		"auth block over a token":       {config: oidc, env: map[string]string{"VAULT_TOKEN": "a-given-token"}, login: "auth/jwt/login", sent: byJWT},
		"auth block in full":            {config: addr + `auth "github-oidc" {` + "\nrole = \"deploy\"\nmount = \"ci/github\"\naudience = \"vault\"\n}", login: "auth/ci/github/login", sent: byJWT, audience: "vault"},
		"auth block without a role":     {config: addr + `auth "github-oidc" {}`, login: "auth/jwt/login", sent: map[string]any{"jwt": jobToken.Reveal()}},
		"environment over auth block":   {config: oidc, env: map[string]string{"VAULT_ROLE": "other", "VAULT_AUTH_MOUNT": "/auth/gh/", "VAULT_AUDIENCE": "me"}, login: "auth/gh/login", sent: map[string]any{"role": "other", "jwt": jobToken.Reveal()}, audience: "me"},
		"auth block off a runner":       {config: oidc, env: map[string]string{"VAULT_TOKEN": "a-given-token"}, terminal: true, token: "a-given-token"},
		"role alone":                    {config: addr, env: map[string]string{"VAULT_ROLE": "deploy"}, login: "auth/jwt/login", sent: byJWT},
		"token over role":               {config: addr, env: map[string]string{"VAULT_ROLE": "deploy", "VAULT_TOKEN": "a-given-token"}, token: "a-given-token"},
		"token of the block":            {config: addr + `token = "a-given-token"`, token: "a-given-token"},
		"environment over the block":    {config: addr + `token = "b"`, env: map[string]string{"VAULT_TOKEN": "a-given-token"}, token: "a-given-token"},
		"vault login":                   {config: addr, env: map[string]string{"HOME": home}, terminal: true, token: "a-token-of-vault-login"},
		"agent":                         {config: `agent_addr = "http://127.0.0.1:8100"`, terminal: true},
		"method jwt":                    {config: addr + "auth_method = \"jwt\"\nauth_method_mount_path = \"auth/gh\"", env: map[string]string{"VAULT_ROLE": "deploy"}, login: "auth/gh/login", sent: byJWT},
		"method approle":                {config: addr + "auth_method = \"approle\"\napprole_role_id = \"id\"\napprole_secret_id = \"s\"", login: "auth/approle/login", sent: map[string]any{"role_id": "id", "secret_id": "s"}},
		"method approle over token":     {config: addr + "auth_method = \"approle\"\napprole_role_id = \"id\"", env: map[string]string{"VAULT_TOKEN": "a-given-token"}, login: "auth/approle/login", sent: map[string]any{"role_id": "id"}},
		"method kubernetes":             {config: addr + "auth_method = \"kubernetes\"\nkubernetes_role = \"deploy\"\nkubernetes_token_path = \"" + account + `"`, login: "auth/kubernetes/login", sent: byJWT},
		"method in another place":       {config: addr + "auth_method = \"approle\"\napprole_role_id = \"id\"\nauth_method_mount_path = \"/team/a/\"", login: "auth/team/a/login", sent: map[string]any{"role_id": "id"}},
		"unused settings are tolerated": {config: addr + "token = \"a-given-token\"\ngcp_project = \"p\"\naws_credential_poll_interval = 60", token: "a-given-token"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := newFake()
			fake.login = c.sent
			fake.tokens["a-token-of-vault-login"], fake.tokens[""] = false, false
			r := newRig(t, fake)
			maps.Copy(r.env, c.env)
			if c.terminal {
				r.host.IDToken = nil
			}
			if _, err := read(t, r.must(c.config), key("kv1/data/web", "password")); err != nil {
				t.Fatal(err)
			}
			want := []string{"GET kv1/data/web"}
			if c.login != "" {
				want = []string{"PUT " + c.login, "GET kv1/data/web"}
			} else if got := fake.headers[0].Get("X-Vault-Token"); got != c.token {
				t.Errorf("token %q, want %q", got, c.token)
			}
			if diff := cmp.Diff(want, fake.asked()); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.sent, fake.sent(c.login)); diff != "" {
				t.Errorf("login (-want +got):\n%s", diff)
			}
			if got := r.env["asked for audience"]; got != c.audience {
				t.Errorf("OIDC token for %q, want %q", got, c.audience)
			}
		})
	}
}

func TestProblemsOfConfiguration(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		config  string
		env     map[string]string
		job     bool
		summary string
		says    []string
	}{
		"no address":       {config: `token = "t"`, summary: "No address of Vault", says: []string{"VAULT_ADDR", "vault-addr"}},
		"no scheme":        {config: "addr = \"vault.test:8200\"\ntoken = \"t\"", summary: "Unusable address of Vault", says: []string{"https://"}},
		"no sign-in":       {config: addr, summary: "No way to sign in to Vault", says: []string{"vault-role", "id-token: write", "VAULT_TOKEN", "vault login", "approle"}},
		"job's only":       {config: oidc, summary: "No way to sign in to Vault", says: []string{"not a job's"}},
		"no role in a job": {config: addr, job: true, summary: "No way to sign in to Vault", says: []string{`auth "github-oidc"`}},
		"kind of auth":     {config: addr + `auth "github-odic" {}`, summary: "Unknown kind of auth", says: []string{`Did you mean "github-oidc"?`}},
		"two ways":         {config: oidc + `auth_method = "aws"`, summary: "Two ways to sign in"},
		"method":           {config: addr + `auth_method = "kubernets"`, summary: "Unknown auth_method", says: []string{`Did you mean "kubernetes"?`}},
		"jwt off a runner": {config: addr + `auth_method = "jwt"`, summary: "No OIDC token outside of jobs"},
		"approle":          {config: addr + `auth_method = "approle"`, summary: "No approle_role_id for Vault", says: []string{"role-id"}},
		"kubernetes":       {config: addr + `auth_method = "kubernetes"`, summary: "No kubernetes_role for Vault"},
		"aws":              {config: addr + `auth_method = "aws"`, summary: "No aws_role for Vault"},
		"aws keys":         {config: addr + "auth_method = \"aws\"\naws_role = \"r\"", summary: "No aws_access_key for Vault", says: []string{"AWS_ACCESS_KEY_ID", "ec2"}},
		"aws type":         {config: addr + "auth_method = \"aws\"\naws_role = \"r\"\naws_type = \"ima\"", summary: "Unknown aws_type", says: []string{`Did you mean "iam"?`}},
		"gcp":              {config: addr + `auth_method = "gcp"`, summary: "No gcp_role for Vault"},
		"gcp type":         {config: addr + "auth_method = \"gcp\"\ngcp_role = \"r\"\ngcp_type = \"gec\"", summary: "Unknown gcp_type", says: []string{`Did you mean "gce"?`}},
		"skip verify":      {config: addr, env: map[string]string{"VAULT_SKIP_VERIFY": "yes"}, summary: "Unreadable VAULT_SKIP_VERIFY", says: []string{`"yes"`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, newFake())
			if !c.job {
				r.host.IDToken = nil
			}
			maps.Copy(r.env, c.env)
			_, err := r.open(c.config)
			wantProblem(t, err, c.summary, c.says...)
		})
	}
}

func TestProblemsOfSignIn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		config, refusal string
		status          int
		summary         string
		says            []string
	}{
		"claims": {
			config: oidc, refusal: `{"errors":["error validating claims: claim \"repository\" does not match any associated bound claim values"]}`, status: 400,
			summary: "Vault refuses the sign-in",
			says: []string{
				`at "auth/jwt/login" as "deploy"`, "`vault read auth/jwt/role/deploy`",
				`sub = "repo:o/r:environment:prod"`, `aud = "https://github.com/o"`, `repository = "o/r"`, `environment = "prod"`, `ref = "refs/heads/main"`,
				`claim "repository" does not match`,
			},
		},
		"no such mount": {config: oidc, refusal: `{"errors":["no handler for route \"auth/jwt/login\". route entry not found."]}`, status: 404, summary: "Vault refuses the sign-in", says: []string{"vault-auth-mount", "vault auth enable -path=jwt jwt"}},
		"denied":        {config: oidc, refusal: `{"errors":["permission denied"]}`, status: 403, summary: "Vault refuses the sign-in", says: []string{"vault-auth-mount", `ref = "refs/heads/main"`}},
		"secret ID":     {config: addr + "auth_method = \"approle\"\napprole_role_id = \"id\"", refusal: `{"errors":["invalid role or secret ID"]}`, status: 400, summary: "Vault refuses the sign-in", says: []string{`at "auth/approle/login".`, "vault write -f auth/approle/role/NAME/secret-id"}},
		"sealed":        {config: oidc, refusal: `{"errors":["Vault is sealed"]}`, status: 503, summary: "Vault is sealed"},
		"no Vault":      {config: oidc, refusal: `<html>`, status: 200, summary: "Not an answer of Vault", says: []string{"https://vault.test"}},
		"no token":      {config: oidc, refusal: `{"data":{}}`, status: 200, summary: "Vault gives no token", says: []string{`of type "jwt"`}},
		"second factor": {config: oidc, refusal: `{"auth":{"mfa_requirement":{"mfa_request_id":"1"}}}`, status: 200, summary: "Vault wants a second factor"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := newFake()
			fake.override = func(*http.Request) (int, string) { return c.status, c.refusal }
			_, err := read(t, newRig(t, fake).must(c.config), key("secret/web", "password"))
			wantProblem(t, err, c.summary, c.says...)
		})
	}
}

// TestNoIDToken passes on what the runner says, such as which permission lacks.
func TestNoIDToken(t *testing.T) {
	t.Parallel()
	r := newRig(t, newFake())
	lacking := errors.New("the job has no permission id-token: write")
	r.host.IDToken = func(context.Context, string) (secret.Text, error) { return "", lacking }
	if _, err := read(t, r.must(oidc), key("secret/web", "password")); !errors.Is(err, lacking) {
		t.Errorf("Read() = %v, want the runner's error", err)
	}
}

func TestNoAccountToken(t *testing.T) {
	t.Parallel()
	source := newRig(t, newFake()).must(addr + "auth_method = \"kubernetes\"\nkubernetes_role = \"r\"\nkubernetes_token_path = \"/no/such/file\"")
	_, err := read(t, source, key("secret/web", "password"))
	wantProblem(t, err, "No token of a service account", "/no/such/file", "automountServiceAccountToken")
}
