package vault

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/hashicorp/vault/api"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// longestReason is how much of an answer that is none of Vault's is shown.
const longestReason = 200

// commonProblem returns the problem of an error that has nothing to do with
// what was asked for, and nil for any other.
func (c *client) commonProblem(err error) *diag.Problem {
	answer, isAnswer := errors.AsType[*api.ResponseError](err)
	cause, isCause := errors.AsType[*url.Error](err)
	switch {
	case isSealed(err):
		return &diag.Problem{
			Summary: "Vault is sealed",
			Detail: fmt.Sprintf("Vault at %s runs but is sealed, as it is after each of its starts. Those who keep its keys must unseal it "+
				"(vault operator unseal); then run this again.", c.address),
			Attr: "addr",
		}
	case isAnswer && standby(answer):
		return &diag.Problem{
			Summary: "Vault has no active node",
			Detail: fmt.Sprintf("What answers at %s is a standby node that knows no active one to ask. If this lasts, see which nodes run "+
				"(vault operator raft list-peers), and that the address is that of the cluster, not of one node.", c.address),
			Attr: "addr", Err: reason(answer),
		}
	case isAnswer && answer.StatusCode == http.StatusTooManyRequests:
		return &diag.Problem{
			Summary: "Vault is asked too often",
			Detail: fmt.Sprintf("Vault at %s turns requests away because of a quota for rates or leases (vault list sys/quotas/rate-limit). "+
				"Run this again later, or have the quota raised.", c.address),
			Attr: "addr", Err: reason(answer),
		}
	case isAnswer && answer.StatusCode >= http.StatusInternalServerError:
		return &diag.Problem{
			Summary: "Vault fails",
			Detail:  fmt.Sprintf("Vault at %s, or what stands before it, answers with status %d. Its log says more.", c.address, answer.StatusCode),
			Attr:    "addr", Err: reason(answer),
		}
	case isCause && distrusted(err):
		return &diag.Problem{
			Summary: "Certificate of Vault not trusted",
			Detail: fmt.Sprintf("What answers at %s shows a certificate that is not trusted. Where it is of an authority of your own, name its "+
				"file with ca_cert, VAULT_CACERT or the action's input ca-bundle; where it is for another name, set tls_server_name.", c.address),
			Attr: "ca_cert", Err: cause.Err,
		}
	case isCause:
		return &diag.Problem{
			Summary: "Vault not reachable",
			Detail: fmt.Sprintf("Nothing answers as Vault does at %s. Check the address with its scheme and port (addr, VAULT_ADDR or the input "+
				"vault-addr), and that this machine may reach it: runners of GitHub come from the public internet.", c.address),
			Attr: "addr", Err: cause.Err,
		}
	}
	return nil
}

// standby reports whether an answer comes from a node that cannot serve.
func standby(answer *api.ResponseError) bool {
	text := strings.Join(answer.Errors, "\n")
	return answer.StatusCode >= http.StatusInternalServerError &&
		(strings.Contains(text, "standby") || strings.Contains(text, "node not active"))
}

// reason is what Vault says in an answer, on one line; nil where it says nothing.
func reason(answer *api.ResponseError) error {
	text := strings.Join(strings.Fields(strings.Join(answer.Errors, "; ")), " ")
	if answer.RawError { // the page of a proxy, for example
		text = text[:min(longestReason, len(text))]
	}
	if text == "" {
		return nil
	}
	return errors.New(text)
}

// loginProblem says why a login failed.
func (c *client) loginProblem(err error, l *login, sent proof) error {
	if problem := c.commonProblem(err); problem != nil {
		return problem
	}
	answer, ok := errors.AsType[*api.ResponseError](err)
	if !ok {
		return c.notVault(err)
	}
	detail := fmt.Sprintf("Vault at %s refuses the login at %q%s%s.", c.address, l.path(), l.as(), c.inNamespace())
	problem := &diag.Problem{Summary: "Vault refuses the sign-in", Attr: l.attr, Err: reason(answer)}
	switch {
	case answer.StatusCode == http.StatusForbidden, answer.StatusCode == http.StatusNotFound:
		// Of a path that it does not have, Vault tells strangers what it tells
		// them of any: that it is denied.
		detail += fmt.Sprintf(" It says no more where nothing is mounted there: check the mount (auth_method_mount_path, or mount in the auth block, "+
			"or the input vault-auth-mount) and the namespace. `vault auth enable -path=%s %s` makes one.", l.mount, l.method)
	case strings.Contains(strings.Join(answer.Errors, "\n"), "client nonce mismatch"):
		detail += " By Vault's rules an instance signs in once in its life with aws_type = \"ec2\". Use aws_type = \"iam\" on machines that run more than one job."
	case l.method == "approle":
		detail += fmt.Sprintf(" The role ID is wrong, or the secret ID is wrong, used up or expired: make a new one with "+
			"`vault write -f auth/%s/role/NAME/secret-id`.", l.mount)
	default:
		detail += fmt.Sprintf(" Compare the role with what it was shown: `vault read auth/%s/role/%s`.", l.mount, cmp.Or(l.role, "NAME"))
	}
	problem.Detail = strings.TrimSpace(detail + " " + sent.claims)
	return problem
}

// notVault is the problem of an answer that cannot be read.
func (c *client) notVault(err error) error {
	return &diag.Problem{
		Summary: "Not an answer of Vault",
		Detail: fmt.Sprintf("What answers at %s does not speak as Vault does. Check the address: Vault has no path below its host, "+
			"and its port is mostly 8200.", c.address),
		Attr: "addr", Err: err,
	}
}

// inNamespace says which namespace requests are for, where one is set.
func (c *client) inNamespace() string {
	if name := c.Namespace(); name != "" {
		return fmt.Sprintf(" in the namespace %q", name)
	}
	return ""
}
