package config

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/config/funcs"
)

// section is a build, registry, deploy or release block.
type section struct {
	kind     string // build, push, deploy or release
	labels   *hcl.Attribute
	plain    variant
	scoped   map[string]variant // by workspace; one replaces plain as a whole
	labelled []labelled         // in the order in which they are tried
}

// variant is the part of a section that its scopes replace.
type variant struct {
	header hcl.Range
	body   hcl.Body
	use    *hcl.Block // nil only in a release block
	hooks  hcl.Blocks
}

// labelled is a variant for operations whose labels match a selector.
type labelled struct {
	text     string
	selector *funcs.Selector
	where    hcl.Range
	variant
}

// choose returns the variant for a workspace and the labels of an operation:
// that of the workspace, or else that of the longest selector that matches, or
// else the plain one.
func (s *section) choose(workspace string, labels map[string]string) (variant, hcl.Diagnostics) {
	if v, found := s.scoped[workspace]; found {
		return v, nil
	}
	for _, l := range s.labelled {
		matches, err := l.selector.Match(labels)
		if err != nil {
			return s.plain, hcl.Diagnostics{badSelector(l.text, err, l.where)}
		}
		if matches {
			return l.variant, nil
		}
	}
	return s.plain, nil
}

// badSelector reports the selector of a label block.
func badSelector(selector string, err error, where hcl.Range) *hcl.Diagnostic {
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Invalid label selector",
		Detail:   fmt.Sprintf("The selector %q cannot be used: %v.", selector, err),
		Subject:  &where,
	}
}

// byLength orders selectors as they are tried: the longest first, and of equal
// ones the first in the file.
func byLength[T any](scopes []T, selector func(T) string) {
	slices.SortStableFunc(scopes, func(a, b T) int { return len(selector(b)) - len(selector(a)) })
}

// newSection sorts the content of a block into its variants.
func newSection(block *hcl.Block, content *hcl.BodyContent, kind string) (*section, hcl.Diagnostics) {
	s := &section{kind: kind, labels: content.Attributes["labels"], scoped: map[string]variant{}}
	var diags hcl.Diagnostics
	s.plain, diags = newVariant(block, content, kind)
	grammar := scopeGrammars[block.Type]
	for _, scope := range content.Blocks.OfType("workspace") {
		workspace, where := scope.Labels[0], scope.LabelRanges[0]
		content, more := grammar.read(scope.Body)
		diags = append(diags, more...)
		diags = append(diags, badWorkspace(workspace, where)...)
		if earlier, found := s.scoped[workspace]; found {
			diags = append(diags, twice("workspace block", workspace, where, earlier.header))
			continue
		}
		s.scoped[workspace], more = newVariant(scope, content, kind)
		diags = append(diags, more...)
	}
	for _, scope := range content.Blocks.OfType("label") {
		text, where := scope.Labels[0], scope.LabelRanges[0]
		content, more := grammar.read(scope.Body)
		diags = append(diags, more...)
		v, more := newVariant(scope, content, kind)
		diags = append(diags, more...)
		if i := slices.IndexFunc(s.labelled, func(l labelled) bool { return l.text == text }); i >= 0 {
			diags = append(diags, twice("label block", text, where, s.labelled[i].header))
			continue
		}
		selector, err := funcs.ParseSelector(text)
		if err != nil {
			diags = append(diags, badSelector(text, err, where))
			continue
		}
		s.labelled = append(s.labelled, labelled{text, selector, where, v})
	}
	byLength(s.labelled, func(l labelled) string { return l.text })
	return s, diags
}

// badWorkspace reports a workspace of a name that cannot be.
func badWorkspace(name string, where hcl.Range) hcl.Diagnostics {
	if problem := badName(name); problem != "" {
		return hcl.Diagnostics{{
			Severity: hcl.DiagError,
			Summary:  "Invalid workspace name",
			Detail:   problem,
			Subject:  &where,
		}}
	}
	return nil
}

// newVariant reads what a scope replaces.
func newVariant(block *hcl.Block, content *hcl.BodyContent, kind string) (variant, hcl.Diagnostics) {
	use, diags := one(content, "use")
	grammar := stageGrammars["build"]
	if use == nil && kind != "release" && !attempted(block.Body, &grammar.schema, "use") {
		detail := fmt.Sprintf("This %s block names no plugin. Add use \"PLUGIN\" { … }.", block.Type)
		if len(content.Blocks.OfType("workspace"))+len(content.Blocks.OfType("label")) > 0 {
			detail = fmt.Sprintf("This %s block has no use block outside of its workspace and label blocks. Add use \"PLUGIN\" { … } for where none of them applies.", block.Type)
		}
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError,
			Summary:  "Missing use block",
			Detail:   detail,
			Subject:  &block.DefRange,
		})
	}
	diags = append(diags, entrypointWarning(use)...)
	v := variant{header: block.DefRange, body: block.Body, use: use, hooks: content.Blocks.OfType("hook")}
	for _, hook := range v.hooks {
		_, more := hookGrammar.read(hook.Body)
		diags = append(diags, more...)
	}
	return v, diags
}

// entrypointWarning says that an argument of Waypoint's image builders has no
// effect, whatever its value.
func entrypointWarning(use *hcl.Block) hcl.Diagnostics {
	if use == nil {
		return nil
	}
	attributes, _ := use.Body.JustAttributes()
	attribute, found := attributes["disable_entrypoint"]
	if !found {
		return nil
	}
	return hcl.Diagnostics{{
		Severity: hcl.DiagWarning,
		Summary:  `"disable_entrypoint" has no effect`,
		Detail:   "Nothing is added to an image, whatever it says. Remove it.",
		Subject:  &attribute.NameRange,
	}}
}
