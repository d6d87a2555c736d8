package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/state/claim"
	"github.com/deploy-action/deploy-action/internal/state/dirstore"
	"github.com/deploy-action/deploy-action/internal/state/runstore"
	"github.com/deploy-action/deploy-action/internal/workflow"
)

// openOnGitHub opens the store that keeps records in the repository, in
// artifacts or on git refs, and in a job the client that reports to GitHub.
func (s *session) openOnGitHub(ctx context.Context, o sessionOptions, v verb, git bool) error {
	m := s.machine
	run := m.repositoryAt(s.project.Dir())
	client, service, err := m.githubOf(run, s.http, s.secrets)
	if err != nil {
		return err
	}
	if err := s.checkPlace(v, git, service != nil); err != nil {
		return err
	}
	run.HeadRef = cmp.Or(s.headRef, run.HeadRef)
	if !m.runner.Active() && !git {
		run.HeadRef = previewBranch(ctx, client, s.engine.Workspace)
	}
	options, err := s.storeOptions(o, run, git)
	if err != nil {
		return err
	}
	options.Client, options.Service = client, service
	store, err := m.openStore(options)
	if err != nil {
		return err
	}
	s.engine.Store = readable{Store: store, git: git, terminal: !m.runner.Active(), fence: m.fence}
	if v.changes { // or else the locks of the job are those of other steps
		s.release = func(ctx context.Context) error {
			if m.hasPost() && !store.Spares() {
				return nil // it follows the last step of the job
			}
			return store.Release(ctx)
		}
	}
	s.engine.Incomplete, s.engine.Lost = store.Incomplete, store.Lost
	s.uploaded = store.Uploaded
	s.engine.Ended = func(ctx context.Context, r state.Origin) bool {
		switch r.Run {
		case 0:
			return !o.unlocked // a terminal, which had the lock before us
		case run.RunID:
			return true // an earlier step or attempt
		}
		ended, err := client.RunEnded(ctx, r.Run)
		if err != nil {
			s.ui.Print("Run %d left something unfinished, and it is not known whether it has ended: %v.", r.Run, err)
		}
		return ended
	}
	s.closers = append(s.closers, store.Close)
	if !m.runner.Active() {
		return nil
	}
	s.api = client
	s.handover = store.Handover
	return s.reportTo(client, store.Spares)
}

// checkPlace refuses verbs that could not keep what they record.
func (s *session) checkPlace(v verb, git, service bool) error {
	switch {
	case git || !v.changes || service:
		return nil
	case !s.machine.runner.Active():
		return invalid("State in artifacts is only read here", fmt.Sprintf(
			"Only a run of a workflow can upload an artifact, so `%s` could not keep what it does. Run it in a workflow, "+
				"or keep the state of this repository on git refs, with --state git here and `state: git` in its workflows.", v.name()))
	}
	return invalid("No place for the state", "State was to be kept in artifacts, and this step has no artifact service: ACTIONS_RESULTS_URL and ACTIONS_RUNTIME_TOKEN are not both set. "+
		"Use the action itself, or another kind of state, such as `state: git`.")
}

// previewBranch is the branch of the pull request that a workspace belongs to;
// "" where there is none, or where GitHub does not tell: then its runs are not
// believed.
func previewBranch(ctx context.Context, client *github.Client, workspace string) string {
	number, err := strconv.Atoi(claim.Key{Workspace: workspace}.Preview())
	if err != nil {
		return ""
	}
	pull, err := client.PullRequest(ctx, number)
	if err != nil {
		return ""
	}
	return pull.HeadRef
}

// storeOptions are those of the store that say whose records it keeps, and
// where on this machine.
func (s *session) storeOptions(o sessionOptions, run workflow.Context, git bool) (runstore.Options, error) {
	m := s.machine
	refs, err := m.stateRefs()
	if err != nil {
		return runstore.Options{}, err
	}
	days, err := m.retention()
	if err != nil {
		return runstore.Options{}, err
	}
	if most := run.RetentionDays; most > 0 && days > most {
		m.runner.Warning(fmt.Sprintf("The input `state-retention-days` is %d, and this repository keeps artifacts for %d days at most.", days, most))
		days = most
	}
	intents, err := m.wants("deployments")
	if err != nil {
		return runstore.Options{}, err
	}
	file, err := filepath.Rel(run.Workspace, s.project.Path())
	if err != nil {
		file = filepath.Base(s.project.Path())
	}
	options := runstore.Options{
		Secrets: s.secrets, Run: run, Path: file, Days: days, Git: git,
		Project: s.project.Name(), Apps: s.project.Apps(), Workspace: s.engine.Workspace,
		Refs: refs, RefsOf: s.refNames, Longest: s.timeout, NoLock: o.unlocked, NoIntents: !intents, Warn: s.warnOfState,
	}
	if !m.runner.Active() {
		options.Journal, err = s.terminalJournal(run, git)
		// What this process locks is no business of another on this machine.
		options.Notes = filepath.Join(s.tempDir, "locks")
	}
	return options, err
}

