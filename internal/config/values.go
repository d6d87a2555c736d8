package config

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/zclconf/go-cty/cty"

	"github.com/deploy-action/deploy-action/internal/config/bounded"
	"github.com/deploy-action/deploy-action/internal/config/funcs"
	"github.com/deploy-action/deploy-action/internal/diag"
)

// variablePrefix begins the names of variables in the environment.
const variablePrefix = "WP_VAR_"

// given is a value that was given to a variable: as text, or in a file.
type given struct {
	source string // for messages, e.g. `--var`
	text   string
	file   *hcl.Attribute // nil for a text
	secret bool           // it is a sensitive value of the runner block
}

// givenValues returns the values that are given to variables by their own
// names. Sources, the last that has a value wins: files that are read by
// themselves, WP_VAR_NAME in the environment, files that are named, and values
// that are named.
func (p *Project) givenValues(in Inputs, environ map[string]string) (map[string]given, hcl.Diagnostics) {
	if p.unread {
		return nil, nil // which variables there are is not known
	}
	declared := map[string]*variable{}
	for _, v := range p.variables {
		declared[v.name] = v
	}
	values := map[string]given{}
	var diags hcl.Diagnostics
	give := func(name string, g given) {
		if _, found := declared[name]; !found {
			diags = append(diags, undefined(name, g, keys(declared)))
			return
		}
		values[name] = g
	}

	diags = append(diags, p.readVariableFiles(p.automaticFiles(), give)...)
	for _, key := range keys(environ) {
		if name, ok := strings.CutPrefix(key, variablePrefix); ok {
			give(name, given{source: "the environment variable " + key, text: environ[key]})
		}
	}
	diags = append(diags, p.readVariableFiles(in.VarFiles, give)...)
	for _, assignment := range in.Variables {
		name, text, ok := strings.Cut(assignment, "=")
		if name = strings.TrimSpace(name); !ok || name == "" {
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError,
				Summary:  "Invalid variable",
				Detail:   "A variable is given without a name or without a value. Write NAME=VALUE.",
			})
			continue
		}
		give(name, given{source: "--var", text: text})
	}
	return values, diags
}

// fromEnvironment returns the given values, and for each variable without one
// what the environment has under its declared names. These may also be those
// of the runner block, as far as it needs no variable; waiting has the entries
// of it that sources must answer first.
func (p *Project) fromEnvironment(s Scope) (found map[string]given, waiting map[string]*entry) {
	found, waiting = maps.Clone(s.named), map[string]*entry{}
	if p.unread {
		return found, waiting
	}
	s.ctx, s.shared = s.head, &shared{groups: map[string]sharedValues{}}
	runner := s.runnerValues()
	for _, v := range p.variables {
		if _, given := found[v.name]; given {
			continue
		}
		g, open := v.inEnvironment(s.environ, runner)
		switch {
		case open != nil:
			waiting[v.name] = open
		case g.text != "":
			found[v.name] = g
		}
	}
	return found, waiting
}

// inEnvironment returns what the declared names of v have in the environment
// and in the runner block, or the entry of the latter that is not known yet.
func (v *variable) inEnvironment(environ map[string]string, runner values) (given, *entry) {
	for _, name := range v.env {
		g := given{source: "the environment variable " + name, text: environ[name]}
		if g.text != "" {
			return g, nil
		}
		for _, e := range runner.matching("env", name) {
			value, marks := e.value.Unmark()
			switch {
			case value.IsKnown() && value.AsString() != "":
				g.text, g.secret = value.AsString(), len(marks) > 0
				return g, nil
			case e.waits:
				return given{}, e
			}
		}
	}
	return given{}, nil
}

// resolve returns the value of every variable: the given one, or else its
// default. Those without a good one are unknown.
func (p *Project) resolve(s Scope) (map[string]cty.Value, hcl.Diagnostics) {
	result := map[string]cty.Value{}
	if p.unread {
		return result, nil
	}
	var diags hcl.Diagnostics
	for _, v := range p.variables {
		if s.waiting[v.name] != nil {
			result[v.name] = cty.UnknownVal(v.constraint).Mark(funcs.Sensitive)
			continue
		}
		g, found := s.given[v.name]
		value, more := v.value(g, found, s)
		diags = append(diags, more...)
		if v.sensitive || g.secret {
			value = value.Mark(funcs.Sensitive)
		}
		result[v.name] = value
	}
	return result, diags
}

