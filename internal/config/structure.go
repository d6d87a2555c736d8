package config

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
)

// app is an app block, taken apart and not evaluated.
type app struct {
	name     string
	header   hcl.Range
	path     *hcl.Attribute // nil when absent
	labels   *hcl.Attribute // nil when absent
	settings *settings      // nil when absent

	build, push, deploy, release *section // nil when absent
}

// section is a build, registry, deploy or release block.
type section struct {
	kind   string // build, push, deploy or release
	labels *hcl.Attribute
	plain  variant
	scoped map[string]variant // by workspace; one replaces plain as a whole
}

// variant is the part of a section that differs from workspace to workspace.
type variant struct {
	header hcl.Range
	use    *hcl.Block // nil only in a release block
	hooks  hcl.Blocks
}

// settings is a config block.
type settings struct {
	env, file *hcl.Attribute // nil when absent
}

// read takes the whole file apart and checks what needs no evaluation.
func (p *Project) read(body hcl.Body) hcl.Diagnostics {
	content, diags := rootGrammar.read(body)
	if _, found := content.Attributes["project"]; found || !attempted(body, &rootGrammar.schema, "project") {
		diags = append(diags, p.readName(content)...)
	}
	p.labels = content.Attributes["labels"]

	block, more := one(content, "config")
	diags = append(diags, more...)
	p.settings, more = readSettings(block)
	diags = append(diags, more...)

	diags = append(diags, p.readVariables(content.Blocks.OfType("variable"))...)

	first := map[string]hcl.Range{}
	for _, block := range content.Blocks.OfType("app") {
		a, more := readApp(block)
		diags = append(diags, more...)
		if earlier, twice := first[a.name]; twice {
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError,
				Summary:  "Two apps of one name",
				Detail:   fmt.Sprintf("The app %q is defined on line %d already. Rename one of the two.", a.name, earlier.Start.Line),
				Subject:  &block.LabelRanges[0],
			})
			continue
		}
		first[a.name] = block.DefRange
		p.apps = append(p.apps, a)
	}
	return diags
}

// readName evaluates the project's name. State is kept under it, so it must be
// known before a workspace is chosen.
func (p *Project) readName(content *hcl.BodyContent) hcl.Diagnostics {
	attribute, found := content.Attributes["project"]
	if !found {
		return hcl.Diagnostics{{
			Severity: hcl.DiagError,
			Summary:  "Missing project name",
			Detail:   "The file does not say which project it describes. Add project = \"NAME\" at its top.",
			Subject:  &content.MissingItemRange,
		}}
	}
	name, diags := text(attribute, p.earlyContext())
	if diags.HasErrors() {
		return diags
	}
	problem := ""
	switch {
	case name.IsMarked():
		problem = "The project's name is a sensitive value, but it is shown everywhere. Use another one."
	case !name.IsKnown():
		problem = "The project's name depends on the workspace or on the event, but state is kept under it for all of them. Write a name that is always the same."
	case name.AsString() == "":
		problem = "The project's name is empty. Give the project a name, such as that of the repository."
	}
	if problem != "" {
		return hcl.Diagnostics{{
			Severity: hcl.DiagError,
			Summary:  "Invalid project name",
			Detail:   problem,
			Subject:  attribute.Expr.Range().Ptr(),
		}}
	}
	p.name = name.AsString()
	return nil
}

// readApp takes an app block apart. The app is never nil.
func readApp(block *hcl.Block) (*app, hcl.Diagnostics) {
	content, diags := appGrammar.read(block.Body)
	a := &app{
		name:   block.Labels[0],
		header: block.DefRange,
		path:   content.Attributes["path"],
		labels: content.Attributes["labels"],
	}
	if problem := badName(a.name); problem != "" {
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError,
			Summary:  "Invalid app name",
			Detail:   problem,
			Subject:  &block.LabelRanges[0],
		})
	}
	settingsBlock, more := one(content, "config")
	diags = append(diags, more...)
	a.settings, more = readSettings(settingsBlock)
	diags = append(diags, more...)

	diags = append(diags, a.readStages(content)...)
	sections := map[string]*section{"build": a.build, "deploy": a.deploy}
	for _, kind := range keys(sections) {
		if sections[kind] == nil && !attempted(block.Body, &appGrammar.schema, kind) {
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError,
				Summary:  fmt.Sprintf("Missing %s block", kind),
				Detail:   fmt.Sprintf("The app %q has no %s block. Add %s { use \"PLUGIN\" { … } }.", a.name, kind, kind),
				Subject:  &a.header,
			})
		}
	}
	return a, diags
}

