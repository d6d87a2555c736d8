package workflows_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	yaml "github.com/zclconf/go-cty-yaml"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// root is this repository, from the folder of this package.
const root = "../.."

// workflow is what the tests look at in a workflow.
type workflow struct {
	name   string // for messages: the file, and which block of it
	source string

	On          map[string]json.RawMessage `json:"true"` // YAML 1.1, which the parser speaks, takes "on" for that
	Permissions map[string]string          `json:"permissions"`
	Concurrency *concurrency               `json:"concurrency"`
	Jobs        map[string]job             `json:"jobs"`
}

// options returns what people can choose for an input of workflow_dispatch.
func (w workflow) options(t *testing.T, input string) []string {
	t.Helper()
	var event struct {
		Inputs map[string]struct{ Options []string }
	}
	if raw := w.On["workflow_dispatch"]; raw != nil {
		if err := json.Unmarshal(raw, &event); err != nil {
			t.Fatalf("%s: %v", w.name, err)
		}
	}
	return event.Inputs[input].Options
}

type concurrency struct {
	Group  string `json:"group"`
	Cancel any    `json:"cancel-in-progress"` // or an expression
}

type job struct {
	Uses        string       `json:"uses"` // another workflow
	Timeout     int          `json:"timeout-minutes"`
	Concurrency *concurrency `json:"concurrency"`
	Steps       []step       `json:"steps"`
}

type step struct {
	ID   string         `json:"id"`
	Uses string         `json:"uses"`
	Run  string         `json:"run"`
	With map[string]any `json:"with"`
}

// input returns an input of the step as text.
func (s step) input(name string) string {
	if s.With[name] == nil {
		return ""
	}
	return fmt.Sprint(s.With[name])
}

// parse reads YAML into what v points to.
func parse(t *testing.T, name, source string, v any) {
	t.Helper()
	kind, err := yaml.Standard.ImpliedType([]byte(source))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	value, err := yaml.Standard.Unmarshal([]byte(source), kind)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	data, err := json.Marshal(ctyjson.SimpleJSONValue{Value: value})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, data)
	}
}

// ours returns this repository's workflows.
func ours(t *testing.T) []workflow {
	t.Helper()
	files, err := filepath.Glob(root + "/.github/workflows/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("looking for the workflows: %v, %v", files, err)
	}
	var found []workflow
	for _, file := range files {
		w := workflow{name: filepath.Base(file), source: read(t, file)}
		parse(t, w.name, w.source, &w)
		found = append(found, w)
	}
	return found
}

// pinned is an action that is named by its commit, with its version beside it.
var pinned = regexp.MustCompile(`uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)

// unpinned returns the lines that use actions of others by a name that can be
// moved.
func (w workflow) unpinned() (lines []string) {
	for line := range strings.Lines(w.source) {
		line = strings.TrimSpace(line)
		if strings.Contains(line, "uses: actions/") && !pinned.MatchString(line) {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestOwnWorkflows(t *testing.T) {
	t.Parallel()
	for _, w := range ours(t) {
		for _, line := range w.unpinned() {
			t.Errorf("%s: pin this action to a commit, with its version beside it: %s", w.name, line)
		}
		if len(w.Permissions) == 0 {
			t.Errorf("%s: the permissions are not said, so they are whatever the repository's are", w.name)
		}
		for name, j := range w.Jobs {
			if j.Timeout == 0 {
				t.Errorf("%s: job %s has no timeout-minutes, so it may hang for six hours", w.name, name)
			}
			for _, s := range j.Steps {
				w.checkScript(t, s)
			}
		}
	}
}

// checkScript fails the test where a step runs a script that is not there.
func (w workflow) checkScript(t *testing.T, s step) {
	t.Helper()
	script, _, _ := strings.Cut(s.Run, " ")
	if !strings.HasPrefix(script, ".ci/") {
		return
	}
	info, err := os.Stat(filepath.Join(root, strings.TrimSpace(script)))
	if err != nil || info.Mode()&0o111 == 0 {
		t.Errorf("%s: %s is no program: %v", w.name, script, err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func write(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}
