package terraformcloud

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/hashicorp/go-tfe"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
)

// explain turns an error of a request into one that says what to do. What
// remains is [errHidden], for only the caller knows what it asked for.
func (s service) explain(err error, status int) error {
	// The error of a request repeats its address, which says nothing new.
	cause := err
	if lost, ok := errors.AsType[*url.Error](err); ok {
		cause = lost.Err
	}
	host := s.address.Host
	switch {
	case errors.Is(err, tfe.ErrResourceNotFound), errors.Is(err, tfe.ErrInvalidOrg), errors.Is(err, tfe.ErrInvalidWorkspaceValue):
		return errHidden
	case errors.Is(err, tfe.ErrUnauthorized):
		return s.badToken()
	case status == http.StatusForbidden:
		return &diag.Problem{
			Summary: "Terraform Cloud refuses access",
			Detail: fmt.Sprintf("%s accepts the token, which comes from %s, but not this request. Rules of the organization, "+
				"such as single sign-on or a list of allowed addresses, may forbid it.", host, s.tokenFrom.name),
			Err: cause,
		}
	case status == http.StatusTooManyRequests:
		return &diag.Problem{
			Summary: "Too many requests to Terraform Cloud",
			Detail: fmt.Sprintf("%s still answers that the limit of requests is reached. All tokens of one user share it; "+
				"run again later, or use the token of a team.", host),
			Err: cause,
		}
	case status >= http.StatusInternalServerError:
		return &diag.Problem{
			Summary: "Terraform Cloud fails",
			Detail: fmt.Sprintf("%s answers with status %d, also when asked again. After an apply it takes a while to process the new state: "+
				"run again in a minute. If that does not help, look at the status page of the service.", host, status),
			Err: cause,
		}
	case distrusted(err):
		return &diag.Problem{
			Summary: "No trusted connection to Terraform Cloud",
			Detail: fmt.Sprintf("The certificate of %s does not prove that it is the right host. If an authority of your own issued it, "+
				"name the authority's PEM file in the action's input \"ca-bundle\". The setting skip_verify = true of the source turns "+
				"the check off, and protects the token no longer.", host),
			Err: cause,
		}
	case lostConnection(err) || errors.Is(err, http.ErrSchemeMismatch):
		return &diag.Problem{
			Summary: "Terraform Cloud cannot be reached",
			Detail: fmt.Sprintf("There is no connection to %s, the address from %s. Correct the action's input \"tfc-hostname\", "+
				"%s in the environment or \"base_url\" of the source, or let this machine reach the host. A proxy is taken from HTTPS_PROXY.",
				host, s.addressFrom.name, hostnameVariable),
			Attr: s.addressFrom.attr,
			Err:  cause,
		}
	}
	return &diag.Problem{
		Summary: "Unexpected answer of Terraform Cloud",
		Detail: fmt.Sprintf("What %s answers is not what Terraform Cloud or Terraform Enterprise would. The address comes from %s; "+
			"see whether it is right.", host, s.addressFrom.name),
		Attr: s.addressFrom.attr,
		Err:  cause,
	}
}

// distrusted reports whether the other side's certificate was refused.
func distrusted(err error) bool {
	_, ok := errors.AsType[*tls.CertificateVerificationError](err)
	return ok
}

// tokenHelp says how a token is given.
func (s service) tokenHelp() string {
	return fmt.Sprintf("Create a token on %s, for a team or in your own settings under Tokens, keep it as a secret of the repository, and give it "+
		"as the action's input \"tfc-token\", as %s or %s in the environment, or as \"token\" of the source \"terraform-cloud\".",
		s.address.Host, tokenVariable, hostVariable(s.address))
}

// invalidAddress does not show the address: one with a password in it is among
// those that are refused.
func invalidAddress(from origin) error {
	return &diag.Problem{
		Summary: "Invalid address of Terraform Cloud",
		Detail: fmt.Sprintf("The address comes from %s. It must be an https:// address with a host and without user and password, "+
			"such as %q.", from.name, defaultAddress),
		Attr: from.attr,
	}
}

