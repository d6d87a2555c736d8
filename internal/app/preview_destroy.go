package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/deploy-action/deploy-action/internal/config"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/engine"
	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/preview"
	"github.com/deploy-action/deploy-action/internal/retry"
	"github.com/deploy-action/deploy-action/internal/state"
)

// condemned is what is to be destroyed: apps of one project in the workspace of
// one pull request.
type condemned struct {
	project *config.Project
	number  int
	apps    []string // that a Deployment tells of, or the user
	perhaps []string // that are in the file: only if something is recorded of them
	headRef string   // the branch of the pull request; "" for that of the event
}

// options are those of the verb, for the apps of a preview.
func (f *flags) options(apps []string) engine.Options {
	o := f.Options
	o.Apps = apps
	return o
}

// destroy destroys what the event condemns: where there is a file, that of its
// project; else all that was ever deployed for the pull request.
func (p *pullRequest) destroy(ctx context.Context) error {
	exist, err := preview.List(ctx, p.client)
	if err != nil {
		return unlistable(err)
	}
	p.notice(fmt.Sprintf("The preview of pull request #%d is destroyed: %s.", p.event.Number, p.decision.Reason))
	file, err := p.fileToRecall()
	if err != nil {
		return err
	}
	if file {
		return p.destroyAll(ctx, []condemned{p.ofFile(exist)})
	}
	if p.event.Action == "unlabeled" {
		return p.noFile(p.machine.Dir) // it says which label matters
	}
	return p.destroyAll(ctx, byProject(exist, p.event.Number, p.flags.Apps, p.machine.Dir))
}

// fileToRecall opens the file, if there is one that names its project. Code of
// the pull request has no say where the token may do more than its own could.
func (p *pullRequest) fileToRecall() (bool, error) {
	if p.event.Name == "pull_request_target" {
		return false, nil
	}
	o := p.flags.session
	o.workspace = preview.Workspace(p.event.Number)
	return p.openToRecall(o)
}

// openToRecall opens the file for work from records: its problems are warnings,
// and it may be missing.
func (s *session) openToRecall(o sessionOptions) (bool, error) {
	dir, err := s.folder(o)
	if err != nil {
		return false, err
	}
	if _, err := config.Find(dir); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err := s.open(o, previewWork); err != nil {
		return false, err
	}
	if s.problems.HasErrors() {
		s.ui.Diagnostics(asWarnings(s.problems))
	}
	return s.project.Name() != "", nil
}

// ofFile condemns apps of the file's project.
func (p *pullRequest) ofFile(exist []preview.Preview) condemned {
	c := condemned{project: p.project, number: p.event.Number}
	if p.event.Action == "unlabeled" && p.event.Open {
		c.perhaps, _ = p.concerned(func(*config.App, config.Preview) string { return "" })
		return c
	}
	if c.apps = p.flags.Apps; len(c.apps) > 0 {
		return c
	}
	for _, other := range preview.Of(exist, p.event.Number, p.project.Name()) {
		c.apps = append(c.apps, other.App)
	}
	c.perhaps = slices.DeleteFunc(p.project.Apps(), func(app string) bool { return slices.Contains(c.apps, app) })
	return c
}

// byProject condemns previews of a pull request, all or those of the chosen
// apps, of which there is no file.
func byProject(exist []preview.Preview, number int, chosen []string, dir string) []condemned {
	var all []condemned
	for _, p := range preview.Of(exist, number, "") {
		if len(chosen) > 0 && !slices.Contains(chosen, p.App) {
			continue
		}
		if last := len(all) - 1; last >= 0 && all[last].project.Name() == p.Project {
			all[last].apps = append(all[last].apps, p.App)
			continue
		}
		all = append(all, condemned{project: config.Recalled(p.Project, dir), number: number, apps: []string{p.App}})
	}
	return all
}

// destroyAll destroys what is condemned, and shows what came of it.
func (p *pullRequest) destroyAll(ctx context.Context, all []condemned) error {
	var (
		results []engine.Result
		errs    []error
	)
	for _, c := range all {
		gone, err := p.destroyPreviews(ctx, p.client, p.flags, c)
		results, errs = append(results, gone...), append(errs, err)
		p.comment.about(c.project.Name())
		p.comment.write(ctx, false)
	}
	if len(results) == 0 {
		errs = append(errs, p.setOutcome(engine.Unchanged))
	}
	return errors.Join(append(errs, p.conclude(results, p.flags.session.json))...)
}

