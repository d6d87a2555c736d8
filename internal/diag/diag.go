// Package diag turns errors into diagnostics that point at configuration.
//
// Code that evaluates HCL returns [hcl.Diagnostics]. All other code returns
// error, and uses [Problem] where it has something to tell the person who
// wrote the configuration. [Locate] joins the two.
package diag

import (
	"errors"
	"strings"

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
// anything else points at fallback. Joined errors become one diagnostic each.
// Locate(nil, …) is nil.
func Locate(err error, body hcl.Body, fallback hcl.Range) hcl.Diagnostics {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var diags hcl.Diagnostics
		for _, e := range joined.Unwrap() {
			diags = append(diags, Locate(e, body, fallback)...)
		}
		return diags
	}
	if diags, ok := errors.AsType[hcl.Diagnostics](err); ok {
		return diags
	}
	subject := fallback
	if problem, ok := errors.AsType[*Problem](err); ok {
		if r, found := attributeRange(body, problem.Attr); found {
			subject = r
		}
		detail := problem.Detail
		if problem.Err != nil {
			detail = strings.TrimSpace(detail + "\n\nCause: " + problem.Err.Error() + ".")
		}
		summary := problem.Summary
		if prefix, _ := strings.CutSuffix(err.Error(), problem.Error()); prefix != "" && prefix != err.Error() {
			detail = strings.TrimSpace(detail + "\n\nWhile " + strings.TrimSuffix(prefix, ": ") + ".")
		}
		return hcl.Diagnostics{newDiagnostic(summary, detail, subject)}
	}
	summary, detail, _ := strings.Cut(err.Error(), ": ")
	return hcl.Diagnostics{newDiagnostic(summary, detail, subject)}
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
// on the way by type, the last element as an attribute or, failing that, a
// block.
func attributeRange(body hcl.Body, path string) (hcl.Range, bool) {
	if body == nil || path == "" {
		return hcl.Range{}, false
	}
	name, rest, nested := strings.Cut(path, ".")
	content, _, _ := body.PartialContent(&hcl.BodySchema{
		Attributes: []hcl.AttributeSchema{{Name: name}},
		Blocks:     []hcl.BlockHeaderSchema{{Type: name}},
	})
	if content == nil {
		return hcl.Range{}, false
	}
	if attr, ok := content.Attributes[name]; ok {
		return attr.Expr.Range(), true
	}
	for _, block := range content.Blocks {
		if nested {
			if r, ok := attributeRange(block.Body, rest); ok {
				return r, true
			}
		}
		return block.DefRange, true
	}
	return hcl.Range{}, false
}
