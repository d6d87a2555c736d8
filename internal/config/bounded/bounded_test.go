package bounded_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/deploy-action/deploy-action/internal/config/bounded"
)

// large is a file that is parsed in parts.
func large() string {
	var b strings.Builder
	b.WriteString("project = \"shop\"\n")
	for i := range 500 {
		fmt.Fprintf(&b, "app \"app%d\" {\n  text = \"${var.x} # { [\"\n  list = [\n    <<END\n)\n }\nEND\n    , 1,\n  ]\n  inner {\n  }\n}\n", i)
	}
	b.WriteString("last = 1\n")
	return b.String()
}

// A large file is the same whether it is parsed in parts or as a whole.
func TestParts(t *testing.T) {
	t.Parallel()
	for name, source := range map[string]string{
		"in parts":      large(),
		"Windows":       strings.ReplaceAll(large(), "\n", "\r\n"),
		"at the margin": strings.ReplaceAll(large(), "\n  }\n", "\n}\n"),
		"in a heredoc":  strings.ReplaceAll(large(), "\n }\n", "\n}\n"),
		"a comment":     large() + "/* }\n}\n */\n",
		"no last line":  strings.TrimSuffix(large(), "\n"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, diags := bounded.Parse([]byte(source), "waypoint.hcl")
			want, more := hclsyntax.ParseConfig([]byte(source), "waypoint.hcl", hcl.InitialPos)
			if len(diags) > 0 || len(more) > 0 {
				t.Fatal(diags, more)
			}
			if diff := cmp.Diff(shape(want.Body.(*hclsyntax.Body)), shape(got.Body.(*hclsyntax.Body))); diff != "" {
				t.Errorf("the parts (-want +got):\n%s", diff)
			}
			if got.Body.MissingItemRange() != want.Body.MissingItemRange() {
				t.Errorf("MissingItemRange() = %v, want %v", got.Body.MissingItemRange(), want.Body.MissingItemRange())
			}
			type contexts interface{ ContextString(offset int) string }
			for _, offset := range []int{0, 40, len(source) / 2, len(source) - 1} {
				if got, want := got.Nav.(contexts).ContextString(offset), want.Nav.(contexts).ContextString(offset); got != want {
					t.Errorf("ContextString(%d) = %q, want %q", offset, got, want)
				}
			}
		})
	}
}

// shape lists what a body holds, and where.
func shape(body *hclsyntax.Body) []string {
	lines := []string{body.SrcRange.String(), body.EndRange.String()}
	_ = hclsyntax.VisitAll(body, func(node hclsyntax.Node) hcl.Diagnostics {
		switch node := node.(type) {
		case *hclsyntax.Block:
			lines = append(lines, "block "+node.Type+" "+node.DefRange().String())
		case *hclsyntax.ScopeTraversalExpr:
			lines = append(lines, "reference "+node.Range().String())
		}
		return nil
	})
	if last := body.Attributes["last"]; last != nil {
		lines = append(lines, last.Range().String())
	}
	return lines
}

// A problem in a large file is told as in a small one.
func TestPartsWithProblems(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ source, want string }{
		"an argument twice":   {large() + "project = 2\n", "Attribute redefined"},
		"an unclosed block":   {large() + "app {\n", "Unclosed configuration block"},
		"an unclosed text":    {"x = \"\n" + large(), "Invalid multi-line string"},
		"an unclosed heredoc": {large() + "x = <<END\n}\n", "Unterminated template string"},
		"a deep expression":   {large() + "x = " + strings.Repeat("(", 300) + "\n", "Nesting too deep"},
		"hidden by comments":  {"a {\n/*\n}\n \" */ x = " + strings.Repeat("(", 300) + "\"\n" + large(), "Nesting too deep"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, diags := bounded.Parse([]byte(c.source), "waypoint.hcl")
			if len(diags) == 0 || diags[0].Summary != c.want {
				t.Errorf("Parse() = %v, want %q", diags, c.want)
			}
		})
	}
}