// readStages takes the stages of an app apart.
func (a *app) readStages(content *hcl.BodyContent) hcl.Diagnostics {
	var diags hcl.Diagnostics
	section := func(block *hcl.Block, kind string) (*section, *hcl.Block) {
		if block == nil {
			return nil, nil
		}
		content, more := stageGrammars[block.Type].read(block.Body)
		diags = append(diags, more...)
		registry, more := one(content, "registry")
		diags = append(diags, more...)
		s, more := newSection(block, content, kind)
		diags = append(diags, more...)
		return s, registry
	}
	only := func(blockType string) *hcl.Block {
		block, more := one(content, blockType)
		diags = append(diags, more...)
		return block
	}
	var registry *hcl.Block
	a.build, registry = section(only("build"), "build")
	a.push, _ = section(registry, "push")
	a.deploy, _ = section(only("deploy"), "deploy")
	a.release, _ = section(only("release"), "release")
	return diags
}

// newSection sorts the content of a block into its variants.
func newSection(block *hcl.Block, content *hcl.BodyContent, kind string) (*section, hcl.Diagnostics) {
	s := &section{kind: kind, labels: content.Attributes["labels"], scoped: map[string]variant{}}
	var diags, more hcl.Diagnostics
	s.plain, diags = newVariant(block, content, kind)
	for _, scope := range content.Blocks.OfType("workspace") {
		workspace := scope.Labels[0]
		content, more := variantGrammar.read(scope.Body)
		diags = append(diags, more...)
		if problem := badName(workspace); problem != "" {
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError,
				Summary:  "Invalid workspace name",
				Detail:   problem,
				Subject:  &scope.LabelRanges[0],
			})
		}
		if earlier, twice := s.scoped[workspace]; twice {
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError,
				Summary:  "Two blocks for one workspace",
				Detail:   fmt.Sprintf("Line %d has a block for the workspace %q already. Merge the two or remove one.", earlier.header.Start.Line, workspace),
				Subject:  &scope.LabelRanges[0],
			})
			continue
		}
		s.scoped[workspace], more = newVariant(scope, content, kind)
		diags = append(diags, more...)
	}
	return s, append(diags, more...)
}

// newVariant reads what may differ between workspaces.
func newVariant(block *hcl.Block, content *hcl.BodyContent, kind string) (variant, hcl.Diagnostics) {
	use, diags := one(content, "use")
	if use == nil && kind != "release" && !attempted(block.Body, &variantGrammar.schema, "use") {
		detail := fmt.Sprintf("This %s block names no plugin. Add use \"PLUGIN\" { … }.", block.Type)
		if len(content.Blocks.OfType("workspace")) > 0 {
			detail = fmt.Sprintf("This %s block has no use block outside of its workspace blocks. Add use \"PLUGIN\" { … } for all other workspaces.", block.Type)
		}
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError,
			Summary:  "Missing use block",
			Detail:   detail,
			Subject:  &block.DefRange,
		})
	}
	v := variant{header: block.DefRange, use: use, hooks: content.Blocks.OfType("hook")}
	for _, hook := range v.hooks {
		_, more := hookGrammar.read(hook.Body)
		diags = append(diags, more...)
	}
	return v, diags
}

// readSettings takes a config block apart; nil when there is none.
func readSettings(block *hcl.Block) (*settings, hcl.Diagnostics) {
	if block == nil {
		return nil, nil
	}
	content, diags := settingsGrammar.read(block.Body)
	return &settings{env: content.Attributes["env"], file: content.Attributes["file"]}, diags
}
