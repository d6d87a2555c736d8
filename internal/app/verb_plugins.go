package app

import (
	"context"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/deploy-action/deploy-action/internal/builtin"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/ui"
)

// jsonPlugin is a plugin as plugins --json shows it.
type jsonPlugin struct {
	Name      string   `json:"name"`
	Kinds     []string `json:"kinds"`
	Summary   string   `json:"summary"`
	Reference string   `json:"reference,omitempty"` // Markdown; of a single plugin only
}

// showPlugins lists the plugins, or shows the reference of the one that words
// name.
func showPlugins(_ context.Context, s *session, f *flags, words []string) error {
	plugins := s.machine.plugins()
	switch len(words) {
	case 0:
		return s.listPlugins(plugins, f.session.json)
	case 1:
	default:
		return invalid("More than one plugin", "plugins shows the reference of one plugin. Name only one, or none for the list.")
	}
	var names []string
	for _, p := range plugins {
		if p.Name == words[0] {
			return s.showPlugin(p, f.session.json)
		}
		names = append(names, p.Name)
	}
	return invalid(fmt.Sprintf("Unknown plugin %q", words[0]),
		"`deploy-action plugins` lists the plugins that there are."+diag.Suggest(words[0], names))
}

func (s *session) listPlugins(plugins []component.Plugin, asJSON bool) error {
	if asJSON {
		list := make([]jsonPlugin, len(plugins))
		for i, p := range plugins {
			list[i] = jsonPlugin{Name: p.Name, Kinds: kinds(p), Summary: p.Summary}
		}
		return s.printJSON(list)
	}
	rows := make([][]string, len(plugins))
	for i, p := range plugins {
		rows[i] = []string{p.Name, strings.Join(kinds(p), ", "), p.Summary}
	}
	s.ui.Print("%s", ui.Table([]string{"NAME", "KINDS", "SUMMARY"}, rows))
	return nil
}

func (s *session) showPlugin(p component.Plugin, asJSON bool) error {
	reference := section(builtin.Reference, p.Name)
	if asJSON {
		return s.printJSON(jsonPlugin{Name: p.Name, Kinds: kinds(p), Summary: p.Summary, Reference: reference})
	}
	if reference == "" { // a plugin that is not part of the program
		reference = "## " + p.Name + "\n\n" + p.Summary + "\n"
	}
	s.ui.Print("%s", plainReference(reference, s.columns()))
	return nil
}

// kinds names what a plugin can be.
func kinds(p component.Plugin) []string {
	var names []string
	for _, kind := range []struct {
		name string
		has  bool
	}{
		{"builder", p.Builder != nil},
		{"registry", p.Registry != nil},
		{"platform", p.Platform != nil},
		{"releaser", p.Releaser != nil},
		{"config source", p.Sourcer != nil},
	} {
		if kind.has {
			names = append(names, kind.name)
		}
	}
	return names
}

// section returns the chapter of a plugin in the reference, or "".
func section(reference, name string) string {
	_, rest, ok := strings.Cut(reference, "\n## "+name+"\n")
	if !ok {
		return ""
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	return "## " + name + "\n" + rest
}

// usualColumns is how wide text is where nobody knows the width.
const usualColumns = 80

// columns is how wide explaining text may be.
func (s *session) columns() int {
	out, ok := s.machine.Stdout.(*os.File)
	if !ok {
		return usualColumns
	}
	width, _, err := term.GetSize(int(out.Fd()))
	if err != nil || width == 0 {
		return usualColumns
	}
	return min(max(width, 40), 100)
}
