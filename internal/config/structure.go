package config

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// app is an app block, taken apart and not evaluated.
type app struct {
	name     string
	header   hcl.Range
	settings *settings // nil when absent

	path, labels, watch, dependsOn *hcl.Attribute // nil when absent
	preview                        *hcl.Block     // nil when absent
	auth                           hcl.Blocks

	build, push, deploy, release *section // nil when absent
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
	diags = append(diags, p.readSources(content.Blocks.OfType("source"))...)
	diags = append(diags, p.readRefs(content.Blocks.OfType("workspace"))...)
	p.auth = content.Blocks.OfType("auth")
	diags = append(diags, readAuth(p.auth, p.declaredContext(""))...)
	diags = append(diags, p.readPlugins(content.Blocks.OfType("plugin"))...)
	diags = append(diags, p.readPipelines(content.Blocks.OfType("pipeline"))...)
	diags = append(diags, rootGrammar.withoutEffect(content)...)

	first := map[string]hcl.Range{}
	for _, block := range content.Blocks.OfType("app") {
		a, more := p.readApp(block)
		diags = append(diags, more...)
		if earlier, found := first[a.name]; found {
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
	return eachWarningOnce(diags)
}

// eachWarningOnce leaves out warnings that were given before: what has no
// effect in one app has none in a hundred.
func eachWarningOnce(diags hcl.Diagnostics) hcl.Diagnostics {
	given := map[string]bool{}
	return slices.DeleteFunc(diags, func(d *hcl.Diagnostic) bool {
		if d.Severity != hcl.DiagWarning {
			return false
		}
		again := given[d.Summary]
		given[d.Summary] = true
		return again
	})
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
	case name.AsString() == ".", name.AsString() == "..":
		problem = badName(name.AsString())
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
func (p *Project) readApp(block *hcl.Block) (*app, hcl.Diagnostics) {
	content, diags := appGrammar.read(block.Body)
	a := &app{
		name:   block.Labels[0],
		header: block.DefRange,

		path:      content.Attributes["path"],
		labels:    content.Attributes["labels"],
		watch:     content.Attributes["watch"],
		dependsOn: content.Attributes["depends_on"],
		auth:      content.Blocks.OfType("auth"),
	}
	diags = append(diags, appGrammar.withoutEffect(content)...)
	diags = append(diags, readAuth(a.auth, p.declaredContext(a.name))...)
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

	a.preview, more = one(content, "preview")
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
