package app

import (
	"context"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/config"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/ui"
)

// jsonConfig is config --json.
type jsonConfig struct {
	Workspace string                  `json:"workspace"`
	Variables map[string]jsonVariable `json:"variables,omitempty"`
	Apps      map[string]jsonSettings `json:"apps"`
}

type jsonVariable struct {
	Value  string `json:"value"` // as it is written in the language
	Source string `json:"source"`
}

// jsonSettings are the settings of one app. The value of a secret is "***".
type jsonSettings struct {
	Env    map[string]string `json:"env,omitempty"`
	Files  map[string]string `json:"file,omitempty"`
	Runner map[string]string `json:"runner,omitempty"` // for this program
}

// showConfig prints the values of the variables, and what the config blocks
// deliver to the chosen apps. Secrets are masked.
func showConfig(ctx context.Context, s *session, f *flags, _ []string) error {
	apps, err := s.engine.Settings(ctx, f.Options)
	if err != nil {
		return err
	}
	variables := s.engine.Scope.Variables()
	if f.session.json {
		return s.printJSON(configJSON(s.engine.Workspace, variables, apps))
	}
	s.showVariables(variables)
	s.showSettings(apps)
	return nil
}

func configJSON(workspace string, variables []config.Variable, apps []*config.App) jsonConfig {
	shown := jsonConfig{Workspace: workspace, Variables: map[string]jsonVariable{}, Apps: map[string]jsonSettings{}}
	for _, v := range variables {
		shown.Variables[v.Name] = jsonVariable{v.Text, v.Source}
	}
	for _, app := range apps {
		shown.Apps[app.Name] = jsonSettings{masked(app.Env), masked(app.Files), masked(app.Runner)}
	}
	return shown
}

// masked returns settings as they may be shown.
func masked(settings map[string]component.Setting) map[string]string {
	shown := map[string]string{}
	for name, setting := range settings {
		shown[name] = shownSetting(setting)
	}
	return shown
}

func shownSetting(s component.Setting) string {
	if s.Sensitive {
		return secret.Text("").String() // the mask
	}
	return s.Text.Reveal()
}

func (s *session) showVariables(variables []config.Variable) {
	if len(variables) == 0 {
		return
	}
	rows := make([][]string, len(variables))
	for i, v := range variables {
		rows[i] = []string{v.Name, shorten(v.Text), v.Source}
	}
	s.ui.Print("%s", ui.Table([]string{"VARIABLE", "VALUE", "FROM"}, rows))
}

func (s *session) showSettings(apps []*config.App) {
	var rows [][]string
	for _, app := range apps {
		for _, kind := range []struct {
			name     string
			settings map[string]component.Setting
		}{{"env", app.Env}, {"file", app.Files}, {"runner", app.Runner}} {
			for _, name := range slices.Sorted(maps.Keys(kind.settings)) {
				rows = append(rows, []string{app.Name, kind.name, name, shorten(shownSetting(kind.settings[name]))})
			}
		}
	}
	if len(rows) == 0 {
		s.ui.Print("No app is given any settings in workspace %q.", s.engine.Workspace)
		return
	}
	s.ui.Print("%s", ui.Table([]string{"APP", "KIND", "NAME", "VALUE"}, rows))
}

// widest is how much of a value a table shows.
const widest = 60

// shorten cuts a value that is too long for a table.
func shorten(value string) string {
	if utf8.RuneCountInString(value) <= widest {
		return value
	}
	return string([]rune(value)[:widest-1]) + "…"
}
