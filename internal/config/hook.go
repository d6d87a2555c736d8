package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/diag"
)

// Hook is a command to run before or after a stage.
type Hook struct {
	When     string // before or after
	Command  []string
	Fatal    bool      // its failure fails the stage
	Image    string    // runs in this image; "" for beside us
	Identity bool      // gets the cloud identity
	Range    hcl.Range // of the block's header
}

// hookBody is a hook block as it is written.
type hookBody struct {
	When      string   `hcl:"when"`
	Command   []string `hcl:"command"`
	OnFailure string   `hcl:"on_failure,optional"`
	Image     string   `hcl:"image,optional"`
	Identity  bool     `hcl:"identity,optional"`
}

// Hooks evaluates the hooks of s, in the order of the file. Call it when the
// stage runs: commands may refer to artifact. In a scope with unknowns, words
// of a command that are not known yet are left out.
func (s *Stage) Hooks(scope Scope) ([]Hook, hcl.Diagnostics) {
	var (
		hooks []Hook
		diags hcl.Diagnostics
	)
	ctx := s.context(scope)
	for _, block := range s.variant.hooks {
		r := &reader{ctx: ctx, secrets: scope.secrets, what: hookGrammar.what, partial: scope.unknowns}
		var body hookBody
		more := r.decode(block.Body, &body)
		if !more.HasErrors() {
			more = append(more, body.check(block, r.incomplete)...)
		}
		diags = append(diags, more...)
		hooks = append(hooks, Hook{
			When:     body.When,
			Command:  body.Command,
			Fatal:    body.OnFailure != "continue",
			Image:    body.Image,
			Identity: body.Identity,
			Range:    block.DefRange,
		})
	}
	return hooks, diags
}

// check reports values that a hook cannot have. What is incomplete may still
// be empty.
func (h hookBody) check(block *hcl.Block, incomplete bool) hcl.Diagnostics {
	var errs hcl.Diagnostics
	add := func(attribute, detail string) {
		problem := &diag.Problem{Summary: "Invalid hook", Detail: detail, Attr: attribute}
		errs = append(errs, diag.Locate(problem, block.Body, block.DefRange)...)
	}
	oneOf := func(attribute, value string, allowed ...string) {
		if slices.Contains(allowed, value) {
			return
		}
		add(attribute, fmt.Sprintf("The argument %q is %q.%s It must be \"%s\".",
			attribute, value, diag.Suggest(value, allowed), strings.Join(allowed, `" or "`)))
	}
	if !incomplete || h.When != "" {
		oneOf("when", h.When, "before", "after")
	}
	if h.OnFailure != "" {
		oneOf("on_failure", h.OnFailure, "fail", "continue")
	}
	if !incomplete && (len(h.Command) == 0 || h.Command[0] == "") {
		add("command", "The argument \"command\" names no program. Write the program and its arguments as a list.")
	}
	return errs
}
