package app

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/config"
	"github.com/deploy-action/deploy-action/internal/config/funcs"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/engine"
	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/matrix"
	"github.com/deploy-action/deploy-action/internal/report"
	"github.com/deploy-action/deploy-action/internal/state/claim"
)

// mostBases is how many commits are compared with ours. Apps that were released
// from further ones count as changed.
const mostBases = 50

// decide finds out which of the chosen apps have changed, and why. What cannot
// be known counts as changed.
func (m *matrixRun) decide(ctx context.Context) error {
	names := m.flags.Apps
	if len(names) == 0 {
		names = m.project.Apps()
	}
	if err := m.survey(ctx, names); err != nil {
		return err
	}
	known := map[string]matrix.App{}
	for _, app := range m.apps {
		known[app.Name] = app
	}
	files := differences{matrixRun: m, known: map[string]difference{}}
	shared := m.shared()
	for _, name := range names {
		serving := m.surveys[name].Serving
		switch {
		case serving == nil:
			m.why[name] = fmt.Sprintf("no release of it is known in workspace %q", m.engine.Workspace)
		default:
			m.why[name] = files.from(ctx, serving.Commit).touch(known[name], shared)
		}
		if m.flags.matrix.all {
			m.why[name] = "--all takes every app for changed"
		}
	}
	return context.Cause(ctx)
}

// survey asks what is released.
func (m *matrixRun) survey(ctx context.Context, names []string) error {
	intents := claim.Intents{Client: m.options.Client, Run: m.options.Run}
	found, err := intents.Survey(ctx, m.project.Name(), m.engine.Workspace, names, m.released)
	if problem := tokenProblem(err); problem != nil {
		return &engine.InvalidError{Diags: diag.Locate(problem, nil, hcl.Range{})}
	}
	if err != nil {
		return fmt.Errorf("asking what is released: %w", err)
	}
	m.surveys = found
	return nil
}

// released reports whether the last status of a Deployment says that users
// reach it. One that is deployed and waits for its release says success, too.
func (m *matrixRun) released(app string, s github.DeploymentStatus) bool {
	return s.State == "success" && (m.serves[app] || !strings.HasPrefix(s.Description, report.DeployedOnly))
}

// releases reports whether something releases what is deployed of an app.
func (m *matrixRun) releases(app *config.App) bool {
	if app.Release != nil && app.Release.Plugin != "" {
		return true
	}
	return app.Deploy != nil && m.engine.Plugins[app.Deploy.Plugin].DefaultRelease
}

// shared are patterns of the files that change every app.
func (m *matrixRun) shared() []string {
	file := m.tree.below(m.project.Path())
	patterns := []string{file, filepath.ToSlash(filepath.Join(filepath.Dir(file), "*.auto.wpvars")), filepath.ToSlash(filepath.Join(filepath.Dir(file), "*.auto.wpvars.json"))}
	for _, path := range m.machine.fromDir(m.flags.session.varFiles) {
		patterns = append(patterns, m.tree.below(path))
	}
	return append(patterns, m.flags.matrix.shared...)
}

// difference is what changed between a commit and ours.
type difference struct {
	base  string
	files []string
	why   string // why nothing is known; "" where the files are
}

// touch returns why the app has changed since, or "".
func (d difference) touch(app matrix.App, shared []string) string {
	if d.why != "" {
		return d.why
	}
	file := app.Touched(d.files)
	if file == "" {
		file = matrix.First(shared, d.files)
	}
	if file == "" {
		return ""
	}
	return fmt.Sprintf("%s has changed since %.7s", file, d.base)
}

// differences compares ours with each commit once, however many apps were
// released from it.
type differences struct {
	*matrixRun
	known map[string]difference
}

func (d differences) from(ctx context.Context, base string) difference {
	found, known := d.known[base]
	if !known {
		found = d.compare(ctx, base)
		d.known[base] = found
		if found.why != "" {
			d.notes = append(d.notes, fmt.Sprintf("What has changed since commit %.7s is not known: %s. Its apps count as changed.", base, found.why))
		}
	}
	return found
}

// compare looks into the local repository, which asks nobody, and then asks
// GitHub: a checkout has one commit only, unless it is told otherwise.
func (d differences) compare(ctx context.Context, base string) difference {
	found := difference{base: base}
	ours := d.tree.commit
	if base == ours {
		return found
	}
	if ours == "" {
		found.why = "the present commit is not known"
		return found
	}
	files, err := d.tree.changed(base)
	if err == nil {
		if _, precedes, err := funcs.Relation(ctx, d.project.Dir(), base, ours); err == nil && precedes {
			d.older = append(d.older, base)
		}
		found.files = files
		return found
	}
	if len(d.known) >= mostBases {
		found.why = fmt.Sprintf("it is one of more than %d commits to compare", mostBases)
		return found
	}
	var follows bool
	if found.files, follows, err = d.options.Client.ChangedFiles(ctx, base, ours); follows {
		d.older = append(d.older, base)
	}
	switch {
	case errors.Is(err, github.ErrNotFound):
		found.why = fmt.Sprintf("neither the checkout nor GitHub has the commits %.7s and %.7s", base, ours)
	case err != nil:
		found.why = err.Error()
	}
	return found
}
