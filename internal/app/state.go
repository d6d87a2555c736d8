package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net/http"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/state/dirstore"
	"github.com/deploy-action/deploy-action/internal/state/runstore"
)

// openState opens the store that --state names: by default workflow artifacts
// in a runner and a folder elsewhere. A runner without artifacts has no place
// that is safe to assume.
func (s *session) openState(o sessionOptions, v verb) error {
	kind, folder, _ := strings.Cut(o.state, "=")
	inRunner, offered := s.machine.runner.Active(), s.machine.getenv("ACTIONS_RESULTS_URL") != ""
	switch {
	case kind == "artifact", kind == "auto" && offered:
		return s.openArtifacts(o, v)
	case kind == "auto" && inRunner && v.changes:
		return invalid("No place for the state", "This step has no artifact service: it is a `run` step, or the server offers none. "+
			"Use the action itself, or set the state to dir=FOLDER with a folder that outlives the job.")
	case kind == "auto":
		return s.openFolder(s.dataDir, v)
	case kind != "dir":
		return invalid(fmt.Sprintf("Unknown kind of state %q", kind),
			"The flag --state and the input `state` take auto, artifact, dir or dir=FOLDER."+diag.Suggest(kind, []string{"auto", "artifact", "dir"}))
	case folder != "":
		return s.openFolder(s.machine.fromDir([]string{folder})[0], v)
	}
	if inRunner && v.changes {
		s.machine.runner.Notice("State is kept in " + s.dataDir + " and ends with this job. To keep it, say dir=FOLDER.")
	}
	return s.openFolder(s.dataDir, v)
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

// openArtifacts opens the store of a run, and the client that reports to
// GitHub.
func (s *session) openArtifacts(o sessionOptions, v verb) error {
	m, run := s.machine, s.machine.runner.Context()
	client, service, err := m.github(s.http, s.secrets)
	if err != nil {
		return err
	}
	if service == nil && v.changes {
		return invalid("No place for the state", "State was to be kept in artifacts, and this step has no artifact service: ACTIONS_RESULTS_URL and ACTIONS_RUNTIME_TOKEN are not both set. Use the action itself, or another kind of state.")
	}
	run.HeadRef = cmp.Or(s.headRef, run.HeadRef)
	refs, err := m.stateRefs()
	if err != nil {
		return err
	}
	file, err := filepath.Rel(run.Workspace, s.project.Path())
	if err != nil {
		file = filepath.Base(s.project.Path())
	}
	intents, err := m.wants("deployments")
	if err != nil {
		return err
	}
	store, err := m.artifacts(runstore.Options{
		Client: client, Service: service, Secrets: s.secrets, Run: run, Path: file,
		Project: s.project.Name(), Apps: s.project.Apps(), Workspace: s.engine.Workspace,
		Refs: refs, RefsOf: s.refNames, Longest: s.timeout, NoLock: o.unlocked, NoIntents: !intents, Warn: s.warnOfState,
	})
	if err != nil {
		return err
	}
	s.api = client
	s.engine.Store = readable{store}
	s.release = store.Release
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
	return s.reportTo(client)
}

// stateRefs reads the input state-refs: patterns of branches and tags, with or
// without refs/heads/ and refs/tags/.
func (m *machine) stateRefs() ([]string, error) {
	var patterns []string
	for _, p := range m.runner.InputList("state-refs") {
		p = strings.TrimPrefix(strings.TrimPrefix(p, "refs/heads/"), "refs/tags/")
		if _, err := path.Match(p, ""); err != nil {
			return nil, invalid("Invalid pattern in `state-refs`", fmt.Sprintf("%q is no pattern: %v. A star stands for anything but a slash, as in release/*.", p, err))
		}
		patterns = append(patterns, p)
	}
	return patterns, nil
}

// github returns the clients of the repository's API and of the run's artifact
// service.
func (m *machine) github(client *http.Client, known *secret.Set) (*github.Client, *github.Service, error) {
	run := m.runner.Context()
	app, err := m.githubApp(client, known)
	if err != nil {
		return nil, nil, err
	}
	rest, err := github.New(github.Options{
		API: run.APIURL, Repository: run.Repository, Token: secret.Text(m.getenv("GITHUB_TOKEN")), App: app, HTTP: client,
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
				problem := &diag.Problem{
					Summary: fmt.Sprintf("The state of app %q in workspace %q cannot be read", refused.App, refused.Workspace),
					Detail:  refused.Remedy, Err: refused.Err,
				}
				if denied := tokenProblem(refused); denied != nil {
					problem.Detail = denied.Summary + ". " + denied.Detail
				}
				err = problem
			}
			if !yield(record, err) {
				return
			}
		}
	}
}

// lastWords is how long the program goes on after it was cancelled.
const lastWords = 5 * time.Second

// close makes durable what the run recorded, ends what is reported, and removes
// what the run made on disk. It returns err, how the verb ended, joined with
// what goes wrong here.
func (s *session) close(ctx context.Context, v verb, err error) error {
	if s.engine != nil && s.engine.Store != nil && v.changes {
		err = errors.Join(err, flush(ctx, s.engine.Store), s.setArtifactOutput())
	}
	if s.release != nil {
		err = errors.Join(err, release(ctx, s.release))
	}
	s.settle(ctx, err == nil)
	if s.engine != nil {
		s.closeSources(ctx)
	}
	s.machine.signOut(ctx)
	for i := len(s.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, s.closers[i]())
	}
	return err
}

// flush makes records outlive the machine. If ctx ends meanwhile it tries once
// more, on time of its own.
func flush(ctx context.Context, store state.Store) error {
	err := store.Flush(ctx)
	if err != nil && ctx.Err() != nil {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
		defer cancel()
		err = store.Flush(last)
	}
	if err != nil {
		return fmt.Errorf("saving the state: %w", err)
	}
	return nil
}
