package config

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// validation is a condition on the value of a variable.
type validation struct {
	condition, message *hcl.Attribute
}

// readValidations reads the validation blocks of a variable.
func readValidations(blocks hcl.Blocks, variable string) ([]validation, hcl.Diagnostics) {
	var (
		validations []validation
		diags       hcl.Diagnostics
	)
	for _, block := range blocks {
		content, more := validationGrammar.read(block.Body)
		diags = append(diags, more...)
		v := validation{content.Attributes["condition"], content.Attributes["error_message"]}
		if v.condition == nil || v.message == nil {
			continue
		}
		if !refersTo(v.condition.Expr, variable) {
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError,
				Summary:  "Invalid validation",
				Detail:   fmt.Sprintf("The condition does not refer to var.%s, so that it says nothing of the variable. Write one that does.", variable),
				Subject:  v.condition.Expr.Range().Ptr(),
			})
			continue
		}
		validations = append(validations, v)
	}
	return validations, diags
}

// refersTo reports whether expr refers to a variable of that name.
func refersTo(expr hcl.Expression, name string) bool {
	for _, traversal := range expr.Variables() {
		if traversal.RootName() == "var" && stepName(traversal, 1) == name {
			return true
		}
	}
	return false
}

// validate checks the variables in s against their conditions. What is unknown
// is not checked.
func (p *Project) validate(s Scope) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, v := range p.variables {
		if v.broken {
			continue
		}
		for _, condition := range v.validations {
			diags = append(diags, condition.check(v, s)...)
		}
	}
	return diags
}

// check evaluates the condition of one validation.
func (c validation) check(v *variable, s Scope) hcl.Diagnostics {
	where := c.condition.Expr.Range()
	value, diags := evaluate(c.condition.Expr, s.ctx)
	if diags.HasErrors() {
		return diags
	}
	value, _ = value.Unmark()
	good, err := convert.Convert(value, cty.Bool)
	switch {
	case err != nil:
		return append(diags, wrongType("condition", cty.Bool, value, err, where))
	case good.IsNull():
		return append(diags, null("condition", where))
	case !good.IsKnown(), good.True():
		return diags
	}
	detail := fmt.Sprintf("The value of %q does not meet the condition in its declaration.", v.name)
	message, more := text(c.message, s.ctx)
	switch {
	case more.HasErrors():
		diags = append(diags, more...)
	case message.IsMarked():
		detail += " Its error message holds a sensitive value, and is not shown."
	case message.IsKnown():
		detail = message.AsString()
	}
	source := "its default"
	if g, found := s.given[v.name]; found {
		source = g.source
	}
	return append(diags, &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  fmt.Sprintf("Invalid value for variable %q", v.name),
		Detail:   fmt.Sprintf("%s\n\nThe value comes from %s.", detail, source),
		Subject:  &where,
	})
}
