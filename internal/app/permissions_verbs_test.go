package app_test

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// later makes the next step one of another run, whose token lacks permissions.
func (j *job) later(missing ...string) {
	const id = oneRun + 1
	j.github.AddRun(githubfake.Run{ID: oneRun, HeadSHA: commit, Status: "completed", Conclusion: "success"})
	j.github.AddRun(githubfake.Run{ID: id, HeadSHA: commit})
	j.inputs = []string{"GITHUB_RUN_ID=" + strconv.Itoa(id), "ACTIONS_RUNTIME_TOKEN=" + j.github.Token(id, "deploy")}
	j.github.AddToken(githubfake.Token{Text: stepToken, Permissions: without(missing...)})
}

// without returns all permissions but some. What is not written can be read,
// unless actions is missing as well.
func without(missing ...string) []string {
	has := slices.DeleteFunc(slices.Clone(allPermissions), func(p string) bool { return slices.Contains(missing, p) })
	if !slices.Contains(missing, "actions: read") {
		has = append(has, "contents: read")
	}
	return has
}

// lack is what a verb does without a permission.
type lack struct {
	status int
	says   string // "" for no word about permissions
}

const (
	blind    = "The token lacks the permission `actions: read`. The job needs it to find the state that earlier runs left. Add `actions: read`"
	unlocked = "No permission to lock app \"web\""
)

// Each permission is missing alone, and all together, in a run that finds what
// an earlier one has deployed twice.
func TestVerbsWithoutPermissions(t *testing.T) {
	t.Parallel()
	untold := lack{0, "::warning title=The token lacks the permission `statuses%3A write`"}
	changing := map[string]lack{
		"actions: read": {2, blind}, "contents: write": {}, "deployments: write": {}, "statuses: write": untold, "pull-requests: write": {},
		"contents: write, deployments: write": {2, unlocked}, "all": {2, unlocked},
	}
	backward := maps.Clone(changing)
	backward["all"] = lack{2, blind} // it looks for what to go back to first
	looking := map[string]lack{
		"actions: read": {2, blind}, "contents: write": {}, "deployments: write": {}, "statuses: write": {}, "pull-requests: write": {},
		"contents: write, deployments: write": {}, "all": {2, blind},
	}
	for verb, lacks := range map[string]map[string]lack{"up": changing, "rollback": backward, "plan": looking, "status": looking} {
		for missing, want := range lacks {
			t.Run(verb+" without "+missing, func(t *testing.T) {
				t.Parallel()
				j := newJob(t, nullApp)
				for range 2 {
					if status, log := j.run(t, "deploy-action"); status != 0 {
						t.Fatalf("exit status %d\n%s", status, log)
					}
				}
				list := strings.Split(missing, ", ")
				if missing == "all" {
					list = allPermissions
				}
				j.later(list...)
				j.inputs = append(j.inputs, "INPUT_COMMAND="+verb)
				uploads := len(j.github.Artifacts())
				status, log := j.run(t, "deploy-action")
				if status != want.status || !strings.Contains(log, want.says) || want.says == "" && strings.Contains(log, "permission") {
					t.Errorf("exit status %d, want %d and %q\n%s", status, want.status, want.says, log)
				}
				if status != 0 && len(j.github.Artifacts()) != uploads {
					t.Error("something was recorded")
				}
			})
		}
	}
}

// A preview is told the same. Without Deployments there would be no list of
// what is to be destroyed later, so there is none, and a notice.
func TestPreviewWithoutPermissions(t *testing.T) {
	t.Parallel()
	const noList = "Pull request #7 gets no preview: listing the previews"
	for missing, want := range map[string]lack{
		"actions: read":                       {2, blind},
		"contents: write":                     {},
		"deployments: write":                  {0, noList},
		"statuses: write":                     {0, "::warning title=The token lacks the permission `statuses%3A write`"},
		"pull-requests: write":                {0, "`pull-requests: write`"},
		"contents: write, deployments: write": {0, noList},
		"all":                                 {0, noList},
	} {
		t.Run(missing, func(t *testing.T) {
			t.Parallel()
			s := newShared(t, previewFile(map[string]string{"web": ""}))
			s.github.AddPullRequest(githubfake.PullRequest{Number: 7})
			list := strings.Split(missing, ", ")
			if missing == "all" {
				list = allPermissions
			}
			s.github.AddToken(githubfake.Token{Text: stepToken, Permissions: append(without(list...), "pull-requests: read")})
			got := s.run(t, "preview", webhook{name: "pull_request", action: "opened", number: 7})
			if got.status != want.status || !strings.Contains(got.log, want.says) {
				t.Errorf("exit status %d, want %d and %q\n%s", got.status, want.status, want.says, got.log)
			}
			if running := len(s.cloud.running()); running > 0 != (want.status == 0 && want.says != noList) {
				t.Errorf("%d deployments run", running)
			}
		})
	}
}

// To do without a lock is not to do without the note that a deploy leaves: who may
// neither leave one nor write contents is refused before anything is touched, also
// where a state is kept already.
func TestLockOffWithoutPermissions(t *testing.T) {
	t.Parallel()
	const (
		off     = "INPUT_LOCK=off"
		refused = "No permission to note what happens to app \"web\""
	)
	for name, c := range map[string]struct {
		has    []string
		inputs []string
		want   lack
	}{
		"neither":             {want: lack{2, refused}},
		"all may be read":     {has: []string{"deployments: read", "contents: read"}, want: lack{2, refused}},
		"Deployments":         {has: []string{"deployments: write"}},
		"contents":            {has: []string{"contents: write"}},
		"neither, on purpose": {inputs: []string{"INPUT_DEPLOYMENTS=false"}},
	} {
		for _, verb := range []string{"up", "rollback", "destroy", "plan"} {
			t.Run(verb+": "+name, func(t *testing.T) {
				t.Parallel()
				want := c.want
				if verb == "plan" { // it changes nothing
					want = lack{}
				}
				j := newJob(t, nullApp)
				for range 2 {
					if status, log := j.run(t, "deploy-action"); status != 0 {
						t.Fatalf("exit status %d\n%s", status, log)
					}
				}
				j.later()
				j.github.AddToken(githubfake.Token{Text: stepToken, Permissions: append(c.has, "actions: read", "statuses: write")})
				j.inputs = slices.Concat(j.inputs, c.inputs, []string{off, "INPUT_COMMAND=" + verb})
				uploads, deployments := len(j.github.Artifacts()), len(j.github.Deployments())
				status, log := j.run(t, "deploy-action")
				if status != want.status || !strings.Contains(log, want.says) || want.says == "" && strings.Contains(log, "permission") {
					t.Errorf("exit status %d, want %d and %q\n%s", status, want.status, want.says, log)
				}
				for _, text := range []string{"Add `deployments: write` or, better, `contents: write`", "set the input `deployments: false` as well", "Nothing was changed"} {
					if status != 0 && !strings.Contains(log, text) {
						t.Errorf("the log lacks %q:\n%s", text, log)
					}
				}
				if status != 0 && (len(j.github.Artifacts()) != uploads || len(j.github.Deployments()) != deployments) {
					t.Error("something was recorded")
				}
			})
		}
	}
}
