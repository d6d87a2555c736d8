package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"strings"
	"time"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/state/dirstore"
	"github.com/deploy-action/deploy-action/internal/state/runstore"
)

// openState opens the store that --state names.
func (s *session) openState(ctx context.Context, o sessionOptions, v verb) error {
	kind, folder, _ := strings.Cut(o.state, "=")
	if kind == "auto" {
		var err error
		if kind, err = s.usualState(v); err != nil {
			return err
		}
	}
	inRunner := s.machine.runner.Active()
	switch {
	case kind == "artifact", kind == "git":
		return s.openOnGitHub(ctx, o, v, kind == "git")
	case kind != "dir":
		return invalid(fmt.Sprintf("Unknown kind of state %q", kind),
			"The flag --state and the input `state` take auto, artifact, git, dir or dir=FOLDER."+diag.Suggest(kind, []string{"auto", "artifact", "git", "dir"}))
	case folder != "":
		return s.openFolder(s.machine.fromDir([]string{folder})[0], v)
	}
	if inRunner && v.changes {
		s.machine.runner.Notice("State is kept in " + s.dataDir + " and ends with this job. To keep it, say dir=FOLDER.")
	}
	return s.openFolder(s.dataDir, v)
}

// usualState is the kind of state that auto stands for: a folder on a terminal,
// artifacts in a job, and git refs where the server of a job has no artifacts
// that last. A `run` step is told of neither, so it has no place that is safe to
// assume, but it may look at what artifacts tell.
func (s *session) usualState(v verb) (kind string, err error) {
	m := s.machine
	if _, err = m.service(s.http, s.secrets); err == nil {
		return "artifact", nil
	}
	switch {
	case !errors.Is(err, github.ErrNoService):
		return "", err
	case m.runner.Active() && m.getenv("ACTIONS_RUNTIME_TOKEN") != "":
		return "git", nil
	case m.runner.Active() && v.changes:
		return "", invalid("No place for the state", "This step has no artifact service, for it is a `run` step. Use the action itself, "+
			"keep the state on git refs with --state git, which takes `contents: write`, or set it to dir=FOLDER with a folder that outlives the job.")
	case m.runner.Active() && v.under == "state" && m.token() == "":
		return "", invalid("No token to read the state with", "This is a `run` step, which has no token unless it is given one. Add `env: { GITHUB_TOKEN: \"${{ github.token }}\" }` to it, "+
			"or name the folder that keeps the state with --state dir=FOLDER. Nothing was changed.")
	case m.runner.Active() && v.under == "state":
		s.ui.Print("The state is read from the artifacts of this repository. If it is kept on git refs, say --state git.")
		return "artifact", nil
	}
	return "dir", nil
}

func (s *session) openFolder(folder string, v verb) error {
	store, err := dirstore.Open(folder, s.secrets)
	if errors.Is(err, fs.ErrPermission) {
		return invalid("No permission for the state folder", fmt.Sprintf(
			"This user may not write %s (%v). Run as the folder's owner, or give it to this user with chown.", folder, err))
	}
	if err != nil {
		return invalid("The state cannot be read", err.Error())
	}
	store.Verb = v.name()
	s.engine.Store = store
	s.engine.Ended = func(context.Context, state.Origin) bool {
		return true // whoever holds the lock on this machine is the only one alive
	}
	s.closers = append(s.closers, store.Close)
	return nil
}

// readable is a store whose refusals are problems that say what to do, and that
// nothing more is written to once the fence stands.
type readable struct {
	*runstore.Store
	git      bool // records are kept on refs
	terminal bool
	fence    *fence
}

// List implements [state.Store].
func (r readable) List(ctx context.Context, q state.Query) iter.Seq2[state.Record, error] {
	return func(yield func(state.Record, error) bool) {
		for record, err := range r.Store.List(ctx, q) {
			if refused, ok := errors.AsType[*runstore.UnreadableError](err); ok {
				err = r.problem(refused)
			}
			if !yield(record, err) {
				return
			}
		}
	}
}

func (r readable) problem(refused *runstore.UnreadableError) *diag.Problem {
	problem := &diag.Problem{
		Summary: fmt.Sprintf("The state of app %q in workspace %q cannot be read", refused.App, refused.Workspace),
		Detail:  refused.Remedy, Err: refused.Err,
	}
	_, signIn := errors.AsType[*github.SignInError](refused)
	if denied := tokenProblem(refused); denied != nil && (signIn || !r.git && !r.terminal) {
		problem.Detail = denied.Summary + ". " + denied.Detail
		if refusal, ok := errors.AsType[*github.PermissionError](refused); ok && refusal.Permission == "deployments: read" {
			problem.Detail = "No state is kept yet, and only the Deployments of the repository tell whether something was deployed before. " + problem.Detail
		}
	}
	return problem
}

// lastWords is how long saving the state, or giving back a lock, may take when
// the program was cancelled.
const lastWords = 5 * time.Second

// close makes durable what the run recorded, ends what is reported, and removes
// what the run made on disk. It returns err, how the verb ended, joined with
// what goes wrong here.
func (s *session) close(ctx context.Context, v verb, err error) error {
	err = errors.Join(err, s.save(ctx, v, err == nil))
	if s.engine != nil {
		s.closeSources(ctx)
	}
	s.machine.signOut(ctx)
	for i := len(s.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, s.closers[i]())
	}
	return err
}

// save makes durable what the run recorded, gives back its locks, and ends what
// is reported. Where the fence stands that is the post step's.
func (s *session) save(ctx context.Context, v verb, well bool) error {
	if s.machine.fence.stands() {
		return errFenced
	}
	var err error
	if s.engine != nil && s.engine.Store != nil {
		err = s.keep(ctx, v)
	}
	if s.release != nil {
		if kept := s.machine.ending.release(ctx, s.release); kept != nil { // what was deployed is deployed
			s.warning(fmt.Sprintf("%v. The next run takes it over once this one has ended.", kept))
		}
	}
	s.settle(ctx, well && err == nil)
	return err
}

// keep makes records outlive the machine. A verb that changes nothing renews at
// most what would expire.
func (s *session) keep(ctx context.Context, v verb) error {
	if v.changes {
		return errors.Join(s.machine.ending.flush(ctx, s.engine.Store), s.setArtifactOutput())
	}
	if store, ok := s.engine.Store.(readable); ok {
		store.Renew(ctx)
	}
	return nil
}

// giveUp saves the state of a run whose verb did not come back, and returns the
// exit status. What the verb has opened is not closed: it may be using it.
func (s *session) giveUp(ctx context.Context, v verb) int {
	s.machine.runner.Warning("The run was cancelled, and what it was doing did not end. The next run looks at what became of it.")
	if err := s.save(ctx, v, false); err != nil {
		s.machine.runner.Warning(fmt.Sprintf("Ending early: %v", err))
	}
	return exitCancelled
}

// flush makes records outlive the machine. If ctx ends meanwhile it tries once
// more, on time of its own.
func (e *ending) flush(ctx context.Context, store state.Store) error {
	err := store.Flush(ctx)
	if err != nil && ctx.Err() != nil {
		last, cancel := e.lasting(ctx, lastWords, reserved)
		defer cancel()
		err = store.Flush(last)
	}
	if err != nil {
		return fmt.Errorf("saving the state: %w", err)
	}
	return nil
}
