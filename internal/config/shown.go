package config

import (
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"github.com/deploy-action/deploy-action/internal/secret"
)

// Variable is a variable of a scope, as people may see it.
type Variable struct {
	Name   string
	Text   string // its value as the language writes it; a mask for a secret
	Source string // who gave it, e.g. "--var"
}

// Variables returns the variables of s in the order of the file.
func (s Scope) Variables() []Variable {
	var shown []Variable
	values := s.ctx.Variables["var"]
	for _, v := range s.project.variables {
		source := "default"
		if g, found := s.given[v.name]; found {
			source = g.source
		}
		shown = append(shown, Variable{v.name, shownValue(values.GetAttr(v.name)), source})
	}
	return shown
}

// shownValue is a value as the language writes it, without secrets.
func shownValue(value cty.Value) string {
	switch {
	case value.ContainsMarked():
		return secret.Text("").String()
	case !value.IsWhollyKnown():
		return "(not known)"
	}
	return string(hclwrite.TokensForValue(value).Bytes())
}
