package app_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// onlyComment returns the one comment of a bot below a pull request.
func (s *shared) onlyComment(t *testing.T, number int) string {
	t.Helper()
	var found []string
	for _, c := range s.github.Comments() {
		if c.Number == number && strings.HasSuffix(c.Login, "[bot]") {
			found = append(found, c.Body)
		}
	}
	if len(found) != 1 {
		t.Fatalf("there are %d comments, want one:\n%s", len(found), strings.Join(found, "\n---\n"))
	}
	return found[0]
}

// A pull request is opened, pushed to, pushed to with a mistake, and closed.
func TestPreviewLife(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShared(t, previewFile(map[string]string{"web": "", "worker": ""}))
		s.github.AddPullRequest(githubfake.PullRequest{Number: 7})

		var while string
		s.cloud.during = func() {
			if while == "" {
				while = s.onlyComment(t, 7)
			}
		}
		if got := s.succeeds(t, "opened", 7); got.outcome != `{"web":"changed","worker":"changed"}` {
			t.Errorf("the outcome is %s", got.outcome)
		}
		if !strings.Contains(while, "| web | [deploying]") {
			t.Errorf("while it deployed the comment said\n%s", while)
		}
		first := s.onlyComment(t, 7)
		for _, want := range []string{"| web | [ready]", "| worker | [ready]", ".example.test>) |", "Preview of shop"} {
			if !strings.Contains(first, want) {
				t.Errorf("the comment lacks %q:\n%s", want, first)
			}
		}
		if diff := cmp.Diff([]string{"web in pr-7", "worker in pr-7"}, s.cloud.running()); diff != "" {
			t.Errorf("what runs (-want +got):\n%s", diff)
		}
		s.succeeds(t, "synchronize", 7)

		s.cloud.failing = errors.New("no room on the cloud")
		if got := s.run(t, "preview", webhook{name: "pull_request", action: "synchronize", number: 7}); got.status != 1 {
			t.Errorf("a failed deploy ended with %d\n%s", got.status, got.log)
		}
		if failed := s.onlyComment(t, 7); !strings.Contains(failed, "| web | [failed]") || !strings.Contains(failed, ": deploy |") {
			t.Errorf("after a failed push the comment says\n%s", failed)
		}
		s.cloud.failing, s.cloud.stubborn = nil, 1

		s.github.AddPullRequest(githubfake.PullRequest{Number: 7, Merged: true})
		s.succeeds(t, "closed", 7)
		s.nothingLeft(t)
		if last := s.onlyComment(t, 7); !strings.Contains(last, "There is no preview.") {
			t.Errorf("after it was closed the comment says\n%s", last)
		}
		if got := s.sweeps(t); got.outcome != "unchanged" || !strings.Contains(got.log, "There is no preview.") {
			t.Errorf("sweep found something to do: %s\n%s", got.outcome, got.log)
		}
	})
}

func TestPreviewSkips(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		pull githubfake.PullRequest
		on   webhook
		want string
	}{
		"a fork":         {githubfake.PullRequest{Fork: true}, webhook{action: "opened"}, "it comes from the fork"},
		"a deleted fork": {githubfake.PullRequest{Deleted: true}, webhook{action: "opened"}, "was deleted"},
		"Dependabot":     {githubfake.PullRequest{}, webhook{action: "opened", actor: "dependabot[bot]"}, "a token that cannot write"},
		"a draft":        {githubfake.PullRequest{Draft: true}, webhook{action: "synchronize"}, "it is a draft"},
		"no label":       {githubfake.PullRequest{Labels: []string{"bug"}}, webhook{action: "opened"}, "lacks the label deploy-me"},
		"another label":  {githubfake.PullRequest{Labels: []string{"bug"}}, webhook{action: "labeled", label: "bug"}, "does not matter"},
		"target":         {githubfake.PullRequest{}, webhook{name: "pull_request_target", action: "opened"}, "only ever destroyed"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShared(t, previewFile(map[string]string{"web": `label = "deploy-me"`}))
			c.pull.Number, c.on.number = 7, 7
			s.github.AddPullRequest(c.pull)
			if c.on.name == "" {
				c.on.name = "pull_request"
			}
			got := s.run(t, "preview", c.on)
			if got.status != 0 || got.outcome != "skipped" || !strings.Contains(got.log, "::notice") || !strings.Contains(got.log, c.want) {
				t.Errorf("got status %d, outcome %q, want a notice that says %q:\n%s", got.status, got.outcome, c.want, got.log)
			}
			if len(s.cloud.running())+len(s.github.Deployments())+len(s.github.Comments()) > 0 {
				t.Errorf("something was made: %v", s.cloud.running())
			}
		})
	}
}

