package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/deploy-action/deploy-action/internal/config/bounded"
	"github.com/deploy-action/deploy-action/internal/config/funcs"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// evaluate is expr.Value within bounds and with better messages. The value keeps
// its marks.
func evaluate(expr hcl.Expression, ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	value, diags := bounded.Value(expr, ctx)
	for _, d := range diags {
		explain(d)
	}
	return value, diags
}

// text evaluates an argument that takes a string. Its value may be marked or
// unknown, but is never null.
func text(attribute *hcl.Attribute, ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	value, diags := evaluate(attribute.Expr, ctx)
	if diags.HasErrors() {
		return cty.UnknownVal(cty.String), diags
	}
	converted, err := convert.Convert(value, cty.String)
	switch {
	case err != nil:
		return cty.UnknownVal(cty.String), append(diags, wrongType(attribute.Name, cty.String, value, err, attribute.Expr.Range()))
	case converted.IsNull():
		return cty.UnknownVal(cty.String), append(diags, null(attribute.Name, attribute.Expr.Range()))
	}
	return converted, diags
}

// stringMap evaluates an argument that takes a map of strings. The elements
// may be marked or unknown, but are never null. A nil attribute has none.
func stringMap(attribute *hcl.Attribute, ctx *hcl.EvalContext) (map[string]cty.Value, hcl.Diagnostics) {
	if attribute == nil {
		return nil, nil
	}
	value, diags := evaluate(attribute.Expr, ctx)
	if diags.HasErrors() {
		return nil, diags
	}
	elements, more := textElements(attribute.Name, value, attribute.Expr.Range())
	return elements, append(diags, more...)
}

// textElements returns the elements of a map of strings, as [stringMap] does.
func textElements(argument string, value cty.Value, where hcl.Range) (map[string]cty.Value, hcl.Diagnostics) {
	value, marks := value.Unmark()
	kind := value.Type()
	switch {
	case value.IsNull():
		return nil, nil // as if it were not written
	case !value.IsKnown():
		return nil, nil // a variable in it has a problem of its own
	case !kind.IsMapType() && !kind.IsObjectType():
		return nil, hcl.Diagnostics{wrongType(argument, cty.Map(cty.String), value, nil, where)}
	}
	var diags hcl.Diagnostics
	elements := map[string]cty.Value{}
	for it := value.ElementIterator(); it.Next(); {
		key, element := it.Element()
		key, _ = key.Unmark()
		name := argument + "." + key.AsString()
		converted, err := convert.Convert(element, cty.String)
		switch {
		case err != nil:
			diags = append(diags, wrongType(name, cty.String, element, err, where))
		case converted.IsNull():
			diags = append(diags, null(name, where))
		default:
			elements[key.AsString()] = converted.WithMarks(marks)
		}
	}
	return elements, diags
}

// addSecrets adds every text in value that is marked as sensitive to secrets.
func addSecrets(secrets *secret.Set, value cty.Value) {
	if !value.ContainsMarked() {
		return
	}
	addMarked(secrets, value, false)
}

// addMarked adds the texts in value; marked says that it is sensitive whatever
// its own marks.
func addMarked(secrets *secret.Set, value cty.Value, marked bool) {
	marked = marked || value.HasMark(funcs.Sensitive)
	value, _ = value.Unmark()
	switch {
	case value.IsNull() || !value.IsKnown():
	case value.Type().IsPrimitiveType():
		if marked {
			if text, err := convert.Convert(value, cty.String); err == nil {
				secrets.Add(secret.Text(text.AsString()))
			}
		}
	case value.CanIterateElements():
		for it := value.ElementIterator(); it.Next(); {
			_, element := it.Element()
			addMarked(secrets, element, marked)
		}
	}
}

// wrongType reports a value that does not convert to what an argument takes.
// The error, if there is one, may say which part of it is wrong. The value
// itself is not shown, for it may be a secret.
func wrongType(name string, want cty.Type, value cty.Value, err error, where hcl.Range) *hcl.Diagnostic {
	got := value.Type()
	detail := fmt.Sprintf("The argument %q takes %s, and this is %s.", name, article(want), article(got))
	switch {
	case want.IsPrimitiveType() && got == cty.String:
		detail = fmt.Sprintf("The argument %q takes %s, and this text cannot be read as such.", name, article(want))
	case err != nil && !want.IsPrimitiveType() && !got.IsPrimitiveType() && err.Error() != want.FriendlyName()+" required":
		detail = fmt.Sprintf("The argument %q takes %s: %s.", name, article(want), conversion(err))
	}
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Wrong type of value",
		Detail:   detail,
		Subject:  &where,
	}
}

// null reports a null where there must be a value.
func null(name string, where hcl.Range) *hcl.Diagnostic {
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Missing value",
		Detail:   fmt.Sprintf("The value of %q is null. Give it a value or remove it.", name),
		Subject:  &where,
	}
}

// unknown reports a value that does not exist yet.
func unknown(name string, where hcl.Range) *hcl.Diagnostic {
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Unknown value",
		Detail:   fmt.Sprintf("The value of %q depends on something that does not exist yet. Use only what earlier stages made.", name),
		Subject:  &where,
	}
}

// conversion says what is wrong with a value, and at which place in it.
func conversion(err error) string {
	if place := placeOf(err); place != "" {
		return fmt.Sprintf("at %s, %v", place, err)
	}
	return err.Error()
}

// placeOf returns the part of a value that err is about, as one would refer to
// it, or "" for the whole.
func placeOf(err error) string {
	inner, ok := errors.AsType[cty.PathError](err)
	if !ok {
		return ""
	}
	var place strings.Builder
	for _, step := range inner.Path {
		switch step := step.(type) {
		case cty.GetAttrStep:
			place.WriteString("." + step.Name)
		case cty.IndexStep:
			place.WriteString("[" + indexText(step.Key) + "]")
		}
	}
	return place.String()
}

// indexText is an index as it is written in configuration.
func indexText(key cty.Value) string {
	key, _ = key.Unmark()
	if text, err := convert.Convert(key, cty.String); err == nil && text.IsKnown() && !text.IsNull() {
		if key.Type() == cty.String {
			return quote(text.AsString())
		}
		return text.AsString()
	}
	return "…"
}

// article is the name of a type with its article.
func article(t cty.Type) string {
	switch {
	case t == cty.DynamicPseudoType:
		return "any value"
	case t == cty.Bool:
		return "true or false"
	case t.IsObjectType():
		return "an object"
	}
	return "a " + t.FriendlyName()
}
