package null

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// The parameters of a key, of which each key has one.
const (
	staticValue = "static_value"
	configKey   = "config_key"
)

// sourcer answers from its own configuration. Its readings count as sensitive,
// like those of a real source, so that it can stand in for one.
type sourcer struct {
	values map[string]secret.Text
}

var _ component.Sourcer = sourcer{}

func openSourcer(_ component.Host, c SourcerConfig) (component.Sourcer, error) {
	return sourcer{c.Values}, nil
}

// Read implements [component.Sourcer].
func (s sourcer) Read(ctx context.Context, keys []component.Key) ([]component.Reading, error) {
	readings := make([]component.Reading, len(keys))
	for i, key := range keys {
		readings[i].Text, readings[i].Err = s.read(key)
	}
	return readings, context.Cause(ctx)
}

func (s sourcer) read(key component.Key) (secret.Text, error) {
	for param := range key.Params {
		if param != staticValue && param != configKey {
			return "", &diag.Problem{
				Summary: "Unknown parameter of a null value",
				Detail: fmt.Sprintf("The variable %q asks for %q. The source \"null\" knows %q and %q.%s",
					key.Var, param, staticValue, configKey, diag.Suggest(param, []string{staticValue, configKey})),
			}
		}
	}
	static, isStatic := key.Params[staticValue]
	name, isKey := key.Params[configKey]
	if isStatic == isKey {
		return "", &diag.Problem{
			Summary: "One parameter wanted",
			Detail:  fmt.Sprintf("The variable %q must have either %q or %q.", key.Var, staticValue, configKey),
		}
	}
	if isStatic {
		return secret.Text(static), nil
	}
	value, ok := s.values[name]
	if !ok {
		return "", &diag.Problem{
			Summary: "No such value",
			Detail: fmt.Sprintf("The variable %q asks for %q, which \"values\" of the source \"null\" does not have.%s",
				key.Var, name, diag.Suggest(name, slices.Sorted(maps.Keys(s.values)))),
			Attr: "values",
		}
	}
	return value, nil
}

// Close implements [component.Sourcer]: there is nothing to revoke.
func (sourcer) Close(context.Context) error { return nil }