func (s service) noToken() error {
	return &diag.Problem{
		Summary: "No token for Terraform Cloud",
		Detail:  fmt.Sprintf("Nothing can be read from %s without one. %s", s.address.Host, s.tokenHelp()),
	}
}

func (s service) badToken() error {
	return &diag.Problem{
		Summary: "Terraform Cloud does not accept the token",
		Detail: fmt.Sprintf("For %s the token is not valid, which comes from %s: it has expired, was revoked, belongs to another host, or was "+
			"not copied whole. %s", s.address.Host, s.tokenFrom.name, s.tokenHelp()),
		Attr: s.tokenFrom.attr,
	}
}

func unknownParameter(key component.Key, name string, known []string) error {
	return &diag.Problem{
		Summary: "Unknown parameter of a Terraform Cloud value",
		Detail: fmt.Sprintf("The variable %q has the parameter %q. The source \"terraform-cloud\" knows %s.%s",
			key.Var, name, list(known), diag.Suggest(name, known)),
	}
}

func missingParameter(key component.Key, name string) error {
	return &diag.Problem{
		Summary: "Missing parameter of a Terraform Cloud value",
		Detail: fmt.Sprintf("The variable %q does not say which %s to read. The source \"terraform-cloud\" needs \"organization\" and "+
			"\"workspace\"; without \"output\" it reads all outputs.", key.Var, name),
	}
}

func noWorkspace(q question, p place, s service) error {
	return &diag.Problem{
		Summary: "No such workspace in Terraform Cloud",
		Detail: fmt.Sprintf("The variable %q asks for the workspace %q in the organization %q. On %s there is none, or the token from %s may not "+
			"see it: the service answers both alike. Check the spelling of both names, and give the token's team or user access to the "+
			"workspace, at least the permission to read state outputs.", q.variable, p.workspace, p.organization, s.address.Host, s.tokenFrom.name),
	}
}

func noState(q question, p place) error {
	return &diag.Problem{
		Summary: "The Terraform workspace has no state yet",
		Detail: fmt.Sprintf("The variable %q asks for outputs of the workspace %q in the organization %q, which has no state: nothing "+
			"was applied there yet. Apply it, then run again.", q.variable, p.workspace, p.organization),
	}
}

func outputsDenied(q question, p place, s service) error {
	return &diag.Problem{
		Summary: "The outputs of the Terraform workspace cannot be read",
		Detail: fmt.Sprintf("The variable %q asks for outputs of the workspace %q in the organization %q. The token from %s sees the workspace, "+
			"but not its outputs: give its team or user the permission to read state outputs of the workspace.",
			q.variable, p.workspace, p.organization, s.tokenFrom.name),
	}
}

func valueDenied(q question, p place, name string) error {
	return &diag.Problem{
		Summary: "A sensitive output cannot be read",
		Detail: fmt.Sprintf("The variable %q needs the output %q of the workspace %q in the organization %q. It is listed, but its value, which "+
			"is sensitive, is not given out: either the token lacks the permission to read state outputs of the workspace, or the state "+
			"was replaced a moment ago, and another run reads the new one.", q.variable, name, p.workspace, p.organization),
	}
}

func noOutput(q question, p place, names []string) error {
	has := "has no outputs"
	if len(names) > 0 {
		has = "has " + list(names)
	}
	return &diag.Problem{
		Summary: "No such output of the Terraform workspace",
		Detail: fmt.Sprintf("The variable %q asks for the output %q. The state of the workspace %q in the organization %q %s.%s A new output "+
			"is there after the next apply.", q.variable, q.output, p.workspace, p.organization, has, diag.Suggest(q.output, names)),
	}
}

func noValue(q question, p place) error {
	return &diag.Problem{
		Summary: "The Terraform output has no value",
		Detail: fmt.Sprintf("The variable %q asks for the output %q of the workspace %q in the organization %q, which is null. Give it a value "+
			"in Terraform and apply, or do not ask for it.", q.variable, q.output, p.workspace, p.organization),
	}
}

// list quotes names for a sentence.
func list(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = fmt.Sprintf("%q", name)
	}
	return strings.Join(quoted, ", ")
}