func TestPreviewLabelEvents(t *testing.T) {
	t.Parallel()
	s := newShared(t, previewFile(map[string]string{"web": `label = "deploy-me"`, "worker": `label = "all"`, "cron": "-"}))
	label := func(action, name string, now ...string) {
		s.github.AddPullRequest(githubfake.PullRequest{Number: 7, Labels: now})
		if got := s.run(t, "preview", webhook{name: "pull_request", action: action, label: name, number: 7}); got.status != 0 {
			t.Fatalf("%s %s: exit status %d\n%s", action, name, got.status, got.log)
		}
	}
	running := func(want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, s.cloud.running()); diff != "" {
			t.Errorf("what runs (-want +got):\n%s", diff)
		}
	}
	label("labeled", "deploy-me", "deploy-me")
	running("web in pr-7")
	label("labeled", "all", "deploy-me", "all")
	running("web in pr-7", "worker in pr-7")
	label("unlabeled", "deploy-me", "all")
	running("worker in pr-7")
	label("unlabeled", "all")
	s.nothingLeft(t)
}

func TestPreviewMax(t *testing.T) {
	t.Parallel()
	s := newShared(t, previewFile(map[string]string{"web": "max = 2"}))
	for number := 7; number <= 9; number++ {
		s.github.AddPullRequest(githubfake.PullRequest{Number: number})
	}
	s.succeeds(t, "opened", 7)
	s.succeeds(t, "opened", 8)
	got := s.succeeds(t, "opened", 9)
	if got.outcome != "skipped" || !strings.Contains(got.log, "it has 2 previews already") {
		t.Errorf("the third ended with %q:\n%s", got.outcome, got.log)
	}
	s.succeeds(t, "synchronize", 8)
	if diff := cmp.Diff([]string{"web in pr-7", "web in pr-8"}, s.cloud.running()); diff != "" {
		t.Errorf("what runs (-want +got):\n%s", diff)
	}
}

// A pull request that never had a preview costs nobody a sign-in.
func TestPreviewClosedWithoutAny(t *testing.T) {
	t.Parallel()
	s := newShared(t, previewFile(map[string]string{"web": `label = "deploy-me"`}))
	s.github.AddPullRequest(githubfake.PullRequest{Number: 7, Closed: true})
	got := s.succeeds(t, "closed", 7)
	if got.outcome != "unchanged" || s.cloud.asked > 0 || len(s.github.Comments()) > 0 {
		t.Errorf("the outcome is %q, the platform was asked %d times, comments are %v", got.outcome, s.cloud.asked, s.github.Comments())
	}
}

