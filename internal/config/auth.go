package config

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// authGrammars are those of the auth blocks, by provider.
var authGrammars = map[string]authGrammar{
	"aws": newAuthGrammar("aws",
		argument("region", "The region of components that name none."),
		argument("through", "The ARN of a role that is assumed first, with the job's OIDC token; role and plan_role are assumed with it."),
		argument("audience", "Whom the token is addressed to; by default `sts.amazonaws.com`.")),
	"google": newAuthGrammar("google", argument("workload_identity_provider", "The provider's full name."), argument("service_account", "The account to act as.")),
	"azure":  newAuthGrammar("azure", argument("client_id", "The application that trusts the token."), argument("tenant_id", "The directory of the application."), argument("subscription_id", "The subscription to work in.")),
}

// authGrammar is what one provider's auth block may hold, and what the
// workspace blocks in it may.
type authGrammar struct{ whole, scope grammar }

func newAuthGrammar(provider string, more ...term) authGrammar {
	terms := append([]term{
		argument("role", "The role from the moment a deploy begins."),
		argument("plan_role", "The role before that, and of verbs that only look; by default role."),
		argument("accounts", "The accounts that may be touched, each by its number as text; by default any."),
	}, more...)
	what := "an auth " + quote(provider) + " block"
	return authGrammar{
		whole: newGrammar(what, append(terms[:len(terms):len(terms)], block("workspace", "Roles in one workspace.", "name"))...),
		scope: newGrammar("a workspace block of "+what, terms...),
	}
}

// readAuth checks auth blocks. Their arguments may refer to what ctx has.
func readAuth(blocks hcl.Blocks, ctx *hcl.EvalContext) hcl.Diagnostics {
	var diags hcl.Diagnostics
	first := map[string]hcl.Range{}
	for _, block := range blocks {
		provider, where := block.Labels[0], block.LabelRanges[0]
		if earlier, found := first[provider]; found {
			diags = append(diags, twice("auth block", provider, where, earlier))
		}
		first[provider] = block.DefRange
		if provider != "aws" {
			diags = append(diags, notInEffect(block)...)
		}
		grammar, known := authGrammars[provider]
		if !known {
			providers := keys(authGrammars)
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError,
				Summary:  "Unknown provider",
				Detail:   fmt.Sprintf("There is no sign-in to %q.%s %s", provider, diag.Suggest(provider, providers), listing("There are", providers)),
				Subject:  &where,
			})
			continue
		}
		content, more := grammar.whole.read(block.Body)
		diags = append(diags, more...)
		diags = append(diags, checkAuth(content, ctx)...)
		for _, scope := range content.Blocks {
			inner, more := grammar.scope.read(scope.Body)
			diags = append(diags, more...)
			diags = append(diags, checkAuth(inner, ctx)...)
			diags = append(diags, badWorkspace(scope.Labels[0], scope.LabelRanges[0])...)
		}
	}
	return diags
}

// checkAuth checks the arguments of an auth block.
func checkAuth(content *hcl.BodyContent, ctx *hcl.EvalContext) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, name := range keys(content.Attributes) {
		want := cty.String
		if name == "accounts" {
			want = cty.List(cty.String)
		}
		diags = append(diags, fits(content.Attributes[name], want, ctx)...)
	}
	return diags
}

// fits reports an argument that cannot be evaluated, or is of another type.
func fits(attribute *hcl.Attribute, want cty.Type, ctx *hcl.EvalContext) hcl.Diagnostics {
	value, diags := evaluate(attribute.Expr, ctx)
	if diags.HasErrors() {
		return diags
	}
	if _, err := convert.Convert(value, want); err != nil {
		diags = append(diags, wrongType(attribute.Name, want, value, err, attribute.Expr.Range()))
	}
	return diags
}

// declaredContext is the early context with the declared variables, all of them
// unknown, and the app of that name, if it is not "".
func (p *Project) declaredContext(app string) *hcl.EvalContext {
	declared := map[string]cty.Value{}
	for _, v := range p.variables {
		declared[v.name] = cty.DynamicVal
	}
	ctx := p.earlyContext()
	ctx.Variables["var"] = cty.ObjectVal(declared)
	if app != "" {
		ctx.Variables["app"] = cty.ObjectVal(map[string]cty.Value{"name": cty.StringVal(app)})
		ctx.Variables["path"] = cty.DynamicVal
	}
	return ctx
}
