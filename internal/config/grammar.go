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
	items  []term
	schema hcl.BodySchema // the same as items
}

// term is an argument or a block that a grammar knows.
type term struct {
	name     string
	block    bool
	labels   []string // of a block
	required bool     // of an argument
	doc      string   // one sentence for the reference
	idle     string   // why it has no effect; "" for one that has
}

// argument is a term NAME = VALUE.
func argument(name, doc string) term { return term{name: name, doc: doc} }

// required is an argument that must be there.
func required(name, doc string) term { return term{name: name, doc: doc, required: true} }

// block is a term NAME { … }, with labels between the two.
func block(name, doc string, labels ...string) term {
	return term{name: name, doc: doc, block: true, labels: labels}
}

// newGrammar makes a grammar of terms.
func newGrammar(what string, items ...term) grammar {
	g := grammar{what: what, items: items}
	for _, t := range items {
		if t.block {
			g.schema.Blocks = append(g.schema.Blocks, hcl.BlockHeaderSchema{Type: t.name, LabelNames: t.labels})
			continue
		}
		g.schema.Attributes = append(g.schema.Attributes, hcl.AttributeSchema{Name: t.name, Required: t.required})
	}
	return g
}

// read takes a body apart. What it could not place is in the diagnostics; the
// content is never nil.
func (g grammar) read(body hcl.Body) (*hcl.BodyContent, hcl.Diagnostics) {
	return readBody(body, &g.schema, g.explain)
}

// explain says why the block does not hold item, and where that belongs.
func (g grammar) explain(item item) *hcl.Diagnostic {
	d := unsupported(item, &g.schema, g.what)
	if homes := homesOf(item.name); len(homes) > 0 && !slices.Contains(schemaNames(&g.schema), item.name) {
		kind := "argument"
		if item.block {
			kind = "block"
		}
		d.Detail = fmt.Sprintf("There is no %s %q in %s. It belongs into %s.", kind, item.name, g.what, strings.Join(homes, " or "))
	} else if names := schemaNames(&g.schema); item.block && slices.Contains(names, "use") && diag.Nearest(item.name, names) == "" {
		d.Detail += fmt.Sprintf(" To use a plugin of that name, write use %q { … }.", item.name)
	}
	return d
}

// homesOf returns the blocks, as messages call them, that hold an argument or
// a block of that name: those near the root only, where things are misplaced.
func homesOf(name string) []string {
	var homes []string
	for _, g := range []grammar{
		rootGrammar, appGrammar, stageGrammars["build"], stageGrammars["registry"],
		stageGrammars["deploy"], stageGrammars["release"], settingsGrammar, hookGrammar, variableGrammar,
	} {
		if slices.Contains(schemaNames(&g.schema), name) {
			homes = append(homes, g.what)
		}
	}
	return homes
}

// withoutEffect warns of what content holds and what is accepted only because
// Waypoint knew it.
func (g grammar) withoutEffect(content *hcl.BodyContent) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, t := range g.items {
		if t.idle == "" {
			continue
		}
		at, found := hcl.Range{}, false
		if attribute, ok := content.Attributes[t.name]; ok {
			at, found = attribute.NameRange, true
		} else if blocks := content.Blocks.OfType(t.name); len(blocks) > 0 {
			at, found = blocks[0].TypeRange, true
		}
		if found {
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagWarning,
				Summary:  fmt.Sprintf("%q has no effect", t.name),
				Detail:   fmt.Sprintf("It is accepted in %s and has no effect. %s", g.what, t.idle),
				Subject:  &at,
			})
		}
	}
	return diags
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

// twice reports a second block of one name.
func twice(what, name string, second, first hcl.Range) *hcl.Diagnostic {
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Duplicate " + what,
		Detail:   fmt.Sprintf("The %s %q is on line %d already. Rename, merge or remove one of the two.", what, name, first.Start.Line),
		Subject:  &second,
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
