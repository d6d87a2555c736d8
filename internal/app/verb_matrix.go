package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"github.com/deploy-action/deploy-action/internal/engine"
	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/matrix"
	"github.com/deploy-action/deploy-action/internal/state/claim"
	"github.com/deploy-action/deploy-action/internal/state/runstore"
	"github.com/deploy-action/deploy-action/internal/ui"
)

// matrixChoice is what the flags of matrix say.
type matrixChoice struct {
	shared []string
	all    bool
	groups bool
	group  int // -1 where it is not given
}

func matrixFlags(c *cobra.Command, f *flags) {
	c.Flags().StringArrayVar(&f.matrix.shared, "shared", nil, "a `pattern` of paths, from the top of the repository, that change every app (repeatable)")
	c.Flags().BoolVar(&f.matrix.all, "all", false, "take every app for changed")
	c.Flags().BoolVar(&f.matrix.groups, "groups", false, "make jobs that each make a matrix, also of few apps")
	c.Flags().IntVar(&f.matrix.group, "group", -1, "the matrix of this `number` of the groups")
}

// matrixRun is one run of the verb matrix.
type matrixRun struct {
	*session
	flags   *flags
	options runstore.Options // where GitHub and the run's artifacts are

	apps    []matrix.App
	serves  map[string]bool // what serves users once it is deployed, without a release
	tree    tree
	surveys map[string]*claim.Survey // what GitHub tells of each app's Deployments
	why     map[string]string        // why an app has changed
	older   []string                 // commits of releases that ours is known to descend from
	notes   []string
}

// runMatrix shows which apps have changed.
func runMatrix(ctx context.Context, s *session, f *flags, _ []string) error {
	m := &matrixRun{session: s, flags: f, serves: map[string]bool{}, why: map[string]string{}}
	var err error
	if m.options, err = m.open(); err != nil {
		return err
	}
	if f.matrix.group >= 0 {
		return m.showGroup(ctx)
	}
	if err := m.readApps(); err != nil {
		return err
	}
	if err := m.decide(ctx); err != nil {
		return err
	}
	entries, err := matrix.Order(m.apps, s.engine.Workspace, func(name string) bool { return m.why[name] != "" })
	if err != nil {
		return invalid("No order of the apps", err.Error()+". Remove one of these from \"depends_on\".")
	}
	m.tell(entries)
	if err := m.handOver(ctx, entries); err != nil {
		if f.matrix.groups || len(entries) > matrix.Most {
			return fmt.Errorf("handing the matrix to its groups: %w", err)
		}
		s.warning(fmt.Sprintf("The jobs of the matrix each ask GitHub for themselves: %v.", err))
	}
	return m.conclude(entries)
}

// open finds GitHub, and the artifacts of the run.
func (m *matrixRun) open() (runstore.Options, error) {
	client, service, err := m.machine.github(m.http, m.secrets)
	return runstore.Options{
		Client: client, Service: service, Run: m.machine.runner.Context(), Project: m.project.Name(), Workspace: m.engine.Workspace,
	}, err
}

// readApps reads what the file says of each app.
func (m *matrixRun) readApps() error {
	m.tree = openTree(m.project.Dir(), m.options.Run)
	chosen := map[string]bool{}
	for _, name := range m.flags.Apps {
		chosen[name] = true
	}
	var diags hcl.Diagnostics
	for _, name := range m.project.Apps() {
		app, problems := m.project.App(name, m.engine.Scope)
		diags = append(diags, problems...)
		if problems.HasErrors() {
			continue
		}
		m.apps = append(m.apps, matrix.App{Name: name, Folder: m.tree.below(app.Path), Watch: app.Watch, DependsOn: app.DependsOn})
		m.serves[name] = !m.releases(app)
		delete(chosen, name)
	}
	for name := range chosen {
		return invalid(fmt.Sprintf("Unknown app %q", name), fmt.Sprintf("%s has no app of that name.", m.project.Path()))
	}
	if diags.HasErrors() {
		return &engine.InvalidError{Diags: engine.Unique(diags)}
	}
	return nil
}

// tell shows why each app has changed.
func (m *matrixRun) tell(entries []matrix.Entry) {
	for _, note := range m.notes {
		m.ui.Print("%s", note)
	}
	rows := make([][]string, len(entries))
	for i, e := range entries {
		rows[i] = []string{e.App, fmt.Sprint(e.Level), m.why[e.App]}
	}
	if len(rows) > 0 {
		m.ui.Print("%s", ui.Table([]string{"APP", "LEVEL", "WHY IT HAS CHANGED"}, rows))
	}
	m.ui.Print("%d of %d apps differ from what is released in workspace %q.", len(entries), len(m.apps), m.engine.Workspace)
}

// handOver leaves to the jobs of the matrix what was found out.
func (m *matrixRun) handOver(ctx context.Context, entries []matrix.Entry) error {
	if m.options.Service == nil {
		return github.ErrNoService
	}
	if len(entries) == 0 {
		return nil
	}
	content, err := json.Marshal(matrix.Of(entries))
	if err != nil {
		return err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.App
	}
	return runstore.HandOver(ctx, m.options, names, runstore.Found{Surveys: m.surveys, Older: m.older, Matrix: content})
}

// conclude prints the matrix and hands it on.
func (m *matrixRun) conclude(entries []matrix.Entry) error {
	if !m.flags.matrix.groups && len(entries) <= matrix.Most {
		return errors.Join(m.show(matrix.Of(entries)), m.set("levels", matrix.Levels(entries)), m.setOutcome(outcomeOf(entries)))
	}
	groups := []matrix.Group{}
	for number := range matrix.Groups(entries) {
		groups = append(groups, matrix.Group{Group: number})
	}
	return errors.Join(m.show(matrix.Of(groups)), m.setOutcome(outcomeOf(entries)))
}

func outcomeOf(entries []matrix.Entry) engine.Outcome {
	if len(entries) == 0 {
		return engine.Unchanged
	}
	return engine.Changed
}

// showGroup prints the matrix of one group, as the first level has cut it: what
// other groups have deployed since must not move an app from one to another.
func (m *matrixRun) showGroup(ctx context.Context) error {
	handed, err := runstore.ReadHandover(ctx, m.options)
	if err != nil {
		return fmt.Errorf("reading what the first level has found: %w", err)
	}
	if handed == nil {
		return invalid("No first level of the matrix", "A group is a part of what `matrix` has found in an earlier job of the same attempt of this run, for the same project and workspace. "+
			"Let this job need that one; to run it again, choose \"Re-run all jobs\".")
	}
	var all matrix.Matrix[matrix.Entry]
	if err := json.Unmarshal(handed.Matrix, &all); err != nil {
		return fmt.Errorf("reading what the first level has found: %w", err)
	}
	groups := matrix.Groups(all.Include)
	if m.flags.matrix.group >= len(groups) {
		return invalid(fmt.Sprintf("No group %d", m.flags.matrix.group), fmt.Sprintf("There are %d, and the first one is 0.", len(groups)))
	}
	entries := groups[m.flags.matrix.group]
	return errors.Join(m.show(matrix.Of(entries)), m.set("levels", matrix.Levels(entries)), m.setOutcome(outcomeOf(entries)))
}

// show prints a matrix, and hands it on.
func (m *matrixRun) show(value any) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(m.output(), "%s\n", raw)
	return errors.Join(err, m.set("matrix", value))
}

// set hands a value on as JSON.
func (m *matrixRun) set(output string, value any) error {
	if !m.machine.runner.Active() || m.machine.getenv("GITHUB_OUTPUT") == "" {
		return nil
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return m.machine.runner.SetOutput(output, string(raw))
}