// Of what a Deployment tells and no record, nobody knows where it is.
func TestSweepWithoutRecord(t *testing.T) {
	t.Parallel()
	s := newShared(t, previewFile(map[string]string{"web": ""}))
	s.github.AddPullRequest(githubfake.PullRequest{Number: 7})
	s.succeeds(t, "opened", 7)
	s.github.AddPullRequest(githubfake.PullRequest{Number: 7, Closed: true})
	s.cloud.run, s.cloud.head = 1001, fmt.Sprintf("%040x", 1001)
	err := s.cloud.intend(t.Context(), component.DeployRequest[artifact.Artifact]{DeployInput: component.DeployInput{
		ID: "lost-1", App: component.App{Project: "gone", Name: "lost", Workspace: "pr-7"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	got := s.run(t, "sweep", webhook{name: "schedule"})
	if got.status != 1 || !strings.Contains(got.log, `app "lost" in workspace "pr-7"`) {
		t.Errorf("exit status %d, want 1 and what is not known:\n%s", got.status, got.log)
	}
	if left := s.github.Deployments(); len(left) != 1 || !strings.Contains(left[0].Task, "gone/lost#7") || len(s.cloud.running()) > 0 {
		t.Errorf("left are %v and %v, want only the Deployment of what is lost", left, s.cloud.running())
	}
}

func TestSweepRefused(t *testing.T) {
	t.Parallel()
	s := newShared(t, previewFile(map[string]string{"web": ""}))
	s.github.AddToken(githubfake.Token{Text: "ghs_0123456789abcdef", Permissions: []string{"actions: read", "contents: read"}})
	got := s.run(t, "sweep", webhook{name: "schedule"})
	if got.status != 2 || !strings.Contains(got.log, "deployments: write") {
		t.Errorf("exit status %d, want 2 and the permission:\n%s", got.status, got.log)
	}
	s.github.AddPullRequest(githubfake.PullRequest{Number: 7})
	s.github.AddToken(githubfake.Token{Text: "ghs_0123456789abcdef", Permissions: []string{"actions: read", "contents: read", "pull-requests: write"}})
	if got = s.succeeds(t, "opened", 7); got.outcome != "skipped" || !strings.Contains(got.log, "`deployments: write`") || len(s.cloud.running()) > 0 {
		t.Errorf("the outcome is %q, want skipped and the permission:\n%s", got.outcome, got.log)
	}
}

// It is closed while it is deployed, and the event of that found nothing.
func TestPreviewClosedMeanwhile(t *testing.T) {
	t.Parallel()
	s := newShared(t, previewFile(map[string]string{"web": ""}))
	s.github.AddPullRequest(githubfake.PullRequest{Number: 7})
	s.cloud.during = func() { s.github.AddPullRequest(githubfake.PullRequest{Number: 7, Closed: true}) }
	got := s.succeeds(t, "opened", 7)
	if !strings.Contains(got.log, "destroyed again: it is closed") {
		t.Errorf("the log lacks why it was destroyed:\n%s", got.log)
	}
	s.nothingLeft(t)
	if last := s.onlyComment(t, 7); !strings.Contains(last, "There is no preview.") {
		t.Errorf("the comment says\n%s", last)
	}
}

// Under pull_request_target there is no checkout, and none is trusted.
func TestPreviewTargetDestroys(t *testing.T) {
	t.Parallel()
	s := newShared(t, previewFile(map[string]string{"web": "", "worker": ""}))
	s.github.AddPullRequest(githubfake.PullRequest{Number: 7})
	s.github.AddPullRequest(githubfake.PullRequest{Number: 8})
	s.succeeds(t, "opened", 7)
	s.succeeds(t, "opened", 8)
	s.write(t, `project = "of-the-pull-request"`)
	s.github.AddPullRequest(githubfake.PullRequest{Number: 7, Closed: true})
	got := s.run(t, "preview", webhook{name: "pull_request_target", action: "closed", number: 7})
	if got.status != 0 {
		t.Fatalf("exit status %d\n%s", got.status, got.log)
	}
	if diff := cmp.Diff([]string{"web in pr-8", "worker in pr-8"}, s.cloud.running()); diff != "" {
		t.Errorf("what runs (-want +got):\n%s", diff)
	}
}

// What nobody can destroy is told, and stays listed for the next sweep.
func TestPreviewCannotBeDestroyed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShared(t, previewFile(map[string]string{"web": "", "worker": ""}))
		s.github.AddPullRequest(githubfake.PullRequest{Number: 7})
		s.succeeds(t, "opened", 7)
		s.github.AddPullRequest(githubfake.PullRequest{Number: 7, Closed: true})
		s.cloud.stubborn = 1000
		got := s.run(t, "sweep", webhook{name: "schedule"})
		if got.status != 1 || !strings.Contains(got.log, "the cloud is busy") || !strings.Contains(got.log, "could not be destroyed: closed") {
			t.Errorf("exit status %d\n%s", got.status, got.log)
		}
		if left := s.github.Deployments(); len(left) != 2 {
			t.Errorf("%d Deployments are left, want both", len(left))
		}
		s.cloud.stubborn = 0
		s.sweeps(t)
		s.nothingLeft(t)
	})
}

func TestPreviewNeedsPullRequest(t *testing.T) {
	t.Parallel()
	s := newShared(t, previewFile(map[string]string{"web": ""}))
	got := s.run(t, "preview", webhook{name: "push"})
	if got.status != 2 || !strings.Contains(got.log, "types: [opened, synchronize, reopened, ready_for_review, labeled, unlabeled, closed]") {
		t.Errorf("exit status %d, want 2 and the lines of the workflow:\n%s", got.status, got.log)
	}
	s.github.AddPullRequest(githubfake.PullRequest{Number: 7})
	got = s.run(t, "preview", webhook{name: "pull_request", action: "opened", number: 7}, "INPUT_WORKSPACE=staging")
	if got.status != 2 || !strings.Contains(got.log, "A workspace for preview") {
		t.Errorf("exit status %d, want 2 and why:\n%s", got.status, got.log)
	}
	got = s.run(t, "preview", webhook{name: "pull_request", action: "opened", number: 7}, "INPUT_DEPLOYMENTS=false")
	if got.status != 2 || !strings.Contains(got.log, "A preview without Deployments") {
		t.Errorf("exit status %d, want 2 and why:\n%s", got.status, got.log)
	}
}

// A comment that may not be written fails nothing.
func TestPreviewWithoutComment(t *testing.T) {
	t.Parallel()
	s := newShared(t, previewFile(map[string]string{"web": ""}))
	s.github.AddToken(githubfake.Token{Text: "ghs_0123456789abcdef", Permissions: []string{
		"actions: read", "contents: write", "deployments: write", "statuses: write", "pull-requests: read",
	}})
	s.github.AddPullRequest(githubfake.PullRequest{Number: 7})
	got := s.succeeds(t, "opened", 7)
	if strings.Count(got.log, "`pull-requests: write`") != 1 || len(s.github.Comments()) != 0 {
		t.Errorf("want one warning that names the permission:\n%s", got.log)
	}
	s.github.AddToken(githubfake.Token{Text: "ghs_0123456789abcdef", Permissions: []string{
		"actions: read", "contents: write", "deployments: write", "statuses: write", "pull-requests: write",
	}})
	if got := s.run(t, "preview", webhook{name: "pull_request", action: "synchronize", number: 7}, "INPUT_COMMENT=false"); got.status != 0 || len(s.github.Comments()) != 0 {
		t.Errorf("a comment was written though `comment` is false:\n%s", got.log)
	}
}

// A run that is cancelled does not leave the comment saying that it goes on.
func TestPreviewCancelled(t *testing.T) {
	t.Parallel()
	s := newShared(t, previewFile(map[string]string{"web": ""}))
	s.github.AddPullRequest(githubfake.PullRequest{Number: 7})
	s.cloud.during = func() { s.cancel() }
	got := s.run(t, "preview", webhook{name: "pull_request", action: "opened", number: 7})
	if got.status != 130 || len(s.github.Artifacts()) == 0 {
		t.Errorf("exit status %d, want 130 and the state uploaded:\n%s", got.status, got.log)
	}
	if now := s.onlyComment(t, 7); !strings.Contains(now, "| web | [cancelled]") {
		t.Errorf("the comment says\n%s", now)
	}
}

// The file of a push has a mistake: the comment does not say that all is well.
func TestPreviewOfBrokenFile(t *testing.T) {
	t.Parallel()
	s := newShared(t, previewFile(map[string]string{"web": ""}))
	s.github.AddPullRequest(githubfake.PullRequest{Number: 7})
	s.succeeds(t, "opened", 7)
	s.write(t, strings.Replace(previewFile(map[string]string{"web": ""}), `use "cloud"`, `use "clowd"`, 1))
	if got := s.run(t, "preview", webhook{name: "pull_request", action: "synchronize", number: 7}); got.status != 2 {
		t.Errorf("exit status %d, want 2\n%s", got.status, got.log)
	}
	if now := s.onlyComment(t, 7); !strings.Contains(now, "| web | [failed]") || !strings.Contains(now, "nothing was touched; the run says why") {
		t.Errorf("the comment says\n%s", now)
	}
}

// Sweep runs on the default branch, which never had the pull request's app.
func TestSweep(t *testing.T) {
	t.Parallel()
	s := newShared(t, previewFile(map[string]string{"web": "", "added": ""}))
	for _, number := range []int{7, 8, 9} {
		s.github.AddPullRequest(githubfake.PullRequest{Number: number})
	}
	began := time.Now()
	s.now = began.Add(-73 * time.Hour)
	s.succeeds(t, "opened", 7)
	s.succeeds(t, "opened", 8)
	s.now = began
	s.succeeds(t, "synchronize", 8) // which begins its time anew
	s.succeeds(t, "opened", 9)
	s.write(t, previewFile(map[string]string{"web": ""}))
	s.github.AddPullRequest(githubfake.PullRequest{Number: 9, Merged: true})

	got := s.sweeps(t)
	if diff := cmp.Diff([]string{"added in pr-8", "web in pr-8"}, s.cloud.running()); diff != "" {
		t.Errorf("what runs after sweep (-want +got):\n%s", diff)
	}
	for _, want := range []string{"destroyed: older than 72h", "kept", "destroyed: merged"} {
		if strings.Count(got.log, want) != 2 {
			t.Errorf("the table says not twice %q:\n%s", want, got.log)
		}
	}
	if err := os.Remove(filepath.Join(s.folder, "waypoint.hcl")); err != nil {
		t.Fatal(err)
	}
	s.github.AddPullRequest(githubfake.PullRequest{Number: 8, Closed: true})
	s.now = began.Add(2 * time.Minute) // the writes of one minute are limited
	s.sweeps(t)
	s.nothingLeft(t)
	for _, number := range []int{7, 8, 9} {
		if now := s.onlyComment(t, number); !strings.Contains(now, "There is no preview.") {
			t.Errorf("the comment of #%d says\n%s", number, now)
		}
	}
}