// What is nested as deep as people write is no problem, however much of it
// there is.
func TestNotDeep(t *testing.T) {
	t.Parallel()
	many := func(part string) string { return strings.Repeat(part, 2000) }
	for name, source := range map[string]string{
		"list":       "x = [" + many("[1 + 2, !true], ") + "]",
		"object":     "x = {\n" + many("(\"a\") = 1 + 1\n") + "}",
		"lines":      many("a {\n  b = true ? 1 : 2\n}\n"),
		"templates":  "x = \"" + many("${a}%{if b}x%{endif}") + "\"",
		"directives": "x = <<END\n" + many("%{ for a in b ~}\n${a + 1}\n%{ endfor ~}\n") + "END\n",
		"calls":      "x = f(" + many("a[0] + 1, ") + "1)",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, diags := bounded.Parse([]byte(source), "x.hcl"); len(diags) > 0 {
				t.Error(diags)
			}
		})
	}
}

// What looks for the variables of an expression finds them behind the meters.
func TestVariables(t *testing.T) {
	t.Parallel()
	expr, diags := bounded.ParseExpression([]byte(`f(a.b, "${c}x%{for d in e}${d}${g}%{endfor}", [for h in i : j if k])`), "x", hcl.InitialPos)
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	var got []string
	for _, traversal := range expr.Variables() {
		got = append(got, traversal.RootName())
	}
	if diff := cmp.Diff([]string{"a", "c", "e", "g", "i", "j", "k"}, got); diff != "" {
		t.Errorf("Variables() (-want +got):\n%s", diff)
	}
}

// A budget is for one evaluation, and a problem in a loop is reported once.
func TestValue(t *testing.T) {
	t.Parallel()
	numbers := make([]cty.Value, 100)
	for i := range numbers {
		numbers[i] = cty.NumberIntVal(int64(i))
	}
	ctx := &hcl.EvalContext{Variables: map[string]cty.Value{"n": cty.TupleVal(numbers)}}
	for name, c := range map[string]struct{ expr, want string }{
		"within":      {"[for a in n : [for b in n : a + b]]", ""},
		"again":       {"[for a in n : [for b in n : a + b]]", ""},
		"over":        {"[for a in n : [for b in n : [for c in n : a]]]", "Expression too expensive"},
		"one problem": {"[for a in n : a.b]", "Unsupported attribute"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			expr, diags := bounded.ParseExpression([]byte(c.expr), "x", hcl.InitialPos)
			if len(diags) > 0 {
				t.Fatal(diags)
			}
			_, diags = bounded.Value(expr, ctx)
			switch {
			case c.want == "" && len(diags) > 0:
				t.Error(diags)
			case c.want != "" && (len(diags) != 1 || diags[0].Summary != c.want):
				t.Errorf("Value() = %v, want %q once", diags, c.want)
			}
		})
	}
}

// A template is bounded as an expression is.
func TestTemplate(t *testing.T) {
	t.Parallel()
	at := hcl.Pos{Line: 3, Column: 1}
	expr, diags := bounded.ParseTemplate([]byte("a %{ for x in [1, 2] }${x}%{ endfor }"), "x.tpl", at)
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	value, diags := bounded.Value(expr, &hcl.EvalContext{})
	if len(diags) > 0 || !value.RawEquals(cty.StringVal("a 12")) {
		t.Errorf("Value() = %#v, %v", value, diags)
	}
	_, diags = bounded.ParseTemplate([]byte(strings.Repeat("%{ if true }", 300)), "x.tpl", at)
	if len(diags) != 1 || diags[0].Summary != "Nesting too deep" || diags[0].Subject.Start.Line != 3 {
		t.Errorf("ParseTemplate() = %v, want that it nests too deep", diags)
	}
}

// The text of a source is decoded as JSON only where it is not too deep.
func TestDeepJSON(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`{"a": [1, "[[["]}`:                    false,
		strings.Repeat("[", 300):               true,
		strings.Repeat("{}", 300):              false,
		`"` + strings.Repeat(`\"[`, 300) + `"`: false,
	} {
		if got := bounded.DeepJSON(text); got != want {
			t.Errorf("DeepJSON(%.20q…) = %v, want %v", text, got, want)
		}
	}
}
