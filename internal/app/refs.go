package app

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/config/funcs"
	"github.com/deploy-action/deploy-action/internal/engine"
	"github.com/deploy-action/deploy-action/internal/state"
)

// refAllowed refuses to change a workspace from a ref that the file does not
// name for it. On a terminal it warns: there is no ref that anybody vouches for,
// and whoever holds the credentials can do without this program.
func (s *session) refAllowed(workspace string) error {
	problems := s.forbidden(workspace)
	if problems.HasErrors() {
		return &engine.InvalidError{Diags: problems}
	}
	if len(problems) > 0 {
		s.ui.Diagnostics(problems)
	}
	return nil
}

// forbidden says that the present ref may not deploy to a workspace. On a
// terminal that is a warning.
func (s *session) forbidden(workspace string) hcl.Diagnostics {
	refs, restricted := s.project.Refs(workspace)
	inJob := s.machine.runner.Active()
	if !restricted {
		return nil
	}
	ref := s.machine.runner.Context().Ref
	if !inJob {
		_, ref = funcs.Head(s.project.Dir())
	}
	if refs.Allow(ref) || !inJob && ref == "" {
		return nil
	}
	allowed := "no ref may deploy there"
	if len(refs.Patterns) > 0 {
		allowed = "what may deploy there is " + quotedList(refs.Patterns)
	}
	problem := &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  fmt.Sprintf("Workspace %q is not for this ref", workspace),
		Detail: fmt.Sprintf("This run is of %s, and %s. Run it on such a ref, choose another workspace, or add a pattern to \"refs\".",
			named(ref), allowed),
		Subject: refs.Range.Ptr(),
	}
	if !inJob {
		problem.Severity = hcl.DiagWarning
		problem.Detail = fmt.Sprintf("The branch that is checked out is %s, and %s. In a job this would be refused.", named(ref), allowed)
	}
	return hcl.Diagnostics{problem}
}

// named is a ref in a message.
func named(ref string) string {
	if ref == "" {
		return "no ref that is known"
	}
	return fmt.Sprintf("%q", ref)
}

// quotedList lists patterns.
func quotedList(patterns []string) string {
	quoted := make([]string, len(patterns))
	for i, pattern := range patterns {
		quoted[i] = fmt.Sprintf("%q", pattern)
	}
	return strings.Join(quoted, ", ")
}

// refNames are the branches and tags that may deploy to a workspace, and so are
// believed to know what is deployed there.
func (s *session) refNames(workspace string) []string {
	refs, _ := s.project.Refs(workspace)
	return refs.Names()
}

// origin says who runs this, from what, and why. On a terminal it is from the
// commit that is checked out.
func (s *session) origin(reason string) state.Origin {
	o := s.machine.origin(reason)
	if !s.machine.runner.Active() {
		o.Commit, o.Ref = funcs.Head(s.project.Dir())
	}
	return o
}
