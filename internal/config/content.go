package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// readBody is body.Content with better messages: explain says what is wrong
// with an item that schema does not have, and a missing argument that was only
// misspelt is not reported a second time. The content is never nil.
func readBody(body hcl.Body, schema *hcl.BodySchema, explain func(item) *hcl.Diagnostic) (*hcl.BodyContent, hcl.Diagnostics) {
	content, raw := body.Content(withoutRequired(schema))
	if content == nil {
		content = &hcl.BodyContent{MissingItemRange: body.MissingItemRange()}
	}
	var (
		diags   hcl.Diagnostics
		unknown []string
		items   map[hcl.Range]item
	)
	if len(raw) > 0 {
		items = unknownItems(body, schema)
	}
	for _, d := range raw {
		found, ok := items[subject(d)]
		if !ok {
			explainLabels(d, body, schema)
			diags = append(diags, d)
			continue
		}
		unknown = append(unknown, found.name)
		diags = append(diags, explain(found))
	}
	return content, append(diags, missing(content, schema, unknown)...)
}

// explainLabels says how a block with too few or too many names is written, if
// that is what d is about: it points at the brace, or at the name.
func explainLabels(d *hcl.Diagnostic, body hcl.Body, schema *hcl.BodySchema) {
	native, ok := body.(*hclsyntax.Body)
	if !ok {
		return
	}
	for _, block := range native.Blocks {
		i := slices.IndexFunc(schema.Blocks, func(h hcl.BlockHeaderSchema) bool { return h.Type == block.Type })
		if i < 0 {
			continue
		}
		want := len(schema.Blocks[i].LabelNames)
		switch {
		case len(block.Labels) < want && block.OpenBraceRange == subject(d):
			d.Detail = fmt.Sprintf("This %s block has no name. Write %s.", block.Type, header(block.Type, schema))
		case len(block.Labels) > want && block.LabelRanges[want] == subject(d):
			d.Detail = fmt.Sprintf("This %s block has a name too many. Write %s.", block.Type, header(block.Type, schema))
		}
	}
}

// withoutRequired is schema with every argument optional, so that HCL does not
// complain of missing ones in its own words.
func withoutRequired(schema *hcl.BodySchema) *hcl.BodySchema {
	attributes := slices.Clone(schema.Attributes)
	for i := range attributes {
		attributes[i].Required = false
	}
	return &hcl.BodySchema{Attributes: attributes, Blocks: schema.Blocks}
}

// unknownItems returns what body holds and schema does not know, by the range
// of its name: that is where HCL's diagnostics about it point.
func unknownItems(body hcl.Body, schema *hcl.BodySchema) map[hcl.Range]item {
	names := schemaNames(schema)
	attributes, blocks := names[:len(schema.Attributes)], names[len(schema.Attributes):]
	native, ok := body.(*hclsyntax.Body)
	if !ok {
		attributes = names // in JSON an argument and a block look the same
	}
	items := map[hcl.Range]item{}
	written, _ := body.JustAttributes()
	for name, attribute := range written {
		if !slices.Contains(attributes, name) {
			items[attribute.NameRange] = item{name, false, attribute.NameRange}
		}
	}
	if !ok {
		return items
	}
	for _, block := range native.Blocks {
		if !slices.Contains(blocks, block.Type) {
			items[block.TypeRange] = item{block.Type, true, block.TypeRange}
		}
	}
	return items
}

// missing reports the required arguments that content lacks, but for those
// that one of the unknown names was probably meant to be.
func missing(content *hcl.BodyContent, schema *hcl.BodySchema, unknown []string) hcl.Diagnostics {
	names := schemaNames(schema)
	misspelt := map[string]bool{}
	for _, name := range unknown {
		misspelt[diag.Nearest(name, names)] = true
	}
	var diags hcl.Diagnostics
	for _, attribute := range schema.Attributes {
		if _, found := content.Attributes[attribute.Name]; found || !attribute.Required || misspelt[attribute.Name] {
			continue
		}
		diags = append(diags, missingArgument(attribute.Name, content.MissingItemRange))
	}
	return diags
}

// attempted reports whether body holds something that is, or was probably meant
// to be, an argument or block of that name: then its problem has been reported
// already, and that it is missing is none of its own.
func attempted(body hcl.Body, schema *hcl.BodySchema, name string) bool {
	known := schemaNames(schema)
	for _, written := range writtenNames(body) {
		if written == name && !empty(body, schema, name) {
			return true
		}
		if !slices.Contains(known, written) && diag.Nearest(written, known) == name {
			return true
		}
	}
	return false
}

// empty reports whether body, in JSON, has null or an empty list for the blocks
// of that name: that is how a program writes that there is none.
func empty(body hcl.Body, schema *hcl.BodySchema, name string) bool {
	if _, native := body.(*hclsyntax.Body); native {
		return false
	}
	i := slices.IndexFunc(schema.Blocks, func(h hcl.BlockHeaderSchema) bool { return h.Type == name })
	if i < 0 {
		return false
	}
	content, _, diags := body.PartialContent(&hcl.BodySchema{Blocks: schema.Blocks[i : i+1]})
	return !diags.HasErrors() && len(content.Blocks) == 0
}

// schemaNames returns the names of the arguments and then of the blocks of a
// schema.
func schemaNames(schema *hcl.BodySchema) []string {
	var names []string
	for _, attribute := range schema.Attributes {
		names = append(names, attribute.Name)
	}
	for _, block := range schema.Blocks {
		names = append(names, block.Type)
	}
	return names
}

// writtenNames returns the names of everything in body.
func writtenNames(body hcl.Body) []string {
	attributes, _ := body.JustAttributes()
	names := keys(attributes)
	if native, ok := body.(*hclsyntax.Body); ok {
		for _, block := range native.Blocks {
			names = append(names, block.Type)
		}
	}
	return names
}

// missingArgument reports one required argument.
func missingArgument(name string, where hcl.Range) *hcl.Diagnostic {
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Missing required argument",
		Detail:   fmt.Sprintf("The argument %q is required here. Add %s = ….", name, name),
		Subject:  &where,
	}
}

// subject is the range that d points at, or the zero range.
func subject(d *hcl.Diagnostic) hcl.Range {
	if d.Subject == nil {
		return hcl.Range{}
	}
	return *d.Subject
}

// quote is %q, for messages that are put together.
func quote(name string) string { return strconv.Quote(name) }

// listing is a sentence that lists names: `It has "a", "b" and "c".`
func listing(verb string, names []string) string {
	if len(names) == 0 {
		return verb + " none."
	}
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = quote(name)
	}
	last := len(quoted) - 1
	if last == 0 {
		return verb + " " + quoted[0] + "."
	}
	return verb + " " + strings.Join(quoted[:last], ", ") + " and " + quoted[last] + "."
}

// keys returns the keys of m in order.
func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
