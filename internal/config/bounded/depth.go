package bounded

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// maxDepth is how deep source may nest. The parser needs about 4 KiB of stack
// for each level.
const maxDepth = 200

// nesting counts how deep the syntax tree of tokens gets. Brackets nest, and so
// do operators, one after the other, until the expression ends.
type nesting struct {
	frames []frame // what is open, the file first
	depth  int     // of frames and of the operators in them
	last   hclsyntax.TokenType
}

// frame is an open bracket or template.
type frame struct {
	opener     hclsyntax.TokenType
	operators  int  // since the present expression began
	directives int  // %{ if } and %{ for } that are open
	lines      bool // a line ends the expression
}

func newNesting() *nesting { return &nesting{frames: []frame{{lines: true}}} }

// deepTokens returns the first token that nests too deep.
func deepTokens(tokens hclsyntax.Tokens) (hcl.Range, bool) { return newNesting().addAll(tokens) }

// addAll counts tokens up to the first that nests too deep, and returns that.
func (n *nesting) addAll(tokens hclsyntax.Tokens) (hcl.Range, bool) {
	for i, token := range tokens {
		var next hclsyntax.Token
		if i+1 < len(tokens) {
			next = tokens[i+1]
		}
		if n.add(token, next); n.depth > maxDepth {
			return token.Range, true
		}
	}
	return hcl.Range{}, false
}

// add counts one token.
func (n *nesting) add(token, next hclsyntax.Token) {
	top := &n.frames[len(n.frames)-1]
	switch token.Type {
	case hclsyntax.TokenOBrack:
		if endsValue(n.last) { // an index
			top.operators++
			n.depth++
		}
		n.open(token.Type, false)
	case hclsyntax.TokenOBrace:
		n.open(token.Type, string(next.Bytes) != "for")
	case hclsyntax.TokenOParen, hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc, hclsyntax.TokenTemplateInterp:
		n.open(token.Type, false)
	case hclsyntax.TokenTemplateControl:
		n.directive(top, string(next.Bytes))
		n.open(token.Type, false)
	case hclsyntax.TokenCBrack, hclsyntax.TokenCBrace, hclsyntax.TokenCParen,
		hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc, hclsyntax.TokenTemplateSeqEnd:
		n.close()
	case hclsyntax.TokenComma:
		n.end(top)
	case hclsyntax.TokenNewline:
		if top.lines {
			n.end(top)
		}
	default:
		if slices.Contains(operators, token.Type) {
			top.operators++
			n.depth++
		}
	}
	if token.Type != hclsyntax.TokenComment {
		n.last = token.Type
	}
}

// operators are the tokens that put one expression into another.
var operators = []hclsyntax.TokenType{
	hclsyntax.TokenStar, hclsyntax.TokenSlash, hclsyntax.TokenPlus, hclsyntax.TokenMinus, hclsyntax.TokenPercent,
	hclsyntax.TokenEqualOp, hclsyntax.TokenNotEqual, hclsyntax.TokenLessThan, hclsyntax.TokenLessThanEq,
	hclsyntax.TokenGreaterThan, hclsyntax.TokenGreaterThanEq, hclsyntax.TokenAnd, hclsyntax.TokenOr,
	hclsyntax.TokenBang, hclsyntax.TokenQuestion,
}

// endsValue reports whether an index can follow a token.
func endsValue(last hclsyntax.TokenType) bool {
	switch last {
	case hclsyntax.TokenIdent, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenCBrace, hclsyntax.TokenCQuote, hclsyntax.TokenStar:
		return true
	}
	return false
}

// open begins a frame.
func (n *nesting) open(opener hclsyntax.TokenType, lines bool) {
	n.frames = append(n.frames, frame{opener: opener, lines: lines})
	n.depth++
}

// close ends the present frame. What closes nothing is left to the parser.
func (n *nesting) close() {
	last := len(n.frames) - 1
	if last == 0 {
		return
	}
	n.depth -= 1 + n.frames[last].operators + n.frames[last].directives
	n.frames = n.frames[:last]
}

// end ends an expression in the present frame.
func (n *nesting) end(top *frame) {
	n.depth -= top.operators
	top.operators = 0
}

// directive counts what a word after %{ opens or closes.
func (n *nesting) directive(top *frame, word string) {
	switch word {
	case "if", "for":
		top.directives++
		n.depth++
	case "endif", "endfor":
		if top.directives > 0 {
			top.directives--
			n.depth--
		}
	}
}
