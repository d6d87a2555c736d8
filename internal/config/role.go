package config

import (
	"maps"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/deploy-action/deploy-action/internal/component"
)

// Auth is the auth block of one provider, as it is in a workspace.
type Auth struct {
	Role, PlanRole string
	Accounts       []string
	Arguments      map[string]string // the others, by name
}

// For returns what the block says of an operation that changes a platform, or
// of one that does not.
func (a Auth) For(changing bool) component.Auth {
	auth := component.Auth{Role: a.Role, Accounts: a.Accounts, Arguments: a.Arguments}
	if !changing && a.PlanRole != "" {
		auth.Role = a.PlanRole
	}
	return auth
}

// Auth returns the auth blocks of the project, by provider.
func (p *Project) Auth(scope Scope) (map[string]Auth, hcl.Diagnostics) {
	return evaluateAuth(p.auth, scope.ctx, scope)
}

// evaluateAuth returns what auth blocks say in the workspace of a scope.
func evaluateAuth(blocks hcl.Blocks, ctx *hcl.EvalContext, scope Scope) (map[string]Auth, hcl.Diagnostics) {
	all := map[string]Auth{}
	var diags hcl.Diagnostics
	for _, block := range blocks {
		provider := block.Labels[0]
		auth := Auth{Arguments: map[string]string{}}
		arguments := authArguments(block, scope.workspace)
		for _, name := range keys(arguments) {
			if name == "accounts" {
				accounts, more := texts(arguments[name], ctx, scope.secrets)
				diags = append(diags, more...)
				auth.Accounts = accounts
				continue
			}
			value, more := text(arguments[name], ctx)
			diags = append(diags, more...)
			addSecrets(scope.secrets, value)
			value, _ = value.Unmark()
			if !value.IsKnown() {
				continue // reported where the variable is, or above
			}
			switch name {
			case "role":
				auth.Role = value.AsString()
			case "plan_role":
				auth.PlanRole = value.AsString()
			default:
				auth.Arguments[name] = value.AsString()
			}
		}
		all[provider] = auth
	}
	return all, diags
}

// authArguments returns the arguments of an auth block, those of the workspace
// over those around them.
func authArguments(block *hcl.Block, workspace string) hcl.Attributes {
	grammar, known := authGrammars[block.Labels[0]]
	if !known {
		return nil // reported when the file was read, as is whatever else is wrong
	}
	whole, _ := grammar.whole.read(block.Body)
	arguments := whole.Attributes
	for _, narrower := range whole.Blocks {
		if narrower.Labels[0] == workspace {
			inner, _ := grammar.scope.read(narrower.Body)
			maps.Copy(arguments, inner.Attributes)
		}
	}
	return arguments
}

// identities are the arguments of auth blocks that name whom the job's OIDC
// token is shown for.
var identities = []string{"role", "plan_role", "workload_identity_provider", "client_id"}

// Role is one identity that an auth block names.
type Role struct {
	App      string // "" where it is that of all apps
	Provider string // such as aws
	Argument string // such as plan_role
	Name     string // "" where it is not known before the run, or a secret
}

// Roles returns what the auth blocks of the project and its apps name in the
// workspace of a scope, in the order of the file.
func (p *Project) Roles(scope Scope) []Role {
	roles := rolesOf(p.auth, "", scope.ctx, scope)
	for _, a := range p.apps {
		ctx := scope.child(scope.ctx, map[string]cty.Value{"app": cty.ObjectVal(map[string]cty.Value{"name": cty.StringVal(a.name)})})
		roles = append(roles, rolesOf(a.auth, a.name, ctx, scope)...)
	}
	return roles
}

func rolesOf(blocks hcl.Blocks, app string, ctx *hcl.EvalContext, scope Scope) []Role {
	var roles []Role
	for _, block := range blocks {
		arguments := authArguments(block, scope.workspace)
		for _, name := range identities {
			if attribute := arguments[name]; attribute != nil {
				roles = append(roles, Role{app, block.Labels[0], name, plainText(attribute, ctx)})
			}
		}
	}
	return roles
}

// plainText returns the text of an argument that may be shown; "" where there
// is none.
func plainText(attribute *hcl.Attribute, ctx *hcl.EvalContext) string {
	value, diags := text(attribute, ctx)
	if diags.HasErrors() || value.IsMarked() || !value.IsKnown() {
		return ""
	}
	return value.AsString()
}