// destroyPreviews destroys apps in a session of its own, for their workspace
// may be any.
func (s *session) destroyPreviews(ctx context.Context, client *github.Client, f *flags, c condemned) (results []engine.Result, err error) {
	inner := &session{machine: s.machine, ui: s.ui, secrets: s.secrets, project: c.project, headRef: c.headRef}
	o := f.session
	o.workspace = preview.Workspace(c.number)
	if err = inner.equip(o, previewWork); err == nil {
		err = inner.openState(ctx, o, previewWork)
	}
	if err == nil {
		results, err = inner.takeAway(ctx, client, f, c)
	}
	inner.results = results
	return results, inner.close(ctx, previewWork, err)
}

// takeAway destroys apps in the present workspace, which is that of a pull
// request, and then deletes the Deployments of those that are gone.
func (s *session) takeAway(ctx context.Context, client *github.Client, f *flags, c condemned) ([]engine.Result, error) {
	apps, err := s.recorded(ctx, c)
	if len(apps) == 0 {
		return nil, err
	}
	results, failure := s.destroyRetried(ctx, f.options(apps))
	gone := map[string]bool{}
	for _, r := range results {
		gone[r.App] = r.Failure == nil && r.Outcome != engine.Skipped
	}
	if err := s.forget(ctx, client, c.number, gone); err != nil {
		s.warning(fmt.Sprintf("The preview is destroyed, but still listed: %v. The next sweep tries again.", err))
	}
	return results, errors.Join(err, failure)
}

// recorded returns those of the condemned apps that can be destroyed. Of one
// that is neither recorded nor in the file, though a Deployment says that it was
// deployed, nobody knows where it is: the error says so.
func (s *session) recorded(ctx context.Context, c condemned) (apps []string, err error) {
	var errs []error
	for _, app := range slices.Concat(c.apps, c.perhaps) {
		_, err := state.Latest(ctx, s.engine.Store, state.Query{Project: s.project.Name(), App: app, Workspace: s.engine.Workspace})
		if err != nil && !errors.Is(err, state.ErrNotFound) {
			errs = append(errs, err)
			continue
		}
		told := slices.Contains(c.apps, app)
		switch {
		case err == nil, told && slices.Contains(s.project.Apps(), app):
			apps = append(apps, app)
		case told:
			errs = append(errs, &diag.Problem{
				Summary: fmt.Sprintf("Nothing is recorded of app %q in workspace %q", app, s.engine.Workspace),
				Detail: "It may have been deployed, but no record says where, so that it cannot be destroyed. " +
					"If you are sure that nothing of it is left, delete its Deployments on GitHub.",
			})
		}
	}
	return apps, errors.Join(errs...)
}

// unlistable turns the lack of a permission into a problem that says what to do.
func unlistable(err error) error {
	refused, ok := errors.AsType[*github.PermissionError](err)
	if !ok || refused.Permission == "" {
		return err
	}
	return invalid("The token may not list the previews", fmt.Sprintf(
		"%v. The list of previews is that of their Deployments. Add these lines to the workflow:\n  permissions:\n    deployments: write", err))
}

// destroyRetried destroys apps, again and again for a while where that fails:
// nobody looks at a pull request that is closed.
func (s *session) destroyRetried(ctx context.Context, o engine.Options) (results []engine.Result, err error) {
	_ = retry.Do(ctx, func(ctx context.Context) error { // err is the same, without the count of tries
		results, err = s.engine.Destroy(ctx, o)
		if _, invalid := errors.AsType[*engine.InvalidError](err); invalid || ctx.Err() != nil {
			return err
		}
		return retry.Transient(err)
	})
	return results, err
}

// forget deletes the Deployments of the previews of a pull request whose apps
// are gone.
func (s *session) forget(ctx context.Context, client *github.Client, number int, gone map[string]bool) error {
	exist, err := preview.List(ctx, client)
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range preview.Of(exist, number, s.project.Name()) {
		if gone[p.App] {
			errs = append(errs, preview.Forget(ctx, client, p))
		}
	}
	return errors.Join(errs...)
}

// destroyHere destroys apps in the session of the verb.
func (p *pullRequest) destroyHere(ctx context.Context, apps []string) error {
	results, err := p.takeAway(ctx, p.client, p.flags, condemned{project: p.project, number: p.event.Number, apps: apps})
	p.comment.forget()
	p.comment.write(ctx, false)
	return errors.Join(err, p.conclude(results, p.flags.session.json))
}
