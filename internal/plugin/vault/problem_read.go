package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/hashicorp/vault/api"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// concernsAll returns what to say of an error that has nothing to do with one
// path, and nil for one that has, or for no error.
func (s *sourcer) concernsAll(err error) error {
	if err == nil {
		return nil
	}
	if problem := s.client.commonProblem(err); problem != nil {
		return problem
	}
	answer, ok := errors.AsType[*api.ResponseError](err)
	switch {
	case !ok:
		return s.client.notVault(err)
	case badToken(answer):
		return s.tokenProblem()
	}
	return nil
}

// badToken reports whether Vault knows nothing of the token. Before 1.16 it did
// not say so of all of them.
func badToken(answer *api.ResponseError) bool {
	text := strings.Join(answer.Errors, "\n")
	return answer.StatusCode == http.StatusForbidden && (strings.Contains(text, "invalid token") || strings.Contains(text, "bad token")) ||
		answer.StatusCode == http.StatusBadRequest && strings.Contains(text, "missing client token")
}

// tokenProblem says that the token is no good.
func (s *sourcer) tokenProblem() error {
	problem := &diag.Problem{Summary: "Token of Vault expired", Attr: "token"}
	switch {
	case s.login != nil:
		problem.Attr = s.login.attr
		problem.Detail = fmt.Sprintf("The token from the login at %q has expired or was revoked while this ran, or may be used only a few times. "+
			"Raise token_ttl, token_max_ttl or token_num_uses of the role.", s.login.path())
	case s.token == "":
		problem.Summary = "No token for Vault"
		problem.Detail = fmt.Sprintf("The agent at %s adds no token to requests. Give it auto_auth with use_auto_auth_token, or set a way to sign in here.",
			s.client.address)
		problem.Attr = "agent_addr"
	default:
		problem.Detail = fmt.Sprintf("Vault at %s does not know the token that is set%s: it is mistyped, expired or revoked, or of another cluster or namespace. "+
			"Make a new one (`vault login`, `vault token create`) and put it where this one came from: VAULT_TOKEN, the attribute token, or ~/.vault-token.",
			s.client.address, s.client.inNamespace())
	}
	return problem
}

// pathProblem says why a path has no value.
func (s *sourcer) pathProblem(ctx context.Context, path string, r result) error {
	// The list of engines only makes the message better.
	_ = s.listMounts(ctx)
	known := engineOf(path, s.mounts)
	answer, refused := errors.AsType[*api.ResponseError](r.err)
	switch {
	case refused && answer.StatusCode == http.StatusForbidden:
		return &diag.Problem{
			Summary: "Vault denies a secret",
			Detail: fmt.Sprintf("The token may not read %q%s.%s%s One of its policies needs:\n\n%s",
				r.path, s.client.inNamespace(), s.identity(), s.unknownEngine(path, known), policy(r.path, "read")),
		}
	case refused:
		return &diag.Problem{
			Summary: "Vault refuses a secret",
			Detail:  fmt.Sprintf("Vault answers a read of %q with status %d. The path must be one that can be read, with the method GET.", r.path, answer.StatusCode),
			Err:     reason(answer),
		}
	case known == nil && len(s.mounts) > 0:
		return &diag.Problem{
			Summary: "No such path in Vault",
			Detail:  fmt.Sprintf("Nothing is at %q%s.%s", path, s.client.inNamespace(), s.unknownEngine(path, known)),
		}
	case r.empty != nil && r.empty.Data["metadata"] != nil:
		return &diag.Problem{
			Summary: "Secret of Vault deleted",
			Detail: fmt.Sprintf("The newest version of %q is deleted. Write a new one with `vault kv put`, or bring it back with `vault kv undelete`, "+
				"unless it is destroyed.", r.path),
		}
	}
	return &diag.Problem{
		Summary: "No such secret in Vault",
		Detail:  fmt.Sprintf("Nothing is at %q%s.%s", r.path, s.client.inNamespace(), hint(path, known)),
	}
}

// hint says how the paths below an engine look.
func hint(path string, known *engine) string {
	switch {
	case known == nil:
		return " Where the engine is version 2 of key/value, \"data/\" stands between its path and the secret's name: secret/data/web."
	case !known.versioned && strings.HasPrefix(path+"/", known.path+"data/"):
		return fmt.Sprintf(" The engine at %q is %s, whose paths have no \"data/\": try %q.", known.path, kindOf(known),
			known.path+strings.TrimPrefix(path, known.path+"data/"))
	case known.versioned && !needsMounts(path) && !strings.HasPrefix(path, known.path+"data/"):
		return fmt.Sprintf(" `vault kv list %s` shows what is there. A secret whose own name has \"data/\" in it is at %q.",
			known.path, known.path+"data/"+strings.TrimPrefix(path, known.path))
	case known.kind == "kv":
		return fmt.Sprintf(" `vault kv list %s` shows what is there.", known.path)
	}
	return fmt.Sprintf(" The engine at %q is %s: `vault path-help %s` says what can be read there.", known.path, kindOf(known), known.path)
}

// kindOf names a kind of engine.
func kindOf(m *engine) string {
	if m.kind == "kv" {
		return "version 1 of key/value"
	}
	return fmt.Sprintf("of the type %q", m.kind)
}

// unknownEngine says that a path is below none of the engines that the token
// may see, and which these are; "" where it is, or where they are not known.
func (s *sourcer) unknownEngine(path string, known *engine) string {
	var own []string
	for _, m := range s.mounts {
		switch m.kind {
		case "cubbyhole", "identity", "system": // Vault's own
		default:
			own = append(own, strings.TrimSuffix(m.path, "/"))
		}
	}
	if known != nil || len(s.mounts) == 0 {
		return ""
	}
	if len(own) == 0 {
		return " The token may see no secrets engine at all: check its policies and the namespace."
	}
	first, _, _ := strings.Cut(path, "/")
	return fmt.Sprintf(" No secrets engine that the token may see is mounted there; it may see %s.%s A namespace is no part of the path: "+
		"it is set with \"namespace\".", quoted(own), diag.Suggest(first, own))
}

// identity says what the token is allowed by, where it was signed in for.
func (s *sourcer) identity() string {
	if s.login == nil || len(s.policies) == 0 {
		return ""
	}
	return fmt.Sprintf(" It comes from the login at %q and has the policies %s.", s.login.path(), quoted(s.policies))
}

// policy is the part of a policy that allows one thing.
func policy(path, capability string) string {
	return fmt.Sprintf("  path %q { capabilities = [%q] }", path, capability)
}

// reasonOf is an error without the request that it is about.
func reasonOf(err error) error {
	if answer, ok := errors.AsType[*api.ResponseError](err); ok {
		if said := reason(answer); said != nil {
			return said
		}
	}
	return err
}
