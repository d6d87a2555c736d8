package app

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"path/filepath"
	"time"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/state/dirstore"
	"github.com/deploy-action/deploy-action/internal/state/runstore"
)

// openState opens the store that --state names: by default workflow artifacts
// where there is a runner that keeps them, else a folder.
func (s *session) openState(o sessionOptions, v verb) error {
	switch kind := o.state; {
	case kind == "artifact", kind == "auto" && s.machine.getenv("ACTIONS_RESULTS_URL") != "":
		return s.openArtifacts()
	case kind == "dir", kind == "auto":
		return s.openFolder(v)
	default:
		return invalid(fmt.Sprintf("Unknown kind of state %q", kind),
			"The flag --state and the input `state` take auto, artifact or dir."+diag.Suggest(kind, []string{"auto", "artifact", "dir"}))
	}
}

func (s *session) openFolder(v verb) error {
	store, err := dirstore.Open(s.dataDir, s.secrets)
	if err != nil {
		return invalid("The state cannot be read", err.Error())
	}
	store.Verb = v.use
	s.engine.Store = store
	s.engine.Ended = func(context.Context, state.Origin) bool {
		return true // whoever holds the lock on this machine is the only one alive
	}
	s.closers = append(s.closers, store.Close)
	return nil
}

// openArtifacts opens the store of a run, and the client that reports to
// GitHub.
func (s *session) openArtifacts() error {
	m, run := s.machine, s.machine.runner.Context()
	client, service, err := m.github(s.http, s.secrets)
	if err != nil {
		return err
	}
	path, err := filepath.Rel(run.Workspace, s.project.Path())
	if err != nil {
		path = filepath.Base(s.project.Path())
	}
	store, err := m.artifacts(runstore.Options{
		Client: client, Service: service, Secrets: s.secrets, Run: run, Path: path,
		Project: s.project.Name(), Apps: s.project.Apps(), Workspace: s.engine.Workspace,
		Refs: m.runner.InputList("state-refs"),
	})
	if err != nil {
		return err
	}
	s.engine.Store = readable{store}
	s.uploaded = store.Uploaded
	s.engine.Ended = func(ctx context.Context, o state.Origin) bool {
		if o.Run == run.RunID {
			return true // an earlier step or attempt
		}
		ended, err := client.RunEnded(ctx, o.Run)
		if err != nil {
			s.ui.Print("Run %d left something unfinished, and it is not known whether it has ended: %v.", o.Run, err)
		}
		return ended
	}
	s.closers = append(s.closers, store.Close)
	s.reportTo(client, run)
	return nil
}

// github returns the clients of the repository's API and of the run's artifact
// service.
func (m *machine) github(client *http.Client, known *secret.Set) (*github.Client, *github.Service, error) {
	run := m.runner.Context()
	rest, err := github.New(github.Options{
		API: run.APIURL, Repository: run.Repository, Token: secret.Text(m.getenv("GITHUB_TOKEN")), HTTP: client,
	})
	if err != nil {
		return nil, nil, invalid("The repository is not known", err.Error()+". On a terminal set GITHUB_REPOSITORY and GITHUB_TOKEN, or use --state dir.")
	}
	token := secret.Text(m.getenv("ACTIONS_RUNTIME_TOKEN"))
	known.Add(token)
	service, err := github.NewService(github.ServiceOptions{
		ResultsURL: m.getenv("ACTIONS_RESULTS_URL"), Token: token, HTTP: client, Secrets: known,
	})
	if err != nil && !errors.Is(err, github.ErrNoService) {
		return nil, nil, invalid("The runner's artifact service cannot be used", err.Error()+".")
	}
	return rest, service, nil
}

// artifacts opens the store of the run at the place of its journal.
func (m *machine) artifacts(o runstore.Options) (*runstore.Store, error) {
	journal, err := runstore.JournalPath(m.getenv)
	if err != nil {
		return nil, invalid("No place for the journal", err.Error()+".")
	}
	o.Journal = journal
	store, err := runstore.Open(o)
	if err != nil {
		return nil, invalid("The journal cannot be used", err.Error())
	}
	return store, nil
}

// readable is a store whose refusals are problems that say what to do.
type readable struct{ *runstore.Store }

// List implements [state.Store].
func (r readable) List(ctx context.Context, q state.Query) iter.Seq2[state.Record, error] {
	return func(yield func(state.Record, error) bool) {
		for record, err := range r.Store.List(ctx, q) {
			if refused, ok := errors.AsType[*runstore.UnreadableError](err); ok {
				err = &diag.Problem{
					Summary: fmt.Sprintf("The state of app %q in workspace %q cannot be read", refused.App, refused.Workspace),
					Detail:  refused.Remedy, Err: refused.Err,
				}
			}
			if !yield(record, err) {
				return
			}
		}
	}
}

// lastWords is how long the program goes on after it was cancelled.
const lastWords = 5 * time.Second

// close makes durable what the run recorded and removes what it made on disk.
func (s *session) close(ctx context.Context, v verb) error {
	var errs []error
	if s.engine != nil && s.engine.Store != nil && v.changes {
		errs = append(errs, flush(ctx, s.engine.Store), s.setArtifactOutput())
	}
	if s.settle != nil {
		s.settle(ctx)
	}
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	return errors.Join(errs...)
}

// flush makes records outlive the machine, also when ctx has ended.
func flush(ctx context.Context, store state.Store) error {
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), lastWords)
		defer cancel()
	}
	if err := store.Flush(ctx); err != nil {
		return fmt.Errorf("saving the state: %w", err)
	}
	return nil
}
