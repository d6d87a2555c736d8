// Package bounded parses and evaluates HCL so that it ends.
//
// The library recurses as deep as its input nests, and evaluates whatever it is
// given: a short expression with a few loops in one another would keep a
// machine busy for days, and a line of brackets would exhaust its stack. Here
// source that nests too deep is not parsed, and an evaluation has a budget.
//
// The package knows no block, no argument and no function. Functions bound what
// they make themselves; what they are given is counted here.
package bounded

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	hcljson "github.com/hashicorp/hcl/v2/json"
)

// MaxFile is the size in bytes of the largest file that is parsed. A file of a
// thousand apps has a quarter of it.
const MaxFile = 4 << 20

// maxWords is how many words and signs a file may have. Each needs about 100
// bytes when it is parsed.
const maxWords = 500_000

// Parse parses a file. It is in JSON syntax where its name ends in .json. The
// file is nil where the source is too large or nests too deep.
func Parse(source []byte, name string) (*hcl.File, hcl.Diagnostics) {
	if len(source) > MaxFile {
		return nil, hcl.Diagnostics{{
			Severity: hcl.DiagError,
			Summary:  "File too large",
			Detail: fmt.Sprintf("The file %q has %d bytes, and the limit is %d. Move content into files of its own, which the function file reads.",
				name, len(source), MaxFile),
		}}
	}
	if strings.HasSuffix(name, ".json") {
		if where, deep := deepJSON(source, name); deep {
			return nil, hcl.Diagnostics{tooDeep(where)}
		}
		return hcljson.Parse(source, name)
	}
	if words := countWords(source); words > maxWords {
		return nil, hcl.Diagnostics{{
			Severity: hcl.DiagError,
			Summary:  "File too large",
			Detail: fmt.Sprintf("The file %q has %d words and signs, and the limit is %d. Move content into files of its own, which the function file reads.",
				name, words, maxWords),
		}}
	}
	if len(source) > smallestPart {
		if file, ok := parseParts(source, name); ok {
			return file, nil
		}
	}
	return parsePart(source, name, hcl.InitialPos, newNesting())
}

// parsePart parses source that begins at a position, unless it nests too deep.
func parsePart(source []byte, name string, at hcl.Pos, n *nesting) (*hcl.File, hcl.Diagnostics) {
	tokens, _ := hclsyntax.LexConfig(source, name, at) // the parser finds the same errors
	if where, deep := n.addAll(tokens); deep {
		return nil, hcl.Diagnostics{tooDeep(where)}
	}
	file, diags := hclsyntax.ParseConfig(source, name, at)
	if body, ok := file.Body.(*hclsyntax.Body); ok {
		meterLoops(body)
	}
	return file, diags
}

// ParseExpression parses an expression in native syntax.
func ParseExpression(source []byte, name string, start hcl.Pos) (hcl.Expression, hcl.Diagnostics) {
	tokens, _ := hclsyntax.LexExpression(source, name, start)
	return parse(tokens, func() (hclsyntax.Expression, hcl.Diagnostics) {
		return hclsyntax.ParseExpression(source, name, start)
	})
}

// ParseTemplate parses a template in native syntax: text with ${…} and %{…}.
func ParseTemplate(source []byte, name string, start hcl.Pos) (hcl.Expression, hcl.Diagnostics) {
	tokens, _ := hclsyntax.LexTemplate(source, name, start)
	return parse(tokens, func() (hclsyntax.Expression, hcl.Diagnostics) {
		return hclsyntax.ParseTemplate(source, name, start)
	})
}

// parse parses an expression unless its tokens nest too deep.
func parse(tokens hclsyntax.Tokens, parse func() (hclsyntax.Expression, hcl.Diagnostics)) (hcl.Expression, hcl.Diagnostics) {
	if where, deep := deepTokens(tokens); deep {
		return nil, hcl.Diagnostics{tooDeep(where)}
	}
	expr, diags := parse()
	if diags.HasErrors() {
		return nil, diags
	}
	meterLoops(expr)
	return expr, diags
}

// countWords returns how many tokens source has at most: runs of letters and
// digits, and every other character but spaces.
func countWords(source []byte) int {
	words, inWord := 0, false
	for _, c := range source {
		letter := c == '_' || c >= 0x80 || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
		if c != ' ' && c != '\t' && !(letter && inWord) {
			words++
		}
		inWord = letter
	}
	return words
}

// tooDeep reports source that is not parsed.
func tooDeep(where hcl.Range) *hcl.Diagnostic {
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Nesting too deep",
		Detail:   fmt.Sprintf("More than %d brackets, operators or template directives are nested in one another here. Divide the expression; values of a config block can refer to one another.", maxDepth),
		Subject:  &where,
	}
}
