package vault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/vault/api"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// login is how to get a token from an auth method of Vault.
type login struct {
	method string // its type, such as "jwt"
	mount  string // its place below auth/
	role   string // "" where none is named
	attr   string // of the role, for problems

	prove func(context.Context) (proof, error)
}

// proof is what an auth method is sent. It holds secrets, so it is made for
// one request and kept nowhere.
type proof struct {
	fields map[string]any
	claims string // what it claims, in a sentence for whom it was refused; or ""
}

// path is where the login is sent.
func (l *login) path() string { return "auth/" + l.mount + "/login" }

// as says who signs in, for messages.
func (l *login) as() string {
	switch {
	case l.role != "":
		return fmt.Sprintf(" as %q", l.role)
	case l.method == "jwt":
		return " without a role"
	}
	return ""
}

// methods make the logins that auth_method can name.
var methods = map[string]func(component.Host, settings) (*login, error){
	"approle":    appRole,
	"aws":        awsLogin,
	"gcp":        gcpLogin,
	"jwt":        jwtMethod,
	"kubernetes": kubernetes,
}

// signIn chooses the way to sign in, most specific first: a login, else a token
// to use as it is. Both are empty where an agent signs in.
func signIn(h component.Host, s settings) (*login, secret.Text, error) {
	switch {
	case s.Auth != nil && h.IDToken != nil:
		return jwtLogin(h, s, s.oidc.Mount), "", nil
	case s.AuthMethod != "":
		open, known := methods[s.AuthMethod]
		if !known {
			names := slices.Sorted(maps.Keys(methods))
			return nil, "", &diag.Problem{
				Summary: "Unknown auth_method",
				Detail: fmt.Sprintf("The source \"vault\" has auth_method = %q. It knows %s.%s",
					s.AuthMethod, quoted(names), diag.Suggest(s.AuthMethod, names)),
				Attr: "auth_method",
			}
		}
		l, err := open(h, s)
		return l, "", err
	case s.Token != "":
		return nil, s.Token, nil
	case s.oidc.Role != "" && h.IDToken != nil:
		return jwtLogin(h, s, s.oidc.Mount), "", nil
	}
	if h.IDToken == nil {
		token, err := storedToken(h.Getenv("HOME"))
		if token != "" || err != nil {
			return nil, token, err
		}
	}
	if s.AgentAddr != "" {
		return nil, "", nil
	}
	return nil, "", noWayIn(s)
}

// storedToken returns the token that `vault login` left in a home folder, or
// "".
func storedToken(home string) (secret.Text, error) {
	if home == "" {
		return "", nil
	}
	data, err := os.ReadFile(filepath.Join(home, ".vault-token"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading the token of vault login: %w", err)
	}
	return secret.Text(strings.TrimSpace(string(data))), nil
}

// noWayIn is the problem of having no credentials at all.
func noWayIn(s settings) error {
	about := "Nothing says how to sign in to Vault."
	if s.Auth != nil {
		about = "There is no OIDC token to sign in with: this run is not a job's."
	}
	return &diag.Problem{
		Summary: "No way to sign in to Vault",
		Detail: about + " In a job, add auth \"github-oidc\" { role = \"…\" } to the block source \"vault\", or set the action's input vault-role, " +
			"and give the job the permission \"id-token: write\". Elsewhere, run vault login, or set VAULT_TOKEN. " +
			"Or set auth_method to \"approle\", \"kubernetes\", \"aws\" or \"gcp\" with the attributes of that method.",
		Attr: "auth",
	}
}

// missing is the problem of a method that lacks an attribute.
func missing(method, attr, remedy string) error {
	return &diag.Problem{
		Summary: fmt.Sprintf("No %s for Vault", attr),
		Detail:  fmt.Sprintf("Signing in with auth_method = %q needs %q. %s", method, attr, remedy),
		Attr:    attr,
	}
}

// quoted lists names for a message.
func quoted(names []string) string {
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = fmt.Sprintf("%q", name)
	}
	return strings.Join(all, ", ")
}

// appRole signs in with a role's ID and a secret ID.
func appRole(_ component.Host, s settings) (*login, error) {
	if s.AppRoleRoleID == "" {
		return nil, missing("approle", "approle_role_id", "`vault read auth/approle/role/NAME/role-id` shows it.")
	}
	prove := func(context.Context) (proof, error) {
		fields := map[string]any{"role_id": s.AppRoleRoleID}
		if s.AppRoleSecretID != "" {
			fields["secret_id"] = s.AppRoleSecretID.Reveal()
		}
		return proof{fields: fields}, nil
	}
	return &login{"approle", mount(s.AuthMethodMountPath, "approle"), "", "approle_role_id", prove}, nil
}

// kubernetes signs in with the token of a pod's service account.
func kubernetes(_ component.Host, s settings) (*login, error) {
	if s.KubernetesRole == "" {
		return nil, missing("kubernetes", "kubernetes_role", "It is a role of the auth method in Vault.")
	}
	path := cmp.Or(s.KubernetesTokenPath, "/var/run/secrets/kubernetes.io/serviceaccount/token")
	prove := func(context.Context) (proof, error) {
		token, err := os.ReadFile(path)
		if err != nil {
			return proof{}, &diag.Problem{
				Summary: "No token of a service account",
				Detail: fmt.Sprintf("Signing in to Vault with auth_method = \"kubernetes\" needs the file %q, which a pod has unless "+
					"automountServiceAccountToken is off. Set kubernetes_token_path where it is elsewhere.", path),
				Attr: "kubernetes_token_path",
				Err:  err,
			}
		}
		jwt := strings.TrimSpace(string(token))
		return proof{map[string]any{"role": s.KubernetesRole, "jwt": jwt}, claims(secret.Text(jwt), "iss", "sub", "aud")}, nil
	}
	return &login{"kubernetes", mount(s.AuthMethodMountPath, "kubernetes"), s.KubernetesRole, "kubernetes_role", prove}, nil
}

// send proves an identity to Vault and returns the token that it gives.
func (l *login) send(ctx context.Context, c *client) (*api.SecretAuth, error) {
	sent, err := l.prove(ctx)
	if err != nil {
		return nil, err
	}
	var answer *api.Secret
	err = c.try(ctx, func(ctx context.Context) (err error) {
		answer, err = c.Logical().WriteWithContext(ctx, l.path(), sent.fields)
		return err
	})
	if err != nil && ctx.Err() != nil {
		return nil, err
	}
	if err != nil {
		return nil, c.loginProblem(err, l, sent)
	}
	if answer == nil || answer.Auth == nil || answer.Auth.ClientToken == "" {
		if answer != nil && answer.Auth != nil && answer.Auth.MFARequirement != nil {
			return nil, &diag.Problem{
				Summary: "Vault wants a second factor",
				Detail: fmt.Sprintf("The login at %q is bound to multi-factor authentication, which needs a person. Take the method out of "+
					"Vault's MFA enforcement, or set VAULT_TOKEN.", l.path()),
				Attr: l.attr,
			}
		}
		return nil, &diag.Problem{
			Summary: "Vault gives no token",
			Detail: fmt.Sprintf("Vault at %s took the login at %q, but its answer holds no token. "+
				"auth_method_mount_path, or the mount of the auth block, must name an auth method of type %q.", c.address, l.path(), l.method),
			Attr: l.attr,
		}
	}
	slices.Sort(answer.Auth.Policies)
	return answer.Auth, nil
}
