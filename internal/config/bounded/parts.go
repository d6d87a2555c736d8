package bounded

import (
	"bytes"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// smallestPart is how much of a file is parsed at once.
const smallestPart = 16 << 10

// parseParts parses a large file block by block: the tokens of all of it would
// need a hundred times its size. Where a line is a closing brace and nothing
// is open any more, another part can begin. It is not ok where a part cannot
// be told, or has a problem: parse the file as a whole then.
func parseParts(source []byte, name string) (_ *hcl.File, ok bool) {
	if bytes.Contains(source, []byte("/*")) {
		return nil, false // a comment over several lines hides what is open
	}
	parts := splitParts(source)
	var parsing sync.WaitGroup
	for i := range parts {
		parsing.Go(func() { parts[i].parse(name) })
	}
	parsing.Wait()

	whole := &hclsyntax.Body{Attributes: hclsyntax.Attributes{}}
	var nav navigation
	for _, p := range parts {
		if !p.whole || !add(whole, p.file.Body.(*hclsyntax.Body)) {
			return nil, false
		}
		nav = append(nav, partNavigation{p.at.Byte + len(p.source), p.file.Nav.(contexts)})
	}
	return &hcl.File{Body: whole, Bytes: source, Nav: nav}, true
}

// part is a piece of a file that may be parsed by itself.
type part struct {
	source []byte
	at     hcl.Pos // where it begins

	file  *hcl.File
	whole bool // it was parsed without a problem, and nothing in it is left open
}

// splitParts cuts a file into parts.
func splitParts(source []byte) []part {
	var parts []part
	at := hcl.InitialPos
	for rest := source; len(rest) > 0; {
		piece := rest[:endOfPart(rest)]
		parts = append(parts, part{source: piece, at: at})
		at.Line += bytes.Count(piece, []byte("\n"))
		at.Byte += len(piece)
		rest = rest[len(piece):]
	}
	return parts
}

func (p *part) parse(name string) {
	n := newNesting()
	file, diags := parsePart(p.source, name, p.at, n)
	p.file, p.whole = file, len(diags) == 0 && len(n.frames) <= 1
}

// navigation says in which block a place of a file is, from what each part
// knows of itself.
type navigation []partNavigation

type partNavigation struct {
	end  int // of the part, in the file
	part contexts
}

// contexts is what HCL looks for in [hcl.File.Nav].
type contexts interface {
	ContextString(offset int) string
	ContextDefRange(offset int) hcl.Range
}

// ContextString names the block around an offset, or returns "".
func (n navigation) ContextString(offset int) string {
	for _, p := range n {
		if offset < p.end {
			return p.part.ContextString(offset)
		}
	}
	return ""
}

// ContextDefRange returns the header of the block around an offset.
func (n navigation) ContextDefRange(offset int) hcl.Range {
	for _, p := range n {
		if offset < p.end {
			return p.part.ContextDefRange(offset)
		}
	}
	return hcl.Range{}
}

// endOfPart returns the length of source up to the end of a block at the left
// margin.
func endOfPart(source []byte) int {
	if len(source) <= smallestPart {
		return len(source)
	}
	_, after, found := bytes.Cut(source[smallestPart:], []byte("\n}"))
	end := bytes.IndexByte(after, '\n')
	if !found || end < 0 {
		return len(source)
	}
	return len(source) - len(after) + end + 1
}

// add adds the next part of a file to those before it. It is not ok where an
// argument is there already.
func add(whole, part *hclsyntax.Body) (ok bool) {
	for name, attribute := range part.Attributes {
		if _, found := whole.Attributes[name]; found {
			return false
		}
		whole.Attributes[name] = attribute
	}
	whole.Blocks = append(whole.Blocks, part.Blocks...)
	if whole.SrcRange.Filename == "" {
		whole.SrcRange = part.SrcRange
	}
	whole.SrcRange.End, whole.EndRange = part.SrcRange.End, part.EndRange
	return true
}
