package app_test

import (
	"testing"

	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// A terminal shares the state on git refs with the jobs of the repository.
func TestTerminalOnGit(t *testing.T) {
	t.Parallel()
	j := newJob(t, nullApp)
	j.inputs = []string{"INPUT_STATE=git"}
	status, log := j.run(t, "deploy-action")
	want(t, status, log, 0)

	terminal, user := j.terminal(t), []string{"GH_TOKEN=ghp_ofAlice"}
	status, log = terminal(user, "--state", "git", "state", "show")
	want(t, status, log, 0, "web", "release")
	status, log = terminal(user, "--state", "git", "up")
	want(t, status, log, 0)
	if j.locked(t) || len(j.github.Deployments()) != 1 {
		t.Errorf("a terminal keeps the lock, or makes Deployments of commits that GitHub may not have: %d\n%s", len(j.github.Deployments()), log)
	}
	j.inputs = append(j.inputs, "GITHUB_RUN_ID=43") // one that begins later
	status, log = j.run(t, "deploy-action")
	want(t, status, log, 0)
	if got := j.outputs(t)["sequence"]; got != "3" {
		t.Errorf("the next deploy of a job has sequence %q, want 3\n%s", got, log)
	}
}

// A terminal reads what jobs keep in artifacts, and cannot upload any.
func TestTerminalOnArtifacts(t *testing.T) {
	t.Parallel()
	j := newJob(t, nullApp)
	status, log := j.run(t, "deploy-action")
	want(t, status, log, 0)
	uploads := len(j.github.Artifacts())

	terminal, user := j.terminal(t), []string{"GITHUB_TOKEN=ghp_ofAlice"}
	status, log = terminal(user, "--state", "artifact", "status")
	want(t, status, log, 0, "web")
	for _, args := range [][]string{{"rollback", "--list"}, {"pipeline", "list"}, {"state", "recover"}} {
		status, log = terminal(user, append([]string{"--state=artifact"}, args...)...)
		want(t, status, log, 0)
	}
	for _, args := range [][]string{{"up"}, {"destroy"}, {"hold", "--reason=x"}, {"state", "recover", "--yes"}, {"state", "unlock", "--yes"}} {
		status, log = terminal(user, append([]string{"--state=artifact"}, args...)...)
		want(t, status, log, 2, "State in artifacts is only read here", "Only a run of a workflow can upload an artifact", "--state git")
	}
	if len(j.github.Artifacts()) != uploads {
		t.Error("a terminal has uploaded")
	}

	// State of a preview is that of its pull request's branch.
	j.github.AddRun(githubfake.Run{ID: oneRun, HeadSHA: commit, HeadBranch: "topic"})
	j.inputs = []string{"INPUT_WORKSPACE=pr-7"}
	status, log = j.run(t, "deploy-action")
	want(t, status, log, 0)
	status, log = terminal(user, "--state=artifact", "-w", "pr-7", "status")
	want(t, status, log, 2, "was written from a ref that is not believed")
	j.github.AddPullRequest(githubfake.PullRequest{Number: 7, HeadRef: "topic"})
	status, log = terminal(user, "--state=artifact", "-w", "pr-7", "status")
	want(t, status, log, 0, "web")
}

// Who may not read is told how to, in words for a terminal.
func TestTerminalWithoutPermission(t *testing.T) {
	t.Parallel()
	j := newJob(t, nullApp)
	terminal := j.terminal(t)
	j.github.AddToken(githubfake.Token{Text: "ghp_reader", Permissions: []string{"contents: read", "deployments: read"}})
	j.github.AddToken(githubfake.Token{Text: "ghp_stranger"})
	for _, c := range []struct {
		token string
		args  []string
		says  string
	}{
		{"ghp_stranger", []string{"--state=git", "status"}, "Set GITHUB_TOKEN or GH_TOKEN to a token that has `contents: read` for acme/shop."},
		{"ghp_stranger", []string{"--state=artifact", "status"}, "Set GITHUB_TOKEN or GH_TOKEN to a token that has `actions: read` for acme/shop."},
		{"ghp_reader", []string{"--state=git", "up"}, "Set GITHUB_TOKEN or GH_TOKEN to a token that has `contents: write` for this repository."},
	} {
		status, log := terminal([]string{"GH_TOKEN=" + c.token}, c.args...)
		want(t, status, log, 2, c.says)
	}
}
