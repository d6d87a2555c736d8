package app

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/deploy-action/deploy-action/internal/config/funcs"
	"github.com/deploy-action/deploy-action/internal/engine"
	"github.com/deploy-action/deploy-action/internal/github"
)

// commitName is the full name of a commit. What a record says may be anything.
var commitName = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// ancestry says how a commit stands to another one: by the history that is
// checked out, or else, in a job, by what GitHub knows. It implements the
// engine's Ancestry.
func (s *session) ancestry(ctx context.Context, commit, to string) (engine.Ancestry, error) {
	for _, name := range []string{commit, to} {
		if !commitName.MatchString(name) {
			return "", fmt.Errorf("%q is no commit", name)
		}
	}
	descends, precedes, err := funcs.Relation(ctx, s.project.Dir(), commit, to)
	switch {
	case descends:
		return engine.Descendant, nil
	case precedes:
		return engine.Ancestor, nil
	case err == nil:
		return engine.Diverged, nil
	case !s.machine.runner.Active() || ctx.Err() != nil:
		return "", err
	}
	run := s.machine.runner.Context()
	if to == run.HeadSHA && commit == run.Before || s.handedAncestor(ctx, commit, to) {
		return engine.Ancestor, nil
	}
	return s.askAncestry(ctx, commit, to)
}

// handedAncestor reports whether a job before this one has found that to, the
// commit of the run, descends from the other one.
func (s *session) handedAncestor(ctx context.Context, commit, to string) bool {
	if s.handover == nil || to != s.machine.runner.Context().HeadSHA {
		return false
	}
	handed := s.handover(ctx)
	return handed != nil && slices.Contains(handed.Older, commit)
}

// askAncestry asks GitHub.
func (s *session) askAncestry(ctx context.Context, commit, to string) (engine.Ancestry, error) {
	if s.api == nil { // the state is not kept at GitHub
		var err error
		if s.api, err = s.repository(); err != nil {
			return "", err
		}
	}
	found, err := s.api.Compare(ctx, to, commit)
	if errors.Is(err, github.ErrNotFound) {
		return "", fmt.Errorf("GitHub knows no history that commits %.7s and %.7s share", commit, to)
	}
	return map[string]engine.Ancestry{
		github.Ahead: engine.Descendant, github.Behind: engine.Ancestor, github.Diverged: engine.Diverged,
	}[found], err
}
