package runstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/state"
)

// UnreadableError means that state exists or may exist, and could not be read
// or must not be believed. To go on as if there were none would deploy beside
// what runs, so every verb that changes something stops.
type UnreadableError struct {
	App, Workspace string
	Remedy         string // what to do about it, in full sentences
	Err            error
}

// Error implements error.
func (e *UnreadableError) Error() string {
	return fmt.Sprintf("reading the state of app %q in workspace %q: %v", e.App, e.Workspace, e.Err)
}

// Unwrap returns the cause.
func (e *UnreadableError) Unwrap() error { return e.Err }

// UnwritableError means that the token may not write the refs that records are
// kept on. Nothing was changed.
type UnwritableError struct {
	App, Workspace string
	Err            error
}

// Error implements error.
func (e *UnwritableError) Error() string {
	return fmt.Sprintf("the state of app %q in workspace %q cannot be kept on a git ref: %v", e.App, e.Workspace, e.Err)
}

// Unwrap returns the cause.
func (e *UnwritableError) Unwrap() error { return e.Err }

// UntellableError means that the token may neither make Deployments nor write
// contents. Nothing would tell of a deployment that was begun if its machine were
// lost, and nothing keep another one away. Nothing was changed.
type UntellableError struct {
	App, Workspace        string
	Deployments, Contents error
}

// Error implements error.
func (e *UntellableError) Error() string {
	return fmt.Sprintf("deployments of app %q in workspace %q cannot be made known: %v; %v", e.App, e.Workspace, e.Deployments, e.Contents)
}

// Unwrap returns both refusals.
func (e *UntellableError) Unwrap() []error { return []error{e.Deployments, e.Contents} }

var (
	errRefused            = errors.New("the newest state was written from a ref that is not believed")
	errUnknownDeployments = errors.New("there are Deployments of this app, and no run that is believed tells of them")

	errExhausted = fmt.Errorf("none of the newest %d artifacts of this name can be believed", mostListed)
)

// unreadable says what to do about err. What ended with ctx needs no advice.
func (s *Store) unreadable(ctx context.Context, k key, err error) error {
	if ctx.Err() != nil {
		return err
	}
	return &UnreadableError{k.app, k.workspace, s.remedy(k, err), err}
}

func (s *Store) remedy(k key, err error) string {
	if refusal, ok := errors.AsType[*github.PermissionError](err); ok {
		return s.permission(refusal)
	}
	if limit, ok := errors.AsType[*github.LimitError](err); ok {
		return fmt.Sprintf("The jobs of this repository share an hourly number of requests. Run this again in %v. Nothing was changed.", limit.Wait.Round(time.Minute))
	}
	if _, ok := errors.AsType[*state.NewerSchemaError](err); ok {
		return "The newest state was written by a newer version of this action. Use that version, or a newer one, in every workflow of the repository."
	}
	switch {
	case errors.Is(err, errRefused):
		return "State counts only if a run of the default branch or of the present ref wrote it. " +
			"If the ref that is named is meant to change this workspace, add it to the input `state-refs`; if not, delete that artifact."
	case errors.Is(err, errUnknownDeployments):
		return "No state is left, and the runs that made these Deployments are not believed. " +
			"Add their ref to the input `state-refs`, or delete the Deployments if nothing of them runs any more."
	case errors.Is(err, errExhausted):
		return fmt.Sprintf("All of them come from forks or from other refs. Delete artifacts named %q that are not yours.", k.name(1))
	case unbelievable(err) && s.options.Git:
		return fmt.Sprintf("The newest commit of %s is not what this action wrote. Set that ref back to the commit before it, or delete it: "+
			"then the state is rebuilt from the Deployments of this repository.", k.ref())
	case unbelievable(err):
		return "The newest state artifact is not what this action uploaded. Delete it on the page of its run to go on with the one before."
	}
	return "GitHub did not answer as it should. Run this again; nothing was changed."
}

// permission says where to add what a token lacks.
func (s *Store) permission(refusal *github.PermissionError) string {
	add := fmt.Sprintf("Add `%s` to the permissions block of the job.", refusal.Permission)
	if s.options.Run.RunID == 0 {
		add = fmt.Sprintf("Set GITHUB_TOKEN or GH_TOKEN to a token that has `%s` for %s.", refusal.Permission, s.options.Run.Repository)
	}
	switch {
	case refusal.Permission == "deployments: read" && s.options.Run.RunID == 0:
		return "No state is kept yet, and whether something was deployed before can only be told by the Deployments of the repository. " + add + " Nothing was changed."
	case refusal.Permission == "deployments: read":
		return "No state is kept yet, and whether something was deployed before can only be told by the Deployments of this repository. " +
			"Add `deployments: write` to the permissions block of the job, or set the input `deployments` to false. Nothing was changed."
	case s.options.Git:
		return "State is kept on git refs of the repository, and reading it needs a permission. " + add + " Nothing was changed."
	}
	return "State is kept in workflow artifacts, and reading those of earlier runs needs a permission. " + add + " Nothing was changed."
}
