package app

import (
	"context"
	"errors"
	"slices"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/engine"
)

// The exit statuses.
const (
	exitDone      = 0
	exitFailed    = 1
	exitInvalid   = 2
	exitCancelled = 130
)

// exitStatus shows those errors that were not shown yet and returns the exit
// status: cancelled before failed before invalid, which means that nothing was
// touched.
func (s *session) exitStatus(ctx context.Context, err error) int {
	if command, ok := errors.AsType[exitError](err); ok {
		return int(command)
	}
	failed, wrong := false, false
	for _, e := range flatten(err) {
		invalid, isInvalid := errors.AsType[*engine.InvalidError](e)
		_, shown := errors.AsType[*engine.Failure](e)
		switch {
		case ctx.Err() != nil && errors.Is(e, context.Cause(ctx)):
			continue
		case shown: // by the engine, with what it means for users
		case isInvalid:
			s.ui.Diagnostics(invalid.Diags)
		default:
			s.ui.Diagnostics(diag.Locate(e, nil, hcl.Range{}))
		}
		wrong = wrong || isInvalid
		failed = failed || !isInvalid
	}
	switch {
	case ctx.Err() != nil:
		return exitCancelled
	case failed, wrong && s.changed():
		return exitFailed
	case wrong:
		return exitInvalid
	}
	return exitDone
}

// changed reports whether something was touched.
func (s *session) changed() bool {
	return slices.ContainsFunc(s.results, func(r engine.Result) bool { return r.Outcome == engine.Changed })
}

// flatten returns the errors that errors.Join put together, at any depth.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, flatten(e)...)
	}
	return all
}
