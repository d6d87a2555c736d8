package funcs

import (
	"cmp"
	"slices"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// Signature describes a function for the reference.
type Signature struct {
	Name    string
	Group   string // the heading that it belongs under
	Params  []Param
	Returns string // a type, or "any value" where that depends on the arguments
	Summary string // one sentence
}

// Param is a parameter of a function.
type Param struct {
	Name     string
	Type     string
	Variadic bool // any number of arguments, or none
}

// Reference returns all functions of this package: by group, and by name within
// a group.
func Reference() []Signature {
	place := &Place{}
	groups := append(standardGroups(), place.groups()...)
	groups = append(groups, group{"Templates", place.templateEntries(nil)})
	var all []Signature
	for _, g := range groups {
		start := len(all)
		for _, e := range g.entries {
			all = append(all, e.signature(g.name))
		}
		slices.SortFunc(all[start:], func(a, b Signature) int { return cmp.Compare(a.Name, b.Name) })
	}
	return all
}

func (e entry) signature(group string) Signature {
	s := Signature{Name: e.name, Group: group, Returns: returns(e.function), Summary: e.summary}
	for _, p := range e.function.Params() {
		s.Params = append(s.Params, Param{Name: p.Name, Type: typeName(p.Type)})
	}
	if p := e.function.VarParam(); p != nil {
		s.Params = append(s.Params, Param{Name: p.Name, Type: typeName(p.Type), Variadic: true})
	}
	return s
}

// returns is the type of what a function returns for arguments of which only
// the types are known.
func returns(f function.Function) string {
	var kinds []cty.Type
	for _, p := range f.Params() {
		kinds = append(kinds, p.Type)
	}
	kind, err := f.ReturnType(kinds)
	if err != nil {
		kind = cty.DynamicPseudoType // what it returns depends on more than that
	}
	return typeName(kind)
}

// typeName is a type as the reference writes it.
func typeName(t cty.Type) string {
	switch {
	case t == cty.DynamicPseudoType:
		return "any value"
	case t.IsCapsuleType():
		return "expression"
	}
	return t.FriendlyNameForConstraint()
}
