package app

import (
	"fmt"
	"slices"

	"github.com/deploy-action/deploy-action/internal/config"
	"github.com/deploy-action/deploy-action/internal/engine"
	"github.com/deploy-action/deploy-action/internal/preview"
)

// concerned returns the apps that the decision concerns, and results of the
// others, each told with its reason.
func (p *pullRequest) concerned(also func(*config.App, config.Preview) string) (apps []string, skipped []engine.Result) {
	for _, name := range p.previewed() {
		app, rules := p.rules(name)
		why := ""
		if d := p.decision.For(p.event, rules.Label); d.Course != p.decision.Course {
			why = d.Reason
		} else if app != nil {
			why = also(app, rules)
		}
		if why == "" {
			apps = append(apps, name)
			continue
		}
		p.notice(fmt.Sprintf("App %q is skipped: %s.", name, why))
		skipped = append(skipped, engine.Result{App: name, Workspace: p.engine.Workspace, Outcome: engine.Skipped})
	}
	return apps, skipped
}

// withRoom refuses an app that has as many previews as it may.
func (p *pullRequest) withRoom(exist []preview.Preview) func(*config.App, config.Preview) string {
	return func(app *config.App, rules config.Preview) string {
		if preview.Room(exist, p.project.Name(), app.Name, p.event.Number, rules.Max) {
			return ""
		}
		return fmt.Sprintf("it has %d previews already, which is the `max` of its preview block; close a pull request, or run sweep", rules.Max)
	}
}

// previewed returns the apps that have previews: the chosen ones, else those
// with a preview block, else all.
func (p *pullRequest) previewed() []string {
	if len(p.flags.Apps) > 0 {
		return p.flags.Apps
	}
	with := slices.DeleteFunc(p.project.Apps(), func(name string) bool {
		app, _ := p.project.App(name, p.engine.Scope)
		return app != nil && app.Preview == nil
	})
	if len(with) > 0 {
		return with
	}
	return p.project.Apps()
}

// rules returns what the file says of an app's previews. Problems are the
// engine's to show; the app is nil where it is not in the file.
func (s *session) rules(name string) (*config.App, config.Preview) {
	app, _ := s.project.App(name, s.engine.Scope)
	if app == nil || app.Preview == nil {
		return app, config.DefaultPreview()
	}
	return app, *app.Preview
}
