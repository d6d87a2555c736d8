package config

import (
	"encoding/json"
	"errors"
	"maps"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/config/funcs"
)

// dynamicNames are the names of the function that asks a source for a value.
var dynamicNames = []string{"dynamic", "configdynamic"}

// Request is one value that configuration asks a source for.
type Request struct {
	Source string // as in dynamic("SOURCE", …)
	Key    component.Key
	Range  hcl.Range // of the expression that asks
}

// ID is the same for two requests with the same answer.
func (r Request) ID() string {
	params, err := json.Marshal(r.Key.Params) // in the order of the names
	if err != nil {
		panic(err) // a map of strings can always be encoded
	}
	return r.Source + " " + string(params)
}

// WithAnswers returns s in which requests have answers, by [Request.ID]. An
// answer with an error is one, too: nobody asks again, and the value stays
// unknown.
func (s Scope) WithAnswers(answers map[string]component.Reading) (Scope, hcl.Diagnostics) {
	merged := maps.Clone(s.answers)
	if merged == nil {
		merged = map[string]component.Reading{}
	}
	maps.Copy(merged, answers)
	s.answers = merged
	return s.settle()
}

// withDynamic returns a child of ctx for the expression of a value of that
// name: only in such expressions can a source be asked.
func (s Scope) withDynamic(ctx *hcl.EvalContext, name string, where hcl.Range) *hcl.EvalContext {
	ask := dynamicFunction(func(source string, params map[string]string) cty.Value {
		return s.ask(Request{source, component.Key{Var: name, Params: params}, where})
	})
	child := ctx.NewChild()
	child.Functions = map[string]function.Function{}
	for _, name := range dynamicNames {
		child.Functions[name] = ask
	}
	return child
}

// ask returns the answer to r, or an unknown value. What is not answered yet is
// noted where somebody wants to know.
func (s Scope) ask(r Request) cty.Value {
	reading, answered := s.answers[r.ID()]
	switch {
	case !answered:
		if s.asked != nil {
			*s.asked = append(*s.asked, r)
		}
		return cty.UnknownVal(cty.String).Mark(funcs.Sensitive)
	case reading.Err != nil:
		return cty.UnknownVal(cty.String).Mark(funcs.Sensitive)
	case reading.Public:
		return cty.StringVal(reading.Text.Reveal())
	}
	return cty.StringVal(reading.Text.Reveal()).Mark(funcs.Sensitive)
}

// dynamicFunction is the function dynamic, which gets its values from ask.
func dynamicFunction(ask func(source string, params map[string]string) cty.Value) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{
			{Name: "source", Type: cty.String},
			{Name: "parameters", Type: cty.DynamicPseudoType},
		},
		Type: function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if !args[1].IsWhollyKnown() {
				return cty.UnknownVal(cty.String).Mark(funcs.Sensitive), nil
			}
			params, err := convert.Convert(args[1], cty.Map(cty.String))
			if err != nil {
				return cty.NilVal, function.NewArgError(1, errors.New("the parameters are a map of texts, such as { path = \"…\", key = \"…\" }"))
			}
			given := map[string]string{}
			for name, value := range params.AsValueMap() {
				if value.IsNull() {
					return cty.NilVal, function.NewArgErrorf(1, "the parameter %q is null; give it a value or leave it out", name)
				}
				given[name] = value.AsString()
			}
			return ask(args[0].AsString(), given), nil
		},
	})
}
