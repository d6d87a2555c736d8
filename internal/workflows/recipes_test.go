package workflows_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// recipes returns every workflow that users copy: the blocks of YAML in
// docs/recipes, and those beside it.
func recipes(t *testing.T) []workflow {
	t.Helper()
	files, err := filepath.Glob(root + "/docs/recipes/*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("looking for the recipes: %v, %v", files, err)
	}
	files = append(files, root+"/docs/github-enterprise.md")
	blocks := regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")
	var found []workflow
	for _, file := range files {
		for _, block := range blocks.FindAllStringSubmatch(read(t, file), -1) {
			first, _, _ := strings.Cut(block[1], "\n")
			w := workflow{name: filepath.Base(file) + ", " + first, source: block[1]}
			parse(t, w.name, w.source, &w)
			found = append(found, w)
		}
	}
	return found
}

// The names under which recipes use this repository's actions.
const (
	action = "deploy-action/deploy-action@v1"
	setup  = "deploy-action/deploy-action/.github/actions/setup@v1"
)

// What people copy says where it goes, asks for no more than it needs, hangs no
// longer than it must, and cuts no deploy off.
func TestRecipes(t *testing.T) {
	t.Parallel()
	place := regexp.MustCompile(`^# (\S+: )?\.github/workflows/\S+\.yml\n`)
	for _, w := range recipes(t) {
		if !place.MatchString(w.source) {
			t.Errorf("%s: its first line does not say where it goes, as in # .github/workflows/deploy.yml", w.name)
		}
		for _, line := range w.unpinned() {
			t.Errorf("%s: pin this action to a commit, with its version beside it: %s", w.name, line)
		}
		if len(w.Permissions) == 0 {
			t.Errorf("%s: it asks for no permissions, so it gets whatever the repository's default is", w.name)
		}
		changes := strings.Contains(w.source, "uses: "+action) || strings.Contains(w.source, "deploy-action up")
		for name, j := range w.Jobs {
			if j.Timeout == 0 && j.Uses == "" {
				t.Errorf("%s: job %s has no timeout-minutes", w.name, name)
			}
			for _, c := range []*concurrency{w.Concurrency, j.Concurrency} {
				if changes && c != nil && c.Cancel != false {
					t.Errorf("%s: job %s cuts deploys off (cancel-in-progress)", w.name, name)
				}
			}
		}
	}
}

// Runs of pull_request_target have the repository's token and secrets: no code
// of the pull request may be there.
func TestPullRequestTarget(t *testing.T) {
	t.Parallel()
	seen := false
	for _, w := range recipes(t) {
		if _, ok := w.On["pull_request_target"]; !ok {
			continue
		}
		seen = true
		for name, j := range w.Jobs {
			for _, s := range j.Steps {
				if strings.HasPrefix(s.Uses, "actions/checkout@") && s.With["ref"] != nil {
					t.Errorf("%s: job %s checks out %v", w.name, name, s.With["ref"])
				}
			}
		}
	}
	if !seen {
		t.Error("no recipe destroys previews under pull_request_target")
	}
}

// Every input, output, verb and flag in a recipe exists.
func TestRecipesAreTrue(t *testing.T) {
	t.Parallel()
	about := reference(t)
	var definition struct{ Inputs, Outputs map[string]any }
	parse(t, "action.yml", read(t, root+"/action.yml"), &definition)
	var installer struct{ Inputs, Outputs map[string]any }
	parse(t, "setup", read(t, root+"/.github/actions/setup/action.yml"), &installer)
	uses := 0
	for _, w := range recipes(t) {
		for _, j := range w.Jobs {
			for _, s := range j.Steps {
				switch s.Uses {
				case action:
					uses++
					w.checkKeys(t, s, definition.Inputs)
					w.checkOutputs(t, s, definition.Outputs)
					w.checkCommand(t, s, about)
				case setup:
					w.checkKeys(t, s, installer.Inputs)
					w.checkOutputs(t, s, installer.Outputs)
				}
				w.checkRun(t, s, about)
			}
		}
	}
	if uses < 10 {
		t.Errorf("only %d steps of the recipes use the action", uses)
	}
}

// checkKeys fails the test where a step has an input that its action lacks.
func (w workflow) checkKeys(t *testing.T, s step, inputs map[string]any) {
	t.Helper()
	for name := range s.With {
		if inputs[name] == nil {
			t.Errorf("%s: %s has no input %q", w.name, s.Uses, name)
		}
	}
}