// terminalJournal returns the path of a terminal's journal, which outlives the
// process if there is anything to write.
func (s *session) terminalJournal(run workflow.Context, git bool) (string, error) {
	if !git {
		return filepath.Join(s.tempDir, "journal"), nil
	}
	if err := dirstore.Prepare(s.dataDir); err != nil {
		return "", invalid("No place for the journal", err.Error()+".")
	}
	return filepath.Join(s.dataDir, "github-"+strings.ReplaceAll(run.Repository, "/", "-")+".journal"), nil
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

// retention reads the input state-retention-days; 0 where it says nothing.
func (m *machine) retention() (int, error) {
	text := m.runner.Input("state-retention-days")
	if text == "" {
		return 0, nil
	}
	days, err := strconv.Atoi(text)
	if err != nil || days < 1 {
		return 0, invalid("Invalid input `state-retention-days`", fmt.Sprintf("It is %q; it takes a number of days, such as 90.", text))
	}
	return days, nil
}

// github returns the clients of the repository's API and of the run's artifact
// service, which is nil where there is none.
func (m *machine) github(client *http.Client, known *secret.Set) (*github.Client, *github.Service, error) {
	return m.githubOf(m.repositoryAt(m.Dir), client, known)
}

func (m *machine) githubOf(run workflow.Context, client *http.Client, known *secret.Set) (*github.Client, *github.Service, error) {
	app, err := m.githubApp(client, known)
	if err != nil {
		return nil, nil, err
	}
	rest, err := github.New(github.Options{API: run.APIURL, Repository: run.Repository, Token: m.token(), App: app, HTTP: client})
	if err != nil {
		return nil, nil, invalid("The repository is not known", err.Error()+". On a terminal it is that of the git remote `origin`, or what GITHUB_REPOSITORY names.")
	}
	service, err := m.service(client, known)
	if errors.Is(err, github.ErrNoService) {
		err = nil
	}
	return rest, service, err
}

// service returns the run's artifact service, or [github.ErrNoService].
func (m *machine) service(client *http.Client, known *secret.Set) (*github.Service, error) {
	token := secret.Text(m.getenv("ACTIONS_RUNTIME_TOKEN"))
	known.Add(token)
	days, err := m.retention()
	if err != nil {
		return nil, err
	}
	if most := m.runner.Context().RetentionDays; most > 0 {
		days = min(days, most)
	}
	service, err := github.NewService(github.ServiceOptions{
		ResultsURL: m.getenv("ACTIONS_RESULTS_URL"), Token: token, HTTP: client, Secrets: known, Days: days,
	})
	if err != nil && !errors.Is(err, github.ErrNoService) {
		return nil, invalid("The runner's artifact service cannot be used", err.Error()+".")
	}
	return service, err
}

// openStore opens a store, in a job at the place of the job's journal.
func (m *machine) openStore(o runstore.Options) (*runstore.Store, error) {
	o.Runner = m.getenv("RUNNER_NAME")
	if o.Journal == "" {
		journal, err := runstore.JournalPath(m.getenv)
		if err != nil {
			return nil, invalid("No place for the journal", err.Error()+".")
		}
		o.Journal = journal
		if o.Git {
			o.Journal += gitJournal
		}
	}
	store, err := runstore.Open(o)
	if err != nil {
		return nil, invalid("The journal cannot be used", err.Error())
	}
	return store, nil
}

// gitJournal ends the name of the journal of records that go to git refs, so
// that the post step knows what is left for where.
const gitJournal = ".git"

// leftOnGit reports whether a step of this job has kept records on git refs.
func (m *machine) leftOnGit() bool {
	journal, err := runstore.JournalPath(m.getenv)
	if err != nil {
		return false
	}
	_, err = os.Stat(journal + gitJournal)
	return err == nil
}
