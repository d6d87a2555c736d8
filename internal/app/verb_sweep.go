package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/deploy-action/deploy-action/internal/config"
	"github.com/deploy-action/deploy-action/internal/engine"
	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/preview"
	"github.com/deploy-action/deploy-action/internal/ui"
)

// sweeper is one run of the verb sweep.
type sweeper struct {
	*session
	client *github.Client
	flags  *flags
	file   bool // there is a file, whose project is the session's
	pulls  map[int]*github.PullRequest

	rows    [][]string
	results []engine.Result
	errs    []error
}

// sweep destroys the previews that are over, and renews the state of apps at
// rest. What goes wrong with one does not stop the others.
func sweep(ctx context.Context, s *session, f *flags, _ []string) error {
	client, err := s.repository()
	if err != nil {
		return err
	}
	w := &sweeper{session: s, client: client, flags: f, pulls: map[int]*github.PullRequest{}}
	if w.file, err = s.openToRecall(f.session); err != nil {
		return err
	}
	exist, err := preview.List(ctx, client)
	if err != nil {
		return unlistable(err)
	}
	exist = slices.DeleteFunc(exist, func(p preview.Preview) bool {
		return len(f.Apps) > 0 && !slices.Contains(f.Apps, p.App)
	})
	for len(exist) > 0 {
		next := preview.Of(exist, exist[0].Number, exist[0].Project)
		exist = exist[len(next):]
		w.sweep(ctx, next)
		if ctx.Err() != nil {
			break
		}
	}
	w.renewStates(ctx)
	return w.conclude()
}

// repository returns the client of the repository's API.
func (s *session) repository() (*github.Client, error) {
	transport, err := s.machine.client()
	if err != nil {
		return nil, err
	}
	client, _, err := s.machine.github(transport, s.secrets)
	return client, err
}

// sweep looks at the apps of one project in one pull request.
func (w *sweeper) sweep(ctx context.Context, previews []preview.Preview) {
	first := previews[0]
	pull := w.pull(ctx, first.Number)
	c := condemned{project: w.projectOf(first.Project), number: first.Number}
	head := ""
	if pull != nil {
		c.headRef, head = pull.HeadRef, pull.HeadSHA
	}
	why := map[string]string{}
	for _, p := range previews {
		rules := config.DefaultPreview()
		if w.file && p.Project == w.project.Name() {
			_, rules = w.rules(p.App)
		}
		if why[p.App] = preview.Over(p, pull, rules, time.Now()); why[p.App] != "" {
			c.apps = append(c.apps, p.App)
		}
	}
	gone := map[string]bool{}
	if len(c.apps) > 0 {
		results, err := w.destroyPreviews(ctx, w.client, w.flags, c)
		w.results, w.errs = append(w.results, results...), append(w.errs, err)
		for _, r := range results {
			gone[r.App] = r.Failure == nil
		}
		comment := w.newComment(w.client, c.number, head)
		comment.about(first.Project)
		comment.write(ctx, false)
	}
	for _, p := range previews {
		what := "kept"
		switch reason := why[p.App]; {
		case gone[p.App]:
			what = "destroyed: " + reason
		case reason != "":
			what = "could not be destroyed: " + reason
		}
		age := time.Since(p.Pushed()).Truncate(time.Minute)
		w.rows = append(w.rows, []string{fmt.Sprintf("#%d", p.Number), p.Project, p.App, fmt.Sprintf("%dh%02dm", age/time.Hour, age%time.Hour/time.Minute), what})
	}
}

// projectOf is the file's project, or one that only the records know.
func (w *sweeper) projectOf(name string) *config.Project {
	if w.file && w.project.Name() == name {
		return w.project
	}
	return config.Recalled(name, w.machine.Dir)
}

// pull reads a pull request once; nil where it cannot be read, which is told.
func (w *sweeper) pull(ctx context.Context, number int) *github.PullRequest {
	if known, ok := w.pulls[number]; ok {
		return known
	}
	found, err := w.client.PullRequest(ctx, number)
	if err != nil {
		w.pulls[number] = nil
		w.warning(fmt.Sprintf("Only time decides about the preview of #%d: %v.", number, err))
		return nil
	}
	w.pulls[number] = &found
	return &found
}

// conclude shows what came of it.
func (w *sweeper) conclude() error {
	if len(w.rows) == 0 {
		w.ui.Print("There is no preview.")
	} else if !w.flags.session.json {
		w.ui.Print("%s", ui.Table([]string{"PULL REQUEST", "PROJECT", "APP", "AGE", "PREVIEW"}, w.rows))
	}
	if len(w.results) == 0 {
		w.errs = append(w.errs, w.setOutcome(engine.Unchanged))
	}
	w.session.results = w.results
	err := w.setOutputs(w.results)
	if w.flags.session.json {
		err = errors.Join(w.printJSON(resultsJSON(w.results)), err)
	}
	return errors.Join(append(w.errs, err)...)
}
