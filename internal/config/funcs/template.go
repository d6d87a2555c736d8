package funcs

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
)

// Templates returns the functions that render templates, by name. Templates see
// the variables and functions of ctx and its parents, and what is given to the
// functions beside; they cannot render templates themselves.
func (p *Place) Templates(ctx *hcl.EvalContext) map[string]function.Function {
	return table([]group{{"Templates", p.templateEntries(ctx)}})
}

// templates renders templates in one context.
type templates struct {
	place *Place
	ctx   *hcl.EvalContext // nil for none
}

func (p *Place) templateEntries(ctx *hcl.EvalContext) []entry {
	t := templates{p, ctx}
	return []entry{
		{name: "templatedir", frank: true, function: t.function("dir", cty.String, t.dir), summary: "Renders every file below a folder and returns the path of a folder with the results."},
		{name: "templatefile", frank: true, function: t.function("path", cty.String, t.file), summary: "Renders a file and returns the path of the result; file(templatefile(…)) is its content."},
		{name: "templatestring", frank: true, function: t.function("template", cty.DynamicPseudoType, t.text), summary: "Renders a text and returns the result."},
	}
}

// function makes a function of something to render and of maps of variables.
func (t templates) function(param string, returns cty.Type, render func(string, variables) (cty.Value, error)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: param, Type: cty.String}},
		VarParam: &function.Parameter{
			Name: "vars", Type: cty.DynamicPseudoType,
			AllowUnknown: true, AllowDynamicType: true, AllowMarked: true,
		},
		Type: function.StaticReturnType(returns),
		Impl: func(args []cty.Value, kind cty.Type) (cty.Value, error) {
			vars, err := newVariables(args[1:])
			if err != nil {
				return cty.NilVal, err
			}
			if vars == nil {
				return cty.UnknownVal(kind), nil
			}
			result, err := render(args[0].AsString(), vars)
			if _, ok := errors.AsType[function.ArgError](err); err != nil && !ok {
				err = function.NewArgError(0, err)
			}
			return result, err
		},
	})
}

// variables are what a template sees beside its context.
type variables map[string]cty.Value

// newVariables joins the maps that follow the first argument; it returns nil
// where the names in one are not known yet.
func newVariables(args []cty.Value) (variables, error) {
	vars := variables{}
	for i, arg := range args {
		plain, marks := arg.Unmark()
		kind := plain.Type()
		switch {
		case kind == cty.DynamicPseudoType, kind.IsMapType() && !plain.IsKnown():
			return nil, nil
		case !kind.IsMapType() && !kind.IsObjectType():
			return nil, function.NewArgError(i+1, errors.New("a map of variables is required"))
		case !plain.IsKnown():
			for name, each := range kind.AttributeTypes() {
				vars[name] = cty.UnknownVal(each).WithMarks(marks)
			}
		default:
			for name, value := range plain.AsValueMap() {
				vars[name] = value.WithMarks(marks)
			}
		}
		for name := range vars {
			if !hclsyntax.ValidIdentifier(name) {
				return nil, function.NewArgErrorf(i+1, "%q cannot be the name of a variable: it must begin with a letter and have only letters, digits, - and _", name)
			}
		}
	}
	return vars, nil
}

// text is templatestring.
func (t templates) text(source string, vars variables) (cty.Value, error) {
	return t.render("template", source, vars)
}

// file is templatefile.
func (t templates) file(path string, vars variables) (cty.Value, error) {
	if t.place.TempDir == "" {
		return cty.NilVal, errNoTempDir
	}
	content, err := t.place.read(path, maxTemplate)
	if err != nil {
		return cty.NilVal, err
	}
	if !utf8.Valid(content) {
		return cty.NilVal, fmt.Errorf("the file %q is no UTF-8 text, so it cannot be a template", path)
	}
	rendered, err := t.render(path, string(content), vars)
	if err != nil {
		return cty.NilVal, err
	}
	out, known, err := newOutput(path, rendered)
	if err != nil || !known {
		return cty.UnknownVal(cty.String), err
	}
	out.name = filepath.Base(path)
	maps.Copy(out.marks, t.place.marksOf(path))
	folder, err := t.place.write(nil, []output{out})
	return cty.StringVal(filepath.Join(folder, out.name)), err
}

// newOutput returns what a template gave as a file, or false while it is not
// known. Messages call the template path.
func newOutput(path string, rendered cty.Value) (out output, known bool, err error) {
	rendered, marks := rendered.Unmark()
	converted, err := convert.Convert(rendered, cty.String)
	switch {
	case err != nil:
		return output{}, false, fmt.Errorf("the template %q gives a value that is no text: %w", path, err)
	case converted.IsNull():
		return output{}, false, fmt.Errorf("the template %q gives null", path)
	case !converted.IsKnown():
		return output{}, false, nil
	}
	if marks == nil {
		marks = cty.ValueMarks{}
	}
	return output{content: converted.AsString(), marks: marks, mode: 0o600}, true, nil
}
