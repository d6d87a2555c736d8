package terraformcloud

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// allOutputs in place of an output's name asks for an object of them all.
const allOutputs = ""

// place names a workspace.
type place struct{ organization, workspace string }

// question is a key about one workspace, and where its answer goes.
type question struct {
	variable string // the configuration variable it is for
	output   string // or allOutputs
	reading  *component.Reading
}

// parse reads the parameters of a key.
func parse(key component.Key) (place, question, error) {
	known := []string{"organization", "workspace", "output"}
	for _, name := range slices.Sorted(maps.Keys(key.Params)) {
		if !slices.Contains(known, name) {
			return place{}, question{}, unknownParameter(key, name, known)
		}
	}
	for _, name := range known[:2] {
		if key.Params[name] == "" {
			return place{}, question{}, missingParameter(key, name)
		}
	}
	p := place{key.Params["organization"], key.Params["workspace"]}
	return p, question{variable: key.Var, output: key.Params["output"]}, nil
}

// output is an output of a workspace's state.
type output struct {
	id        string
	sensitive bool
	value     any  // decoded JSON; nil for a sensitive one that was not revealed
	denied    bool // revealing it was not allowed
}

// answer takes the answer to a question from the outputs of its workspace.
func (q question) answer(p place, outputs map[string]*output) component.Reading {
	if q.output == allOutputs {
		return q.object(p, outputs)
	}
	o, ok := outputs[q.output]
	if !ok {
		return component.Reading{Err: noOutput(q, p, slices.Sorted(maps.Keys(outputs)))}
	}
	if o.denied {
		return component.Reading{Err: valueDenied(q, p, q.output)}
	}
	if o.value == nil {
		return component.Reading{Err: noValue(q, p)}
	}
	return component.Reading{Text: textOf(o.value), Public: !o.sensitive}
}

// object is the answer that holds all outputs.
func (q question) object(p place, outputs map[string]*output) component.Reading {
	values := map[string]any{}
	public := true
	for _, name := range slices.Sorted(maps.Keys(outputs)) {
		o := outputs[name]
		if o.denied {
			return component.Reading{Err: valueDenied(q, p, name)}
		}
		values[name] = o.value
		public = public && !o.sensitive
	}
	return component.Reading{Text: textOf(values), Public: public}
}

// textOf returns a value as a variable gets it: a string as it is, all else as
// JSON, without the escapes that only HTML needs.
func textOf(value any) secret.Text {
	if text, ok := value.(string); ok {
		return secret.Text(text)
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value) // what came from JSON can be JSON again
	return secret.Text(bytes.TrimSpace(b.Bytes()))
}
