package config

import (
	"maps"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

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
		grammar, known := authGrammars[block.Labels[0]]
		if !known {
			continue // reported when the file was read, as is whatever else is wrong
		}
		whole, _ := grammar.whole.read(block.Body)
		arguments := whole.Attributes
		for _, narrower := range whole.Blocks {
			if narrower.Labels[0] == scope.workspace {
				inner, _ := grammar.scope.read(narrower.Body)
				maps.Copy(arguments, inner.Attributes)
			}
		}
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
