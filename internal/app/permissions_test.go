package app_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// allPermissions are those that the README asks for.
var allPermissions = []string{"actions: read", "contents: write", "deployments: write", "statuses: write", "pull-requests: write"}

// Each permission is missing alone.
func TestMissingPermissions(t *testing.T) {
	t.Parallel()
	const block = "permissions:\n        actions: read"
	cases := map[string]struct {
		missing string
		inputs  []string
		status  int
		says    []string
		told    []string // commit statuses
	}{
		"none": {
			told: []string{"deploy-action/web (default): pending", "deploy-action/web (default): success"},
		},
		"actions": {
			missing: "actions: read", status: 2,
			says: []string{`The state of app "web" in workspace "default" cannot be read`, "lacks the permission `actions: read`", "The job needs it to find the state that earlier runs left. Add `actions: read`", block},
		},
		"statuses": {
			missing: "statuses: write",
			says:    []string{"::warning title=The token lacks the permission `statuses%3A write`", "Add `statuses: write`", "set the input `statuses: false`", block},
		},
		"statuses, on purpose": {
			missing: "statuses: write", inputs: []string{"INPUT_STATUSES=false"},
		},
		"contents": {
			missing: "contents: write",
			told:    []string{"deploy-action/web (default): pending", "deploy-action/web (default): success"},
		},
		"deployments": {
			// Deployments tell whether there was a state that is lost.
			missing: "deployments: write", status: 2,
			says: []string{
				`The state of app "web" in workspace "default" cannot be read`, "No state is kept yet, and only the Deployments", "lacks the permission `deployments: read`",
				"Add `deployments: write`", "To do without it, set the input `deployments: false`; where the job has no `contents: write` either, also `lock: off`", block,
			},
		},
		"deployments, on purpose": {
			missing: "deployments: write", inputs: []string{"INPUT_DEPLOYMENTS=false"},
			told: []string{"deploy-action/web (default): pending", "deploy-action/web (default): success"},
		},
		"pull requests": {
			missing: "pull-requests: write",
			told:    []string{"deploy-action/web (default): pending", "deploy-action/web (default): success"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := newJob(t, oneApp)
			j.inputs = c.inputs
			has := slices.DeleteFunc(slices.Clone(allPermissions), func(p string) bool { return p == c.missing })
			j.github.AddToken(githubfake.Token{Text: stepToken, Permissions: append(has, "contents: read")})
			status, log := j.run(t, "deploy-action")
			if status != c.status {
				t.Errorf("exit status %d, want %d\n%s", status, c.status, log)
			}
			for _, text := range c.says {
				if !strings.Contains(log, text) {
					t.Errorf("the log lacks %q:\n%s", text, log)
				}
			}
			if len(c.says) == 0 && strings.Contains(log, "permission") {
				t.Errorf("the log complains:\n%s", log)
			}
			if diff := cmp.Diff(c.told, j.told()); diff != "" {
				t.Errorf("commit statuses (-want +got):\n%s", diff)
			}
			if touched := len(j.github.Artifacts()) > 0; touched != (c.status == 0) {
				t.Errorf("something was recorded: %v", touched)
			}
		})
	}
}

// Who may neither lock nor make Deployments is told of two ways out. Each leads
// out, and half of one does not.
func TestNeitherLockNorDeployments(t *testing.T) {
	t.Parallel()
	const off, none = "INPUT_LOCK=off", "INPUT_DEPLOYMENTS=false"
	for name, c := range map[string]struct {
		has    []string
		inputs []string
		status int
		says   []string
	}{
		"as it is":           {status: 2, says: []string{"Add `deployments: write` or, better, `contents: write`", "set the inputs `lock: off` and `deployments: false`"}},
		"contents":           {has: []string{"contents: write", "deployments: read"}},
		"deployments":        {has: []string{"deployments: write"}},
		"both inputs":        {inputs: []string{off, none}},
		"no Deployments":     {inputs: []string{none}, status: 2, says: []string{"Add `contents: write`", "set the input `lock: off`"}},
		"no lock":            {inputs: []string{off}, status: 2, says: []string{"Add `deployments: write`", "`deployments: false`"}},
		"lock, in a new job": {has: []string{"contents: write"}, status: 2, says: []string{"Add `deployments: write`", "set the input `deployments: false`"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := newJob(t, nullApp)
			j.inputs = c.inputs
			j.github.AddToken(githubfake.Token{Text: stepToken, Permissions: append(c.has, "actions: read", "contents: read", "statuses: write")})
			status, log := j.run(t, "deploy-action")
			if status != c.status || status == 0 && strings.Contains(log, "permission") {
				t.Errorf("exit status %d, want %d\n%s", status, c.status, log)
			}
			for _, text := range c.says {
				if !strings.Contains(log, text) {
					t.Errorf("the log lacks %q:\n%s", text, log)
				}
			}
			if recorded := len(j.github.Artifacts()) > 0; recorded != (c.status == 0) {
				t.Errorf("something was recorded: %v", recorded)
			}
		})
	}
}

func TestTokenThatIsNotAccepted(t *testing.T) {
	t.Parallel()
	j := newJob(t, oneApp)
	j.github.Refuse(refuse("/actions/artifacts", 401))
	status, log := j.run(t, "deploy-action")
	if status != 2 || !strings.Contains(log, "GitHub does not accept the token") || !strings.Contains(log, "Leave the input `github-token` out") {
		t.Errorf("exit status %d, want 2 and what to do\n%s", status, log)
	}
}

func TestWrongSwitches(t *testing.T) {
	t.Parallel()
	for _, input := range []string{"statuses", "deployments"} {
		j := newJob(t, oneApp)
		j.inputs = []string{"INPUT_" + strings.ToUpper(input) + "=no"}
		status, log := j.run(t, "deploy-action")
		if status != 2 || !strings.Contains(log, "Invalid input `"+input+"`") || !strings.Contains(log, `It is "no"; it takes true or false.`) {
			t.Errorf("exit status %d, want 2 and what the input takes\n%s", status, log)
		}
	}
}
