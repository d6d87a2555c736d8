package bounded

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// native returns the expression of a JSON file in native syntax: its strings
// are templates, and their loops cost what they do elsewhere.
func native(expr hcl.Expression) (hclsyntax.Expression, hcl.Diagnostics) {
	where := expr.Range()
	if elements, diags := hcl.ExprList(expr); !diags.HasErrors() {
		list := &hclsyntax.TupleConsExpr{SrcRange: where, OpenRange: expr.StartRange()}
		for _, element := range elements {
			value, diags := native(element)
			if diags.HasErrors() {
				return nil, diags
			}
			list.Exprs = append(list.Exprs, value)
		}
		return list, nil
	}
	if pairs, diags := hcl.ExprMap(expr); !diags.HasErrors() {
		return nativeObject(expr, pairs)
	}
	written, diags := expr.Value(nil) // without a context, strings are no templates
	switch {
	case diags.HasErrors():
		return nil, diags
	case written.IsNull(), written.Type() != cty.String:
		return &hclsyntax.LiteralValueExpr{Val: written, SrcRange: where}, nil
	}
	template, diags := hclsyntax.ParseTemplate([]byte(written.AsString()), where.Filename, inside(where.Start))
	if diags.HasErrors() {
		return nil, diags
	}
	meterLoops(template)
	return template, nil
}

// nativeObject is native for an object.
func nativeObject(expr hcl.Expression, pairs []hcl.KeyValuePair) (hclsyntax.Expression, hcl.Diagnostics) {
	object := &hclsyntax.ObjectConsExpr{SrcRange: expr.Range(), OpenRange: expr.StartRange()}
	seen := map[string]bool{}
	for _, pair := range pairs {
		written, diags := pair.Key.Value(nil)
		if diags.HasErrors() {
			return nil, diags
		}
		if seen[written.AsString()] {
			return nil, hcl.Diagnostics{{
				Severity: hcl.DiagError,
				Summary:  "Duplicate key",
				Detail:   fmt.Sprintf("This object has the key %q twice. Remove one of the two.", written.AsString()),
				Subject:  pair.Key.Range().Ptr(),
			}}
		}
		seen[written.AsString()] = true
		key, diags := native(pair.Key)
		if diags.HasErrors() {
			return nil, diags
		}
		value, diags := native(pair.Value)
		if diags.HasErrors() {
			return nil, diags
		}
		object.Items = append(object.Items, hclsyntax.ObjectConsItem{KeyExpr: key, ValueExpr: value})
	}
	return object, nil
}

// inside is the position after a quote. What is escaped moves what follows it.
func inside(quote hcl.Pos) hcl.Pos {
	return hcl.Pos{Line: quote.Line, Column: quote.Column + 1, Byte: quote.Byte + 1}
}

// deepJSON returns the place in JSON text where brackets, or the templates in
// its strings, nest too deep.
func deepJSON(source []byte, name string) (hcl.Range, bool) {
	depth, opened := 0, -1 // the quote of the present string
	line, start := 1, 0
	at := func(i int) hcl.Pos { return hcl.Pos{Line: line, Column: i - start + 1, Byte: i} }
	for i := 0; i < len(source); i++ {
		switch c := source[i]; {
		case c == '\n':
			line, start = line+1, i+1
		case opened >= 0 && c == '\\':
			i++
		case c == '"' && opened < 0:
			opened = i
		case c == '"':
			if where, deep := deepString(source[opened:i+1], name, at(opened)); deep {
				return where, true
			}
			opened = -1
		case opened >= 0:
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			depth--
		}
		if depth > maxDepth {
			return hcl.Range{Filename: name, Start: at(i), End: at(i + 1)}, true
		}
	}
	return hcl.Range{}, false
}

// deepString is deepJSON for one string, with its quotes.
func deepString(quoted []byte, name string, quote hcl.Pos) (hcl.Range, bool) {
	if len(quoted) <= maxDepth {
		return hcl.Range{}, false
	}
	var text string
	if json.Unmarshal(quoted, &text) != nil || !strings.Contains(text, "{") {
		return hcl.Range{}, false // the parser finds what is wrong
	}
	tokens, _ := hclsyntax.LexTemplate([]byte(text), name, inside(quote))
	return deepTokens(tokens)
}

// DeepJSON reports whether JSON text nests too deep to be decoded.
func DeepJSON(text string) bool {
	_, deep := deepJSON([]byte(text), "")
	return deep
}