// checkOutputs fails the test where something reads an output that the step's
// action lacks.
func (w workflow) checkOutputs(t *testing.T, s step, outputs map[string]any) {
	t.Helper()
	if s.ID == "" {
		return
	}
	for _, read := range regexp.MustCompile(`\bsteps\.`+regexp.QuoteMeta(s.ID)+`\.outputs\.([\w-]+)`).FindAllStringSubmatch(w.source, -1) {
		if outputs[read[1]] == nil {
			t.Errorf("%s: %s has no output %q", w.name, s.Uses, read[1])
		}
	}
}

// checkCommand fails the test where the verb of a step, or a flag of it, does
// not exist. Where an input of the workflow is the verb, its options are checked.
func (w workflow) checkCommand(t *testing.T, s step, about map[string][]string) {
	t.Helper()
	commands := []string{s.input("command")}
	if chosen := regexp.MustCompile(`^\$\{\{ inputs\.(\w+) \}\}$`).FindStringSubmatch(commands[0]); chosen != nil {
		commands = w.options(t, chosen[1])
	}
	flags := regexp.MustCompile(`--[a-z-]+`).FindAllString(s.input("flags"), -1)
	for _, command := range commands {
		w.checkWords(t, about, command, flags)
	}
}

// checkRun does the same for a step that calls the program.
func (w workflow) checkRun(t *testing.T, s step, about map[string][]string) {
	t.Helper()
	for _, call := range regexp.MustCompile(`(?m)^deploy-action ([a-z]+)(.*)$`).FindAllStringSubmatch(s.Run, -1) {
		w.checkWords(t, about, call[1], regexp.MustCompile(`--[a-z-]+`).FindAllString(call[2], -1))
	}
}

// checkWords fails the test where there is no such verb, or it has no such flag.
func (w workflow) checkWords(t *testing.T, about map[string][]string, command string, flags []string) {
	t.Helper()
	if command == "" {
		command = "up" // the default
	}
	known, ok := about[command]
	if !ok {
		t.Errorf("%s: there is no verb %q", w.name, command)
	}
	for _, flag := range flags {
		if !slices.Contains(known, flag) && !slices.Contains(about[""], flag) {
			t.Errorf("%s: %s has no flag %s", w.name, command, flag)
		}
	}
}

// reference returns the flags of each verb, and under "" those of all of them,
// from docs/reference.md, which is made from the code.
func reference(t *testing.T) map[string][]string {
	t.Helper()
	flag := regexp.MustCompile(`(?m)^ +(?:-\w, +)?(--[a-z-]+)`)
	found := map[string][]string{}
	text := read(t, root+"/docs/reference.md")
	verbs := regexp.MustCompile(`(?m)^- \[([a-z ]+)\]\(#[a-z-]+\): `).FindAllStringSubmatch(text, -1)
	for _, verb := range verbs {
		_, chapter, _ := strings.Cut(text, "\n### "+verb[1]+"\n")
		chapter, _, _ = strings.Cut(chapter, "\n##")
		for _, line := range flag.FindAllStringSubmatch(chapter, -1) {
			found[verb[1]] = append(found[verb[1]], line[1])
		}
		found[verb[1]] = append(found[verb[1]], "--help")
	}
	_, common, _ := strings.Cut(text, "\n## Flags of every verb\n")
	common, _, _ = strings.Cut(common, "\n## ")
	for _, line := range flag.FindAllStringSubmatch(common, -1) {
		found[""] = append(found[""], line[1])
	}
	if !slices.Contains(found["deploy"], "--from") || !slices.Contains(found[""], "--workspace") {
		t.Fatalf("docs/reference.md is not read as it is written: %v", slices.Collect(maps.Keys(found)))
	}
	return found
}

// The list names every recipe and page, and every link leads to a file.
func TestLinks(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob(root + "/docs/recipes/*.md")
	if err != nil {
		t.Fatal(err)
	}
	list := read(t, root+"/docs/recipes/README.md")
	for _, page := range pages {
		if name := filepath.Base(page); name != "README.md" && !strings.Contains(list, "]("+name+")") {
			t.Errorf("README.md does not list %s", name)
		}
	}
	pages = append(pages, root+"/docs/github-enterprise.md", root+"/docs/arc.md")
	for _, page := range pages {
		for _, link := range regexp.MustCompile(`\]\(([^):#]+)[^):]*\)`).FindAllStringSubmatch(read(t, page), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), link[1])); err != nil {
				t.Errorf("%s: %v", filepath.Base(page), err)
			}
		}
	}
}
