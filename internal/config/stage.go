package config

import (
	"encoding/json"
	"fmt"
	"maps"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/deploy-action/deploy-action/internal/component"
)

// Stage is one use block with the labels and hooks around it, as one workspace
// selects it.
type Stage struct {
	Plugin string            // the label of use; "" in a release block without one
	Range  hcl.Range         // of that label; where problems without a better place go
	Body   hcl.Body          // of the use block; empty where there is none
	Labels map[string]string // of the operation, all layers merged

	Conduct Conduct // of a deploy or release, as far as it is known

	kind    string // build, push, deploy, release or source
	vars    map[string]cty.Value
	variant variant
	labels  *hcl.Attribute // of the stage itself; nil when absent

	recorded json.RawMessage // of [Recorded]; nil for a stage of the file
}

// context returns what expressions of s can refer to in scope. A stage sees
// only what the stages before it made.
func (s *Stage) context(scope Scope) *hcl.EvalContext {
	vars := maps.Clone(s.vars)
	if vars == nil {
		vars = map[string]cty.Value{}
	}
	if s.kind != "build" && s.kind != "source" && scope.artifact != cty.NilVal {
		vars["artifact"] = scope.artifact
	}
	if s.kind == "release" && scope.deploy != cty.NilVal {
		vars["deploy"] = scope.deploy
	}
	if s.kind == "deploy" {
		vars["entrypoint"] = scope.entrypoint()
	}
	return scope.child(scope.ctx, vars)
}

// Decode returns the function that reads the body of s in scope. Secrets stay
// marked while expressions are evaluated and are unmarked only in the result.
func (s *Stage) Decode(scope Scope) component.Decode {
	if s.recorded != nil {
		return Reopen(s.recorded)
	}
	return func(into any) hcl.Diagnostics {
		r := s.reader(scope)
		return r.decode(s.Body, into)
	}
}

// DecodeShared is [Stage.Decode] for a releaser that is configured by the use
// block of its platform: it takes the arguments and blocks that the target
// knows and ignores all others.
func (s *Stage) DecodeShared(scope Scope) component.Decode {
	if s.recorded != nil {
		return Reopen(s.recorded)
	}
	return func(into any) hcl.Diagnostics {
		r := s.reader(scope)
		r.lenient = true
		return r.decode(s.Body, into)
	}
}

// Check evaluates the body of s before anything runs: artifact and deploy are
// unknown where scope has none. It reports wrong names, missing arguments and
// wrong types of what is known, and leaves what is unknown at its zero value;
// complete says that nothing was unknown. The target may be nil where it is
// known only when the stage runs.
func (s *Stage) Check(scope Scope, into any) (complete bool, diags hcl.Diagnostics) {
	r := s.reader(scope.WithUnknowns())
	r.partial = true
	switch {
	case into == nil:
		diags = r.evaluateAll(s.Body)
	case s.recorded != nil:
		diags = Reopen(s.recorded)(into)
	default:
		diags = r.decode(s.Body, into)
	}
	return !r.incomplete, diags
}

// Record returns the evaluated body of s as JSON by the names of its arguments
// and blocks, for [Reopen]. It leaves out every value that is or holds a
// secret: marked ones, and arguments that into, a pointer to the configuration
// struct, keeps as [secret.Text]. It names what it left out, for
// [Stage.Withheld]. A nil into knows no types.
func (s *Stage) Record(scope Scope, into any) (json.RawMessage, error) {
	if s.recorded != nil {
		return s.recorded, nil
	}
	recorded, diags := s.reader(scope).recordWithNames(s.Body, structType(into))
	if diags.HasErrors() {
		return nil, fmt.Errorf("recording the use block of %s: %w", s.Plugin, diags)
	}
	data, err := json.Marshal(recorded)
	if err != nil {
		return nil, fmt.Errorf("recording the use block of %s: %w", s.Plugin, err)
	}
	return data, nil
}

// reader returns what decodes the body of s in scope.
func (s *Stage) reader(scope Scope) *reader {
	return &reader{ctx: s.context(scope), secrets: scope.secrets, what: s.what()}
}

// what is the block of s, as messages call it.
func (s *Stage) what() string {
	if s.kind == "source" {
		return "source " + quote(s.Plugin)
	}
	return "use " + quote(s.Plugin)
}
