// Package diag turns errors into diagnostics that point at configuration.
//
// Code that evaluates HCL returns [hcl.Diagnostics]. All other code returns
// error, and uses [Problem] where it has something to tell the person who
// wrote the configuration. [Locate] joins the two.
package diag

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/hashicorp/hcl/v2"
)

// Problem is an error addressed to the author of the configuration.
type Problem struct {
	Summary string // what is wrong, one line, no period
	Detail  string // why, and what to do about it, in full sentences
	Attr    string // the attribute at fault, dotted from the use block; or ""
	Err     error  // the cause, or nil
}

// Error implements error.
func (p *Problem) Error() string {
	if p.Err != nil {
		return p.Summary + ": " + p.Err.Error()
	}
	return p.Summary
}

// Unwrap returns the cause.
func (p *Problem) Unwrap() error { return p.Err }

// Locate turns err into diagnostics. A Problem that names an attribute points
// at that attribute in body; diagnostics found inside err keep their ranges;
// anything else points at fallback. The errors of an [errors.Join], wrapped or
// not, become one diagnostic each. That a disk is full is said in one way,
// whatever met it. Locate(nil, …) is nil.
func Locate(err error, body hcl.Body, fallback hcl.Range) hcl.Diagnostics {
	if err == nil {
		return nil
	}
	if before, joined, ok := findJoined(err); ok {
		var diags hcl.Diagnostics
		for _, e := range joined {
			if before != "" {
				e = fmt.Errorf("%s%w", before, e)
			}
			diags = append(diags, Locate(e, body, fallback)...)
		}
		return diags
	}
	if diags, ok := errors.AsType[hcl.Diagnostics](err); ok {
		return diags
	}
	if d, ok := errors.AsType[*hcl.Diagnostic](err); ok {
		return hcl.Diagnostics{d}
	}
	if problem, ok := errors.AsType[*Problem](err); ok {
		return hcl.Diagnostics{locateProblem(err, problem, body, fallback)}
	}
	if diskFull(err) {
		return hcl.Diagnostics{newDiagnostic("No room on the disk",
			sentence(err.Error())+"\n\nMake room there, then run the same command again.", fallback)}
	}
	summary, detail, _ := strings.Cut(err.Error(), ": ")
	return hcl.Diagnostics{newDiagnostic(summary, detail, fallback)}
}

// diskFull reports whether a write failed for want of room.
func diskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

// findJoined returns the errors of the errors.Join in err, and the text that
// wraps it. An error with several %w is one error, not several: it is told
// apart by its text.
func findJoined(err error) (before string, joined []error, ok bool) {
	for e := err; e != nil; e = errors.Unwrap(e) {
		if _, own := e.(*Problem); own {
			return "", nil, false // the cause of a problem is part of it
		}
		many, several := e.(interface{ Unwrap() []error })
		if !several {
			continue
		}
		var text []string
		for _, part := range many.Unwrap() {
			text = append(text, part.Error())
		}
		if strings.Join(text, "\n") != e.Error() {
			return "", nil, false
		}
		before, _ := strings.CutSuffix(err.Error(), e.Error())
		return before, many.Unwrap(), true
	}
	return "", nil, false
}

// locateProblem makes a diagnostic of problem, which was found in err.
func locateProblem(err error, problem *Problem, body hcl.Body, fallback hcl.Range) *hcl.Diagnostic {
	subject := fallback
	if r, found := attributeRange(body, problem.Attr); found {
		subject = r
	}
	detail := problem.Detail
	if problem.Err != nil {
		detail = strings.TrimSpace(detail + "\n\nCause: " + sentence(problem.Err.Error()))
	}
	if before, ok := strings.CutSuffix(err.Error(), problem.Error()); ok && before != "" {
		detail = strings.TrimSpace(detail + "\n\nWhile " + sentence(strings.TrimSuffix(before, ": ")))
	}
	return newDiagnostic(problem.Summary, detail, subject)
}

// sentence ends text with one period, or leaves the question that it ends with.
func sentence(text string) string {
	text = strings.TrimRight(text, ". \n")
	if strings.HasSuffix(text, "?") {
		return text
	}
	return text + "."
}

// newDiagnostic leaves the subject out where there is no file to point at.
func newDiagnostic(summary, detail string, subject hcl.Range) *hcl.Diagnostic {
	d := &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail}
	if subject.Filename != "" {
		d.Subject = &subject
	}
	return d
}

// attributeRange finds the attribute at a dotted path below body: the blocks
// on the way by type, the last element as an attribute or, failing that, the
// nearest attribute or block around it.
func attributeRange(body hcl.Body, path string) (hcl.Range, bool) {
	if body == nil || path == "" {
		return hcl.Range{}, false
	}
	name, rest, nested := strings.Cut(path, ".")
	// Blocks and attributes are asked for apart: in JSON an object can be
	// either, and comes back only as the attribute where both are asked for.
	blocks := partialContent(body, hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: name}}}).Blocks
	if nested {
		for _, block := range blocks {
			if r, ok := attributeRange(block.Body, rest); ok {
				return r, true
			}
		}
	}
	attributes := partialContent(body, hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: name}}}).Attributes
	if attr, ok := attributes[name]; ok {
		return attr.Expr.Range(), true
	}
	if len(blocks) > 0 {
		return blocks[0].DefRange, true
	}
	return hcl.Range{}, false
}

// partialContent returns what of schema is in body. Whatever is wrong with the
// rest of the body is reported elsewhere.
func partialContent(body hcl.Body, schema hcl.BodySchema) *hcl.BodyContent {
	content, _, _ := body.PartialContent(&schema)
	if content == nil {
		return &hcl.BodyContent{}
	}
	return content
}
