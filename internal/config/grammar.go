package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// grammar says what one kind of block may hold.
type grammar struct {
	what   string // the block, as messages call it
	schema hcl.BodySchema

	// later are arguments and blocks of the language that this version does
	// not know yet.
	later []string

	// idle are blocks that are accepted and have no effect, with the reason.
	idle map[string]string
}

// The blocks of the language.
var (
	rootGrammar = grammar{
		what: "the file",
		schema: hcl.BodySchema{
			Attributes: []hcl.AttributeSchema{{Name: "project"}, {Name: "labels"}},
			Blocks: []hcl.BlockHeaderSchema{
				{Type: "variable", LabelNames: []string{"name"}},
				{Type: "app", LabelNames: []string{"name"}},
				{Type: "config"},
			},
		},
		later: []string{"pipeline", "source", "auth", "workspace"},
		idle: map[string]string{
			"runner": "Operations run in this process, so there is no runner to choose.",
			"plugin": "Only the built-in plugins can be used, and they need no declaration.",
		},
	}
	appGrammar = grammar{
		what: "an app block",
		schema: hcl.BodySchema{
			Attributes: []hcl.AttributeSchema{{Name: "path"}, {Name: "labels"}},
			Blocks: []hcl.BlockHeaderSchema{
				{Type: "build"}, {Type: "deploy"}, {Type: "release"}, {Type: "config"},
			},
		},
		later: []string{"watch", "depends_on", "preview", "auth"},
		idle: map[string]string{
			"runner": "Operations run in this process, so there is no runner to choose.",
			"url":    "There is no URL service; a releaser gives the app its address.",
		},
	}
	stageGrammars = map[string]grammar{
		"build":    stageGrammar("a build block", []hcl.BlockHeaderSchema{{Type: "registry"}}),
		"registry": stageGrammar("a registry block", nil),
		"deploy":   stageGrammar("a deploy block", nil, "timeout", "rollback", "outdated"),
		"release":  stageGrammar("a release block", nil, "timeout", "rollback", "outdated", "canary", "pause"),
	}
	variantGrammar = grammar{
		what: "a workspace block",
		schema: hcl.BodySchema{
			Attributes: []hcl.AttributeSchema{{Name: "labels"}},
			Blocks: []hcl.BlockHeaderSchema{
				{Type: "use", LabelNames: []string{"plugin"}},
				{Type: "hook"},
			},
		},
		later: []string{"timeout", "rollback", "outdated", "canary", "pause"},
	}
	hookGrammar = grammar{
		what: "a hook block",
		schema: hcl.BodySchema{Attributes: []hcl.AttributeSchema{
			{Name: "when", Required: true},
			{Name: "command", Required: true},
			{Name: "on_failure"},
			{Name: "image"},
			{Name: "identity"},
		}},
	}
	settingsGrammar = grammar{
		what: "a config block",
		schema: hcl.BodySchema{
			Attributes: []hcl.AttributeSchema{{Name: "env"}, {Name: "file"}},
		},
		later: []string{"internal", "file_change_signal", "workspace", "label", "runner"},
	}
	variableGrammar = grammar{
		what: "a variable block",
		schema: hcl.BodySchema{Attributes: []hcl.AttributeSchema{
			{Name: "type"},
			{Name: "default"},
			{Name: "description"},
			{Name: "env"},
			{Name: "sensitive"},
		}},
		later: []string{"validation"},
	}
)

// stageGrammar is the grammar of a build, registry, deploy or release block:
// what all of them hold, and more.
func stageGrammar(what string, more []hcl.BlockHeaderSchema, later ...string) grammar {
	return grammar{
		what: what,
		schema: hcl.BodySchema{
			Attributes: []hcl.AttributeSchema{{Name: "labels"}},
			Blocks: append([]hcl.BlockHeaderSchema{
				{Type: "use", LabelNames: []string{"plugin"}},
				{Type: "hook"},
				{Type: "workspace", LabelNames: []string{"name"}},
			}, more...),
		},
		later: append(later, "label"),
	}
}

// read takes a body apart. What it could not place is in the diagnostics; the
// content is never nil.
func (g grammar) read(body hcl.Body) (*hcl.BodyContent, hcl.Diagnostics) {
	return readBody(body, &g.schema, g.explain)
}

// explain says why the block does not hold item.
func (g grammar) explain(item item) *hcl.Diagnostic {
	if reason, idle := g.idle[item.name]; idle {
		return &hcl.Diagnostic{
			Severity: hcl.DiagWarning,
			Summary:  "Block without effect",
			Detail:   fmt.Sprintf("The %s block is accepted and has no effect. %s", item.name, reason),
			Subject:  &item.rng,
		}
	}
	if slices.Contains(g.later, item.name) {
		return &hcl.Diagnostic{
			Severity: hcl.DiagError,
			Summary:  "Not supported yet",
			Detail:   fmt.Sprintf("%q in %s belongs to the language, but this version does not know it yet. Remove it for now.", item.name, g.what),
			Subject:  &item.rng,
		}
	}
	return unsupported(item, &g.schema, g.what)
}

// one returns the only block of its type in content, or nil. A second one is a
// problem.
func one(content *hcl.BodyContent, blockType string) (*hcl.Block, hcl.Diagnostics) {
	blocks := content.Blocks.OfType(blockType)
	if len(blocks) == 0 {
		return nil, nil
	}
	var diags hcl.Diagnostics
	for _, second := range blocks[1:] {
		diags = append(diags, duplicate(second, blocks[0]))
	}
	return blocks[0], diags
}

// duplicate reports a second block where there may be one.
func duplicate(second, first *hcl.Block) *hcl.Diagnostic {
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Duplicate " + second.Type + " block",
		Detail: fmt.Sprintf("There may be one %s block here, and line %d has one already. Merge the two or remove one.",
			second.Type, first.DefRange.Start.Line),
		Subject: &second.DefRange,
	}
}

// item is an argument or a block that a schema does not have.
type item struct {
	name  string
	block bool // written as a block; in JSON both look the same
	rng   hcl.Range
}

// unsupported says that an item is not known here, and what is.
func unsupported(item item, schema *hcl.BodySchema, what string) *hcl.Diagnostic {
	names := schemaNames(schema)
	attributes := names[:len(schema.Attributes)]
	kind, summary := "argument", "Unsupported argument"
	if item.block {
		kind, summary = "block", "Unsupported block"
	}
	detail := fmt.Sprintf("There is no %s %q in %s.", kind, item.name, what)
	hint := diag.Suggest(item.name, names)
	switch {
	case slices.Contains(attributes, item.name): // an argument written as a block
		detail = fmt.Sprintf("In %s, %q is an argument.", what, item.name)
		hint = fmt.Sprintf(" Write %s = … instead of a block.", item.name)
	case slices.Contains(names, item.name): // a block written as an argument
		detail = fmt.Sprintf("In %s, %q is a block.", what, item.name)
		hint = fmt.Sprintf(" Write %s without an equals sign.", header(item.name, schema))
	case hint == "":
		hint = " " + listing("It has", names)
	}
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail + hint, Subject: &item.rng}
}

// header shows how a block of that type is written.
func header(blockType string, schema *hcl.BodySchema) string {
	for _, block := range schema.Blocks {
		if block.Type == blockType {
			for _, label := range block.LabelNames {
				blockType += " " + quote(strings.ToUpper(label))
			}
		}
	}
	return blockType + " { … }"
}
