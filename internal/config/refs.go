package config

import (
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// Refs says which branches and tags may deploy to a workspace: a workspace
// block at the root of the file.
type Refs struct {
	Patterns []string  // as they are written; none where the block has a problem
	Range    hcl.Range // of the block's header
}

// Refs returns the block of a workspace. It is not found where every ref may
// deploy there.
func (p *Project) Refs(workspace string) (refs Refs, found bool) {
	refs, found = p.refs[workspace]
	return refs, found
}

// Allow reports whether a ref may deploy. The ref is a whole one, such as
// refs/heads/main. A pattern that begins with refs/ stands for whole refs, any
// other one for the name of a branch or a tag.
func (r Refs) Allow(ref string) bool {
	name, named := refName(ref)
	return slices.ContainsFunc(r.Patterns, func(pattern string) bool {
		if strings.HasPrefix(pattern, "refs/") {
			return matches(pattern, ref)
		}
		return named && matches(pattern, name)
	})
}

// Names returns the patterns of the names of branches and tags.
func (r Refs) Names() []string {
	var names []string
	for _, pattern := range r.Patterns {
		if name, named := refName(pattern); named {
			names = append(names, name)
		} else if !strings.HasPrefix(pattern, "refs/") {
			names = append(names, pattern)
		}
	}
	return names
}

// refName returns the name of the branch or tag that a whole ref is.
func refName(ref string) (name string, named bool) {
	for _, kind := range []string{"refs/heads/", "refs/tags/"} {
		if name, named = strings.CutPrefix(ref, kind); named {
			return name, true
		}
	}
	return "", false
}

// matches is [path.Match] for a pattern that was found to be one.
func matches(pattern, name string) bool {
	matched, _ := path.Match(pattern, name)
	return matched
}

// readRefs reads the workspace blocks at the root.
func (p *Project) readRefs(blocks hcl.Blocks) hcl.Diagnostics {
	var diags hcl.Diagnostics
	p.refs = map[string]Refs{}
	for _, block := range blocks {
		name, where := block.Labels[0], block.LabelRanges[0]
		diags = append(diags, badWorkspace(name, where)...)
		if earlier, found := p.refs[name]; found {
			diags = append(diags, twice("workspace block", name, where, earlier.Range))
		}
		patterns, more := p.readPatterns(block)
		diags = append(diags, more...)
		if more.HasErrors() {
			patterns = nil // nobody knows who may, so that nobody may
		}
		p.refs[name] = Refs{patterns, block.DefRange}
	}
	return diags
}

// readPatterns reads the patterns of one workspace block.
func (p *Project) readPatterns(block *hcl.Block) ([]string, hcl.Diagnostics) {
	content, diags := refsGrammar.read(block.Body)
	attribute := content.Attributes["refs"]
	if attribute == nil {
		return nil, diags
	}
	patterns, more := texts(attribute, p.earlyContext(), nil)
	diags = append(diags, more...)
	if value, _ := evaluate(attribute.Expr, p.earlyContext()); !value.IsWhollyKnown() && !diags.HasErrors() {
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError,
			Summary:  "Refs that depend on the run",
			Detail:   "The refs depend on the workspace or on the event, which they are to be compared with. Write patterns that are always the same.",
			Subject:  attribute.Expr.Range().Ptr(),
		})
	}
	for _, pattern := range patterns {
		if _, err := path.Match(pattern, ""); err != nil {
			diags = append(diags, badPattern(pattern, attribute))
		}
	}
	return patterns, diags
}
