package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// Source returns the settings of a source of dynamic values: its block, or an
// empty one where the file has none.
func (p *Project) Source(name string) *Stage {
	source := &Stage{Plugin: name, Body: hcl.EmptyBody(), kind: "source"}
	if block := p.sources[name]; block != nil {
		source.Range, source.Body = block.LabelRanges[0], block.Body
	}
	return source
}

// Sources returns the names of the source blocks, in order.
func (p *Project) Sources() []string { return keys(p.sources) }

// readSources reads the source blocks.
func (p *Project) readSources(blocks hcl.Blocks) hcl.Diagnostics {
	var diags hcl.Diagnostics
	p.sources = map[string]*hcl.Block{}
	for _, block := range blocks {
		name := block.Labels[0]
		if earlier := p.sources[name]; earlier != nil {
			diags = append(diags, twice("source block", name, block.LabelRanges[0], earlier.DefRange))
			continue
		}
		p.sources[name] = block
	}
	return diags
}

// notInEffect warns of a block that this version reads and checks, and does not
// act on yet: who trusts in it must know.
func notInEffect(block *hcl.Block) hcl.Diagnostics {
	return hcl.Diagnostics{{
		Severity: hcl.DiagWarning,
		Summary:  fmt.Sprintf("%q is not in effect yet", block.Type),
		Detail:   fmt.Sprintf("This version checks the %s block and does not act on it. Do not rely on it.", block.Type),
		Subject:  &block.DefRange,
	}}
}

// readPlugins checks the declarations of plugins.
func (p *Project) readPlugins(blocks hcl.Blocks) hcl.Diagnostics {
	var diags hcl.Diagnostics
	first := map[string]hcl.Range{}
	for _, block := range blocks {
		name := block.Labels[0]
		if earlier, found := first[name]; found {
			diags = append(diags, twice("plugin block", name, block.LabelRanges[0], earlier))
		}
		first[name] = block.DefRange
		content, more := pluginGrammar.read(block.Body)
		diags = append(diags, more...)
		types, more := one(content, "type")
		diags = append(diags, more...)
		if types != nil {
			kinds, more := pluginTypeGrammar.read(types.Body)
			diags = append(diags, more...)
			for _, name := range keys(kinds.Attributes) {
				diags = append(diags, fits(kinds.Attributes[name], cty.Bool, p.earlyContext())...)
			}
		}
		checksum := content.Attributes["checksum"]
		if checksum == nil {
			continue
		}
		value, more := text(checksum, nil)
		diags = append(diags, more...)
		if sum := value; !more.HasErrors() && (len(sum.AsString()) != 64 || strings.Trim(strings.ToLower(sum.AsString()), "0123456789abcdef") != "") {
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError,
				Summary:  "Invalid checksum",
				Detail:   "A checksum is the SHA-256 digest of the plugin's program: 64 hexadecimal digits, as sha256sum prints it.",
				Subject:  checksum.Expr.Range().Ptr(),
			})
		}
	}
	return diags
}

// Preview is a preview block: a deployment for each pull request.
type Preview struct {
	TTL   time.Duration // after the last push
	Label string        // the pull request must have it; "" for none
	Max   int           // at a time
}

// The defaults of previews.
const (
	defaultPreviewTTL = 72 * time.Hour
	defaultPreviewMax = 10
)

// DefaultPreview is what an empty preview block says.
func DefaultPreview() Preview { return Preview{TTL: defaultPreviewTTL, Max: defaultPreviewMax} }

// previewBody is a preview block as it is written.
type previewBody struct {
	TTL   string `hcl:"ttl,optional"`
	Label string `hcl:"label,optional"`
	Max   *int   `hcl:"max"`
}

// evaluatePreview evaluates a preview block; nil for nil.
func evaluatePreview(block *hcl.Block, ctx *hcl.EvalContext, scope Scope) (*Preview, hcl.Diagnostics) {
	if block == nil {
		return nil, nil
	}
	var written previewBody
	r := &reader{ctx: ctx, secrets: scope.secrets, what: previewGrammar.what, partial: true}
	diags := r.decode(block.Body, &written)
	if diags.HasErrors() {
		return nil, diags
	}
	p := new(DefaultPreview())
	p.Label = written.Label
	fault := func(attribute, detail string) {
		problem := &diag.Problem{Summary: fmt.Sprintf("Invalid %q", attribute), Detail: detail, Attr: attribute}
		diags = append(diags, diag.Locate(problem, block.Body, block.DefRange)...)
	}
	if written.TTL != "" {
		ttl, err := time.ParseDuration(written.TTL)
		if err != nil || ttl <= 0 {
			fault("ttl", fmt.Sprintf("It is %q. Write a time with its unit, such as \"72h\".", written.TTL))
		}
		p.TTL = ttl
	}
	if written.Max != nil {
		if *written.Max < 1 {
			fault("max", fmt.Sprintf("It is %d. At least one preview must be possible.", *written.Max))
		}
		p.Max = *written.Max
	}
	return p, diags
}

// texts evaluates an argument that takes a list of strings. A nil attribute has
// none, and so has one that is not known yet.
func texts(attribute *hcl.Attribute, ctx *hcl.EvalContext, secrets *secret.Set) ([]string, hcl.Diagnostics) {
	if attribute == nil {
		return nil, nil
	}
	value, diags := evaluate(attribute.Expr, ctx)
	if diags.HasErrors() {
		return nil, diags
	}
	where := attribute.Expr.Range()
	list, err := convert.Convert(value, cty.List(cty.String))
	if err != nil {
		return nil, append(diags, wrongType(attribute.Name, cty.List(cty.String), value, err, where))
	}
	addSecrets(secrets, list)
	list, _ = list.UnmarkDeep()
	if !list.IsWhollyKnown() || list.IsNull() {
		return nil, diags
	}
	var found []string
	for _, element := range list.AsValueSlice() {
		if element.IsNull() {
			return nil, append(diags, null(attribute.Name, where))
		}
		found = append(found, element.AsString())
	}
	return found, diags
}

// checkPatterns reports patterns of paths that match nothing by mistake.
func checkPatterns(patterns []string, attribute *hcl.Attribute) hcl.Diagnostics {
	for _, pattern := range patterns {
		if !doublestar.ValidatePattern(pattern) {
			return hcl.Diagnostics{badPattern(pattern, attribute)}
		}
	}
	return nil
}

// badPattern reports a pattern that cannot be.
func badPattern(pattern string, attribute *hcl.Attribute) *hcl.Diagnostic {
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Invalid pattern",
		Detail:   fmt.Sprintf("The pattern %q in %q is not valid: brackets and braces must be closed.", pattern, attribute.Name),
		Subject:  attribute.Expr.Range().Ptr(),
	}
}

// checkDependsOn reports apps that do not exist, and an app that waits for
// itself. Longer circles are found where apps are put in order.
func (p *Project) checkDependsOn(name string, others []string, attribute *hcl.Attribute) hcl.Diagnostics {
	for _, other := range others {
		detail := ""
		switch {
		case other == name:
			detail = fmt.Sprintf("The app %q cannot come before itself. Remove it.", name)
		case !slices.Contains(p.Apps(), other):
			detail = unknownApp(p.path, other, p.Apps())
		}
		if detail != "" {
			return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Invalid dependency", Detail: detail, Subject: attribute.Expr.Range().Ptr()}}
		}
	}
	return nil
}
