package config

import (
	"maps"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// delivered is what config blocks give to an application.
type delivered struct {
	env, files map[string]component.Setting
}

// evaluate evaluates a config block. Its values lie over those of under. A nil
// block has none.
func (s *settings) evaluate(under delivered, ctx *hcl.EvalContext, secrets *secret.Set) (delivered, hcl.Diagnostics) {
	result := delivered{env: map[string]component.Setting{}, files: map[string]component.Setting{}}
	maps.Copy(result.env, under.env)
	maps.Copy(result.files, under.files)
	if s == nil {
		return result, nil
	}
	env, diags := evaluateSettings(s.env, ctx, secrets)
	maps.Copy(result.env, env)
	files, more := evaluateSettings(s.file, ctx, secrets)
	maps.Copy(result.files, files)
	return result, append(diags, more...)
}

// evaluateSettings evaluates one map of a config block. A nil attribute has
// no values.
func evaluateSettings(attribute *hcl.Attribute, ctx *hcl.EvalContext, secrets *secret.Set) (map[string]component.Setting, hcl.Diagnostics) {
	elements, diags := stringMap(attribute, ctx)
	values := map[string]component.Setting{}
	for _, name := range keys(elements) {
		addSecrets(secrets, elements[name])
		value, marks := elements[name].Unmark()
		if !value.IsKnown() {
			continue // a variable in it has a problem of its own
		}
		values[name] = component.Setting{Text: secret.Text(value.AsString()), Sensitive: len(marks) > 0}
	}
	return values, diags
}
