package app

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/deploy-action/deploy-action/internal/engine"
	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/ui"
)

func recoverFlags(c *cobra.Command, f *flags) {
	c.Flags().BoolVar(&f.records.yes, "yes", false, "record what was found")
	c.Flags().StringArrayVar(&f.records.gone, "gone", nil, "take this `deployment` (its ID) as gone, where its platform cannot be asked (repeatable)")
}

// rebuilder is a store that knows what it made again from what GitHub was told,
// and that no place keeps yet.
type rebuilder interface {
	Rebuilt(app string) []state.Record
}

// recoverRecords shows what is known of every deployment, and by whom, and
// records with --yes what was not recorded.
func recoverRecords(ctx context.Context, s *session, f *flags, _ []string) error {
	told, err := s.told()
	if err != nil {
		return err
	}
	found, gaps, results, err := s.engine.Recover(ctx, engine.RecoverOptions{
		Options: f.Options, Told: told, Gone: f.records.gone, Write: f.records.yes,
	})
	s.results = results
	if err != nil {
		return err
	}
	if f.records.yes {
		if err := s.machine.ending.flush(ctx, s.engine.Store); err != nil {
			return err
		}
	}
	if f.session.json {
		return s.printJSON(map[string]any{"deployments": recoveriesJSON(found), "incomplete": append([]string{}, gaps...)})
	}
	return s.showRecovery(found, gaps, f.records.yes)
}

// told returns what reads the records of an app that GitHub alone tells of.
func (s *session) told() (func(ctx context.Context, app string) ([]state.Record, error), error) {
	store, ok := s.engine.Store.(rebuilder)
	if !ok {
		return func(context.Context, string) ([]state.Record, error) { return nil, nil }, nil
	}
	deployments, err := s.machine.wants("deployments")
	if err != nil {
		return nil, err
	}
	client, _, err := s.machine.githubOf(s.machine.repositoryAt(s.project.Dir()), s.http, s.secrets)
	if err != nil {
		return nil, err
	}
	statuses := &statusReader{
		client: client, project: s.project.Name(), workspace: s.engine.Workspace, head: s.machine.runner.Context().HeadSHA,
	}
	return func(ctx context.Context, app string) ([]state.Record, error) {
		records := store.Rebuilt(app)
		if deployments {
			return records, nil
		}
		byStatus, err := statuses.of(ctx, app)
		return append(records, s.unknown(ctx, app, byStatus)...), err
	}, nil
}

// unknown returns those of an app's records whose deployments the store does
// not have.
func (s *session) unknown(ctx context.Context, app string, records []state.Record) []state.Record {
	return slices.DeleteFunc(records, func(r state.Record) bool {
		q := state.Query{Project: r.Project, App: app, Workspace: r.Workspace, Deployment: r.Deployment}
		_, err := state.Latest(ctx, s.engine.Store, q)
		return !errors.Is(err, state.ErrNotFound)
	})
}

// sourceWords say who tells of a deployment, and existenceWords what its
// platform says.
var (
	sourceWords = map[engine.Source]string{
		engine.FromRecord: "recorded", engine.FromGitHub: "only on GitHub", engine.FromPlatform: "only on the platform",
	}
	existenceWords = map[engine.Existence]string{
		engine.Exists: "there", engine.ExistsNot: "not there", engine.ExistsUnknown: "not known",
	}
)

func (s *session) showRecovery(found []engine.Recovery, gaps []string, written bool) error {
	if len(found) == 0 {
		s.ui.Print("No deployment is known in workspace %q: none is recorded, and neither GitHub nor a platform tells of one.", s.engine.Workspace)
	} else {
		rows, lost := make([][]string, len(found)), 0
		for i, r := range found {
			released := ""
			if r.Released {
				released = "released"
			}
			if r.Source != engine.FromRecord {
				lost++
			}
			rows[i] = []string{
				r.Record.App, strconv.Itoa(r.Record.Sequence), r.Record.Deployment, string(r.Record.Status), r.Record.Plugin,
				sourceWords[r.Source], existenceWords[r.Exists], released,
			}
		}
		s.ui.Print("%s", ui.Table([]string{"APP", "NO.", "DEPLOYMENT", "STATUS", "PLATFORM", "KNOWN BY", "ON IT", ""}, rows))
		switch {
		case written:
			s.ui.Print("What was found is recorded.")
		case lost > 0:
			s.ui.Print("%s not recorded. Say --yes to record them.", isOrAre(lost))
		}
	}
	if len(gaps) > 0 {
		s.ui.Print("The state is incomplete, and prune and destroy refuse: %s.", strings.Join(gaps, "; "))
	}
	return nil
}

func isOrAre(n int) string {
	if n == 1 {
		return "1 is"
	}
	return strconv.Itoa(n) + " are"
}

// jsonRecovery is one deployment as state recover --json shows it.
type jsonRecovery struct {
	App        string           `json:"app"`
	Workspace  string           `json:"workspace"`
	Deployment string           `json:"deployment_id"`
	Sequence   int              `json:"sequence"`
	Status     state.Status     `json:"status"`
	Plugin     string           `json:"plugin"`
	Source     engine.Source    `json:"source"`
	Exists     engine.Existence `json:"exists"`
	Released   bool             `json:"released"`
	Message    string           `json:"message,omitempty"`
}

func recoveriesJSON(found []engine.Recovery) []jsonRecovery {
	rows := make([]jsonRecovery, len(found))
	for i, r := range found {
		rows[i] = jsonRecovery{
			r.Record.App, r.Record.Workspace, r.Record.Deployment, r.Record.Sequence, r.Record.Status, r.Record.Plugin,
			r.Source, r.Exists, r.Released, r.Record.Message,
		}
	}
	return rows
}
