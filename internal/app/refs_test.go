package app_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/deploy-action/deploy-action/internal/app"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/plugin/null"
)

const guarded = `project = "shop"

workspace "production" {
  refs = ["main", "release/*", "refs/tags/v*", "refs/pull/7/*"]
}

workspace "closed" {
  refs = []
}

pipeline "promote" {
  step "production" {
    workspace = "production"
    use "up" {}
  }
}

app "web" {
  build {
    use "null" {}
  }
  deploy {
    use "edge" {}
  }
}
`

// Only the refs that the file names deploy to a workspace. Any other is refused
// before GitHub is asked for anything.
func TestRefs(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		ref, workspace string
		refused        bool
	}{
		"a branch":                         {"refs/heads/main", "production", false},
		"a branch of a pattern":            {"refs/heads/release/1", "production", false},
		"a branch below one of a pattern":  {"refs/heads/release/1/fix", "production", true},
		"another branch":                   {"refs/heads/feature", "production", true},
		"a tag of that name":               {"refs/tags/release/1", "production", false},
		"a tag of a pattern":               {"refs/tags/v1", "production", false},
		"a branch that is called like one": {"refs/heads/v1", "production", true},
		"a pull request":                   {"refs/pull/8/merge", "production", true},
		"the pull request that may":        {"refs/pull/7/merge", "production", false},
		"another workspace":                {"refs/heads/feature", "default", false},
		"a workspace that is for no ref":   {"refs/heads/main", "closed", true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newTeam(t, guarded, 1)
			got := m.runs(t, teamJob{run: 100, name: "a", ref: c.ref, verb: "up", inputs: []string{"INPUT_WORKSPACE=" + c.workspace}})
			if want := map[bool]int{true: 2, false: 0}[c.refused]; got.status != want {
				t.Errorf("exit status %d, want %d\n%s", got.status, want, got.log)
			}
			if asked := len(m.github.Calls()); c.refused && (asked != 0 || m.edge.latest != "") {
				t.Errorf("GitHub was asked %d times before the ref was refused", asked)
			}
		})
	}
}

// The refusal names the place in the file, the ref and what may deploy, whatever
// the verb that would change something.
func TestRefsOfEveryVerb(t *testing.T) {
	t.Parallel()
	m := newTeam(t, guarded, 1)
	for _, verb := range []string{"up", "build", "deploy", "release", "rollback", "prune", "destroy", "hold"} {
		got := m.runs(t, teamJob{run: 100, name: "a", ref: "refs/heads/feature", verb: verb, inputs: []string{"INPUT_WORKSPACE=production"}})
		for _, want := range []string{
			"waypoint.hcl:3:1", `Workspace "production" is not for this ref`, `"refs/heads/feature"`, `"main", "release/*", "refs/tags/v*", "refs/pull/7/*"`,
		} {
			if !strings.Contains(got.log, want) {
				t.Errorf("%s does not say %s:\n%s", verb, want, got.log)
			}
		}
		if got.status != 2 {
			t.Errorf("%s: exit status %d, want 2", verb, got.status)
		}
	}
	for _, flags := range []string{"recover\n--yes", "unlock\n--yes", "unlock\n--force"} {
		got := m.runs(t, teamJob{run: 100, name: "a", ref: "refs/heads/feature", verb: "state", inputs: []string{"INPUT_WORKSPACE=production", "INPUT_FLAGS=" + flags}})
		if got.status != 2 || !strings.Contains(got.log, `Workspace "production" is not for this ref`) {
			t.Errorf("state %q: exit status %d, want 2 and why\n%s", flags, got.status, got.log)
		}
	}
	if asked := len(m.github.Calls()); asked != 0 {
		t.Errorf("GitHub was asked %d times", asked)
	}
	for verb, flags := range map[string]string{"rollback": "--list", "pipeline": "list", "state": "recover"} {
		m.succeeds(t, teamJob{run: 103, name: "a", ref: "refs/heads/feature", verb: verb, inputs: []string{"INPUT_WORKSPACE=production", "INPUT_FLAGS=" + flags}})
	}
	m.succeeds(t, teamJob{run: 101, name: "a", ref: "refs/heads/feature", verb: "status", inputs: []string{"INPUT_WORKSPACE=production"}})
	pipeline := m.runs(t, teamJob{run: 102, name: "a", ref: "refs/heads/feature", verb: "pipeline", inputs: []string{"INPUT_FLAGS=run\npromote"}})
	if pipeline.status != 2 || !strings.Contains(pipeline.log, "waypoint.hcl:3:1") || m.edge.latest != "" {
		t.Errorf("a pipeline with a step there: exit status %d\n%s", pipeline.status, pipeline.log)
	}
}

// Runs of the refs that deploy to a workspace know what is deployed there.
func TestRefsAreBelieved(t *testing.T) {
	t.Parallel()
	m := newTeam(t, guarded, 2)
	there := []string{"INPUT_WORKSPACE=production"}
	m.succeeds(t, teamJob{run: 100, name: "a", ref: "refs/heads/release/1", verb: "up", inputs: there})
	got := m.succeeds(t, teamJob{run: 101, name: "b", commit: 1, ref: "refs/heads/release/2", verb: "up", inputs: there})
	if !strings.Contains(got.outputs, `"sequence":2`) {
		t.Errorf("the second deployment does not follow the first\n%s", got.outputs)
	}
	// In a workspace of which the file says nothing they are not.
	m.succeeds(t, teamJob{run: 102, name: "c", ref: "refs/heads/release/1", verb: "up"})
	if got := m.runs(t, teamJob{run: 103, name: "d", ref: "refs/heads/release/2", verb: "up"}); got.status != 2 || !strings.Contains(got.log, "state-refs") {
		t.Errorf("exit status %d, want 2 and what would help\n%s", got.status, got.log)
	}
}

// On a terminal nobody vouches for a branch: it is a warning.
func TestRefsOnTerminal(t *testing.T) {
	t.Parallel()
	m := newTeam(t, strings.Replace(guarded, `"main", `, "", 1), 1)
	var out bytes.Buffer
	folder := m.checkout(t, 0, 0)
	status := app.Main(t.Context(), app.Sys{
		Args: []string{"deploy-action", "up", "-w", "production"}, Dir: folder, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out,
		Environ: []string{"HOME=" + folder, "USER=alice", "PATH=/usr/bin:/bin"}, Plugins: []component.Plugin{null.Plugin, m.edge.plugin()},
	})
	if status != 0 || m.edge.traffic == "" || !strings.Contains(out.String(), "In a job this would be refused") || !strings.Contains(out.String(), `"refs/heads/main"`) {
		t.Errorf("exit status %d\n%s", status, &out)
	}
}
