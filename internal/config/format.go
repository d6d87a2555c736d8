package config

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"

	"github.com/deploy-action/deploy-action/internal/config/bounded"
)

// byteOrderMark may begin a file; the parser skips it.
var byteOrderMark = []byte("\xef\xbb\xbf")

// Format returns source in the canonical layout: aligned and indented, labels
// of blocks in quotes, and the value of an argument that is only "${x}" as x.
// Comments, line ends and a byte order mark stay. Source must be native syntax
// that parses; that it makes sense is not asked. With errors the result is nil,
// and the parsed file is there for the source lines of the diagnostics.
func Format(source []byte, filename string) ([]byte, *hcl.File, hcl.Diagnostics) {
	file, diags := bounded.Parse(source, filename)
	if diags.HasErrors() {
		return nil, file, distinct(diags, filename)
	}
	text, marked := bytes.CutPrefix(source, byteOrderMark)
	windows := windowsLines(text)
	if windows {
		text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	}
	// Rewriting can uncover more to rewrite, as in "${"${x}"}", and each time
	// makes the text shorter or adds quotes that are then there.
	for {
		rewritten := rewrite(text, filename)
		if bytes.Equal(rewritten, text) {
			break
		}
		text = rewritten
	}
	text = hclwrite.Format(text)
	if windows {
		text = bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n"))
	}
	if marked {
		text = slices.Concat(byteOrderMark, text)
	}
	return text, file, nil
}

// windowsLines reports whether every line ends in CR LF. Where only some do,
// the lines of a here-document could be among the others, and none is touched.
func windowsLines(text []byte) bool {
	lines := bytes.Count(text, []byte("\n"))
	return lines > 0 && lines == bytes.Count(text, []byte("\r\n"))
}

// edit replaces the bytes of a range.
type edit struct {
	start, end int
	text       string
}

// rewrite puts labels into quotes and takes values out of "${…}".
func rewrite(text []byte, filename string) []byte {
	file, diags := hclsyntax.ParseConfig(text, filename, hcl.InitialPos)
	body, ok := file.Body.(*hclsyntax.Body)
	if diags.HasErrors() || !ok {
		return text
	}
	var b bytes.Buffer
	done := 0
	for _, e := range bodyEdits(body, text) {
		b.Write(text[done:e.start])
		b.WriteString(e.text)
		done = e.end
	}
	b.Write(text[done:])
	return b.Bytes()
}

// bodyEdits returns what to replace in a body and the blocks in it, in the
// order of the text.
func bodyEdits(body *hclsyntax.Body, text []byte) []edit {
	var edits []edit
	for _, attribute := range body.Attributes {
		if e, ok := unwrap(attribute, text); ok {
			edits = append(edits, e)
		}
	}
	for _, block := range body.Blocks {
		for i, at := range block.LabelRanges {
			if text[at.Start.Byte] != '"' {
				edits = append(edits, edit{at.Start.Byte, at.End.Byte, strconv.Quote(block.Labels[i])})
			}
		}
		edits = append(edits, bodyEdits(block.Body, text)...)
	}
	slices.SortFunc(edits, func(a, b edit) int { return a.start - b.start })
	return edits
}

// unwrap returns the edit that takes the value of an argument out of "${…}",
// if it is all of the value and means the same without.
func unwrap(attribute *hclsyntax.Attribute, text []byte) (edit, bool) {
	wrapped, ok := attribute.Expr.(*hclsyntax.TemplateWrapExpr)
	if !ok {
		return edit{}, false
	}
	at := wrapped.SrcRange
	inner, ok := strings.CutPrefix(string(text[at.Start.Byte:at.End.Byte]), `"${`)
	if !ok {
		return edit{}, false
	}
	inner = strings.TrimSuffix(inner, `}"`)
	inner = strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(inner, "~"), "~"))
	return edit{at.Start.Byte, at.End.Byte, inner}, standsAlone(inner)
}

// standsAlone reports whether an expression of a template is also one outside:
// there, a line end ends it, and a comment would take the rest of the line.
func standsAlone(expression string) bool {
	tokens, _ := hclsyntax.LexExpression([]byte(expression), "", hcl.InitialPos)
	for _, token := range tokens {
		if token.Type == hclsyntax.TokenComment || token.Type == hclsyntax.TokenOHeredoc {
			return false
		}
	}
	_, diags := hclsyntax.ParseConfig([]byte("value = "+expression+"\n"), "", hcl.InitialPos)
	return !diags.HasErrors()
}