// value returns the value of v: the given one, or else its default.
func (v *variable) value(g given, found bool, s Scope) (cty.Value, hcl.Diagnostics) {
	unknown := cty.UnknownVal(v.constraint)
	switch {
	case v.broken:
		return unknown, nil
	case !found && v.standard == nil:
		return unknown, hcl.Diagnostics{v.unset()}
	case !found:
		return v.fallback(v.context(s))
	}
	detail := fmt.Sprintf("The value of %q from %s cannot be read", v.name, g.source)
	raw, err := g.value(v.written)
	if err == nil {
		detail = fmt.Sprintf("The value of %q from %s does not fit its type, which is %s", v.name, g.source, typeexpr.TypeString(v.constraint))
		raw, err = v.convert(raw)
	}
	if err == nil {
		return raw, nil
	}
	if !v.sensitive && !g.secret { // HCL's words may quote the value
		detail += ": " + conversion(err)
	}
	where := &v.header
	if g.file != nil {
		where = g.file.Expr.Range().Ptr()
	}
	return unknown, hcl.Diagnostics{{
		Severity: hcl.DiagError,
		Summary:  "Invalid value for variable",
		Detail:   detail + ".",
		Subject:  where,
	}}
}

// unset reports a variable without a value.
func (v *variable) unset() *hcl.Diagnostic {
	ways := fmt.Sprintf("--var %s=VALUE, the action's input `variables`, the environment variable %s%s", v.name, variablePrefix, v.name)
	if len(v.env) > 0 {
		ways += " or " + strings.Join(v.env, " or ")
	}
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Unset variable",
		Detail:   fmt.Sprintf("The variable %q has no default, and no value was given to it. Give one with %s, or a .wpvars file, or add a default.", v.name, ways),
		Subject:  &v.header,
	}
}

// undefined reports a value for a variable that is not declared.
func undefined(name string, g given, declared []string) *hcl.Diagnostic {
	d := &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Undefined variable",
		Detail: fmt.Sprintf("A value for %q comes from %s, but the file declares no such variable.%s Remove the value, or add variable %q { }.",
			name, g.source, diag.Suggest(name, declared), name),
	}
	if g.file != nil {
		d.Subject = &g.file.NameRange
	}
	return d
}

// value returns the value as it was given. The text of a variable that is
// written is an expression.
func (g given) value(written bool) (cty.Value, error) {
	switch {
	case g.file != nil:
		value, diags := g.file.Expr.Value(nil)
		return value, firstOf(diags)
	case !written:
		return cty.StringVal(g.text), nil
	}
	expr, diags := bounded.ParseExpression([]byte(g.text), g.source, hcl.InitialPos)
	if diags.HasErrors() {
		return cty.NilVal, firstOf(diags)
	}
	value, diags := expr.Value(nil)
	return value, firstOf(diags)
}

// firstOf returns the first error in diags in HCL's words, without its place.
func firstOf(diags hcl.Diagnostics) error {
	for _, d := range diags {
		if d.Severity == hcl.DiagError {
			return errors.New(strings.TrimSuffix(d.Summary+": "+d.Detail, "."))
		}
	}
	return nil
}

// automaticFiles returns the files of variables beside waypoint.hcl that are
// read without being named, in the order of their names.
func (p *Project) automaticFiles() []string {
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		return nil // the folder held waypoint.hcl a moment ago
	}
	var paths []string
	for _, entry := range entries {
		name := strings.TrimSuffix(entry.Name(), ".json")
		if strings.HasSuffix(name, ".auto.wpvars") && !entry.IsDir() {
			paths = append(paths, filepath.Join(filepath.Dir(p.path), entry.Name()))
		}
	}
	return paths
}

// readVariableFiles gives the values in files, in order.
func (p *Project) readVariableFiles(paths []string, give func(string, given)) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, path := range paths {
		file, more := p.parse(path)
		diags = append(diags, more...)
		if slices.ContainsFunc(p.variables, func(v *variable) bool { return v.sensitive }) {
			delete(p.files, path) // a problem in it must not show its lines
		}
		if more.HasErrors() {
			continue
		}
		content, _, more := file.Body.PartialContent(&hcl.BodySchema{
			Blocks: []hcl.BlockHeaderSchema{{Type: "variable", LabelNames: []string{"name"}}},
		})
		if len(content.Blocks) > 0 || more.HasErrors() {
			d := &hcl.Diagnostic{
				Severity: hcl.DiagError,
				Summary:  "Variable declaration in a wpvars file",
				Detail:   "Such a file gives values, one NAME = VALUE a line; variables are declared in waypoint.hcl. Move the block there.",
			}
			if len(content.Blocks) > 0 {
				d.Subject = &content.Blocks[0].DefRange
			}
			diags = append(diags, d)
			continue
		}
		attributes, more := file.Body.JustAttributes()
		diags = append(diags, more...)
		for _, name := range keys(attributes) {
			give(name, given{source: filepath.Base(path), file: attributes[name]})
		}
	}
	return diags
}

// environment makes a map of KEY=VALUE pairs.
func environment(environ []string) map[string]string {
	values := make(map[string]string, len(environ))
	for _, pair := range environ {
		key, value, _ := strings.Cut(pair, "=")
		values[key] = value
	}
	return values
}
