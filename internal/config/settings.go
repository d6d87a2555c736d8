package config

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/config/funcs"
)

// settings is a config block. A nil one is absent from the file.
type settings struct {
	app    scopedGroups // for the application
	runner scopedGroups // for this program
}

// scopedGroups is a group of settings with those that lie over it in some
// workspaces, and for some labels.
type scopedGroups struct {
	plain      group
	workspaces map[string]group // by name in lower case
	labelled   []labelledGroup  // in the order in which they lie over one another
}

// labelledGroup is a group for deployments whose labels match a selector.
type labelledGroup struct {
	text     string
	selector *funcs.Selector
	where    hcl.Range
	group
}

// group is a set of values that can refer to one another. Its attributes are
// nil when absent.
type group struct{ env, file, internal *hcl.Attribute }

// readSettings takes a config block apart; nil when there is none.
func readSettings(block *hcl.Block) (*settings, hcl.Diagnostics) {
	if block == nil {
		return nil, nil
	}
	content, diags := settingsGrammar.read(block.Body)
	diags = append(diags, settingsGrammar.withoutEffect(content)...)
	s := &settings{}
	app, more := readGroups(content)
	s.app = app
	diags = append(diags, more...)
	runner, more := one(content, "runner")
	diags = append(diags, more...)
	if runner != nil {
		content, more := runnerSettingsGrammar.read(runner.Body)
		diags = append(diags, more...)
		s.runner, more = readGroups(content)
		diags = append(diags, more...)
	}
	return s, diags
}

// readGroups sorts the content of a block into groups.
func readGroups(content *hcl.BodyContent) (scopedGroups, hcl.Diagnostics) {
	var diags hcl.Diagnostics
	s := scopedGroups{plain: newGroup(content), workspaces: map[string]group{}}
	first := map[string]hcl.Range{}
	for _, block := range content.Blocks {
		if block.Type != "workspace" && block.Type != "label" {
			continue
		}
		name, where := block.Labels[0], block.LabelRanges[0]
		inner, more := groupGrammar.read(block.Body)
		diags = append(diags, more...)
		key := block.Type + " " + name
		if block.Type == "workspace" {
			key = strings.ToLower(key)
		}
		if earlier, found := first[key]; found {
			diags = append(diags, twice(block.Type+" block", name, where, earlier))
			continue
		}
		first[key] = block.DefRange
		if block.Type == "workspace" {
			diags = append(diags, badWorkspace(name, where)...)
			s.workspaces[strings.ToLower(name)] = newGroup(inner)
			continue
		}
		selector, err := funcs.ParseSelector(name)
		if err != nil {
			diags = append(diags, badSelector(name, err, where))
			continue
		}
		s.labelled = append(s.labelled, labelledGroup{name, selector, where, newGroup(inner)})
	}
	byLength(s.labelled, func(l labelledGroup) string { return l.text })
	slices.Reverse(s.labelled) // the longest selector wins, so it comes last
	return s, diags
}

func newGroup(content *hcl.BodyContent) group {
	return group{
		env:      content.Attributes["env"],
		file:     content.Attributes["file"],
		internal: content.Attributes["internal"],
	}
}

// shared is what all apps of a scope have in common: the settings of the
// project, evaluated once for each choice of its groups. Safe for concurrent
// use.
type shared struct {
	mu     sync.Mutex
	groups map[string]sharedValues
}

// sharedValues is what evaluating groups came to.
type sharedValues struct {
	values values
	diags  hcl.Diagnostics
}

// evaluateSettings evaluates the config blocks of the project and, over them,
// of the app.
func (p *Project) evaluateSettings(a *app, result *App, ctx *hcl.EvalContext, scope Scope) hcl.Diagnostics {
	labels := result.Labels
	if result.Deploy != nil {
		labels = result.Deploy.Labels
	}
	var (
		project, own settings
		diags        hcl.Diagnostics
	)
	if p.settings != nil {
		project = *p.settings
	}
	if a.settings != nil {
		own = *a.settings
	}
	layered := func(project, own scopedGroups, projectLabels, labels map[string]string) values {
		below, more := project.chosen(scope.workspace, projectLabels)
		diags = append(diags, more...)
		above, more := own.chosen(scope.workspace, labels)
		diags = append(diags, more...)
		delivered, more := scope.shared.evaluate(below, scope)
		diags = append(diags, more...)
		for _, g := range above {
			delivered, more = g.evaluate(delivered, ctx, scope)
			diags = append(diags, more...)
		}
		return delivered
	}
	result.delivered = layered(project.app, own.app, labels, labels)
	result.Env = result.delivered.settings("env", scope.secrets)
	result.Files = result.delivered.settings("file", scope.secrets)
	// Everyone who reads the project's runner block must find the same in it,
	// whatever the app.
	result.runner = layered(project.runner, own.runner, scope.projectLabels(), result.Labels)
	result.Runner = result.runner.settings("env", scope.secrets)
	return diags
}

// evaluate evaluates groups of the project, one over the other, unless that
// was done before.
func (s *shared) evaluate(groups []group, scope Scope) (values, hcl.Diagnostics) {
	key := fmt.Sprint(groups) // their pointers
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, found := s.groups[key]; found {
		return known.values, known.diags
	}
	var result sharedValues
	ctx := scope.child(scope.ctx, nil)
	for _, g := range groups {
		more := hcl.Diagnostics(nil)
		result.values, more = g.evaluate(result.values, ctx, scope)
		result.diags = append(result.diags, more...)
	}
	s.groups[key] = result
	return result.values, result.diags
}

// chosen returns the groups that apply in a workspace to a deployment with
// labels. Each lies over those before it.
func (s scopedGroups) chosen(workspace string, labels map[string]string) ([]group, hcl.Diagnostics) {
	groups := []group{s.plain}
	if g, found := s.workspaces[strings.ToLower(workspace)]; found {
		groups = append(groups, g)
	}
	var diags hcl.Diagnostics
	for _, l := range s.labelled {
		matches, err := l.selector.Match(labels)
		if err != nil {
			diags = append(diags, badSelector(l.text, err, l.where))
		}
		if matches {
			groups = append(groups, l.group)
		}
	}
	return groups, diags
}

// longestSetting is the limit of one value. The kernel gives a process no
// longer variable than 128 KiB; files may be larger.
const longestSetting = 1 << 20

// longestSettings is the limit of all values of one block.
const longestSettings = 16 << 20

// tooLong reports a value over the limit.
func tooLong(name string, where hcl.Range) *hcl.Diagnostic {
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Value too long",
		Detail:   fmt.Sprintf("The value of %q is longer than %d KiB. Put what is so large into the image, or let the app fetch it.", name, longestSetting>>10),
		Subject:  &where,
	}
}

// tooMuch reports the value with which a block is over its limit.
func tooMuch(where hcl.Range) *hcl.Diagnostic {
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Values too long",
		Detail:   fmt.Sprintf("With this one, the values of the block are longer than %d MiB together. Put what is so large into the image, or let the app fetch it.", longestSettings>>20),
		Subject:  &where,
	}
}
