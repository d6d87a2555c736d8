package funcs

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/deploy-action/deploy-action/internal/diag"
)

func (p *Place) jsonnetEntries() []entry {
	return []entry{
		{name: "jsonnetdir", frank: true, function: jsonnetFunction("dir", p.jsonnetDir), summary: "Renders every *.jsonnet file below a folder to JSON and returns the path of a folder with the results; other files are left out."},
		{name: "jsonnetfile", frank: true, function: jsonnetFunction("path", p.jsonnetFile), summary: "Renders a Jsonnet file to JSON and returns the path of the result."},
	}
}

// jsonnetOptions are what configuration gives to a Jsonnet program: texts and
// code, for std.extVar and for the arguments of a function.
type jsonnetOptions struct {
	extVars, extCode, tlaVars, tlaCode map[string]string
	marks                              cty.ValueMarks
}

// jsonnetFunction makes a function of a path and options.
func jsonnetFunction(param string, render func(string, jsonnetOptions) (string, error)) function.Function {
	options := anyValue
	options.Name = "options"
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: param, Type: cty.String}, options},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, kind cty.Type) (cty.Value, error) {
			options, known, err := newJsonnetOptions(args[1])
			switch {
			case err != nil:
				return cty.NilVal, function.NewArgError(1, err)
			case !known:
				return cty.UnknownVal(kind), nil
			}
			path, err := render(args[0].AsString(), options)
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			return cty.StringVal(path), nil
		},
	})
}

// newJsonnetOptions reads the options, or returns false while they are not
// known.
func newJsonnetOptions(v cty.Value) (options jsonnetOptions, known bool, err error) {
	marked := v
	v, marks := v.UnmarkDeep()
	options = jsonnetOptions{marks: cty.ValueMarks{}}
	maps.Copy(options.marks, marks)
	kind := v.Type()
	switch {
	case !v.IsKnown():
		return options, false, nil
	case v.IsNull():
		return options, true, nil
	case !kind.IsObjectType() && !kind.IsMapType():
		return options, false, errors.New("an object or null is required")
	}
	targets := map[string]*map[string]string{
		"ext_vars": &options.extVars, "ext_code": &options.extCode,
		"tla_vars": &options.tlaVars, "tla_code": &options.tlaCode,
	}
	names := slices.Sorted(maps.Keys(targets))
	known = true
	for name, value := range v.AsValueMap() {
		target, found := targets[name]
		if !found {
			return options, false, fmt.Errorf("there is no option %q.%s The options are %s", name, diag.Suggest(name, names), strings.Join(names, ", "))
		}
		if !value.IsWhollyKnown() {
			known = false
			continue
		}
		if *target, err = textMap(value); err != nil {
			if marked.ContainsMarked() {
				err = errors.New("a map of strings is required")
			}
			return options, false, fmt.Errorf("the option %q: %w", name, err)
		}
	}
	return options, known, nil
}

// textMap returns a map of strings as one of Go; null is an empty one.
func textMap(v cty.Value) (map[string]string, error) {
	converted, err := convert.Convert(v, cty.Map(cty.String))
	if err != nil {
		return nil, err
	}
	texts := map[string]string{}
	if converted.IsNull() {
		return texts, nil
	}
	for name, value := range converted.AsValueMap() {
		if value.IsNull() {
			return nil, fmt.Errorf("the value of %q is null", name)
		}
		texts[name] = value.AsString()
	}
	return texts, nil
}

// jsonnetFile is jsonnetfile.
func (p *Place) jsonnetFile(path string, options jsonnetOptions) (string, error) {
	if p.TempDir == "" {
		return "", errNoTempDir
	}
	out, err := p.evaluateJsonnet(path, options)
	if err != nil {
		return "", err
	}
	out.name = jsonName(filepath.Base(path))
	folder, err := p.write(nil, []output{out})
	return filepath.Join(folder, out.name), err
}

// jsonnetDir is jsonnetdir.
func (p *Place) jsonnetDir(path string, options jsonnetOptions) (string, error) {
	var outputs []output
	folders, err := p.walk(path, func(name string) bool { return strings.HasSuffix(name, ".jsonnet") }, func(s source) error {
		out, err := p.evaluateJsonnet(s.path, options)
		if err != nil {
			return err
		}
		out.name = jsonName(s.name)
		outputs = append(outputs, out)
		return nil
	})
	if err != nil {
		return "", err
	}
	return p.write(folders, outputs)
}

// jsonName is the name of what a Jsonnet file becomes.
func jsonName(name string) string { return strings.TrimSuffix(name, ".jsonnet") + ".json" }
