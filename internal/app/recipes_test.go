package app_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// follows runs a job of a recipe, which must go well without a complaint about
// what its token may not.
func (f *fleet) follows(t *testing.T, name string, job recipeJob, values ...string) (log string) {
	t.Helper()
	status, log := f.job(t, name, job.inputs(t, f.github, values...)...)
	if status != 0 || strings.Contains(log, "::warning") {
		t.Fatalf("%s: exit status %d, want 0 and no warning\n%s", name, status, log)
	}
	return log
}

// in returns the image that users of a workspace get.
func (f *fleet) in(workspace string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.berths[f.traffic["web."+workspace]].image
}

// The recipe of promotions: pushes go to staging, and from there to production
// once somebody said yes; what was built for staging is what production gets.
// Then production goes back, without what is known of staging.
func TestPromotionRecipe(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.onCommits = true
	const place = ".github/workflows/promote.yml"
	staging, production := recipeJobOf(t, "promotion.md", place, "staging"), recipeJobOf(t, "promotion.md", place, "production")
	push := func(approved bool) {
		t.Helper()
		f.begin()
		defer f.end()
		f.follows(t, "staging", staging)
		url := outputOf(t, f.output, "url")
		if approved { // else the job never starts
			f.follows(t, "production", production, "${{ needs.staging.outputs.url }}", url)
		}
	}
	serve := func(when, there, here string) {
		t.Helper()
		if diff := cmp.Diff([]string{there, here}, []string{f.in("staging"), f.in("production")}); diff != "" {
			t.Errorf("%s staging and production serve (-want +got):\n%s", when, diff)
		}
	}
	push(true)
	serve("after the first push", image(1), image(1))
	push(false)
	serve("after a push that was refused", image(2), image(1))
	push(true)
	serve("after the third push", image(3), image(3))
	if f.content != 3 {
		t.Errorf("%d images were built of 3 pushes", f.content)
	}
	var told []string
	for _, d := range f.github.Deployments() {
		told = append(told, d.Environment+": "+d.State())
	}
	slices.Sort(told)
	want := []string{"production: inactive", "production: success", "staging: inactive", "staging: inactive", "staging: success"}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("Deployments (-want +got):\n%s", diff)
	}

	for _, a := range f.github.Artifacts() {
		if strings.HasSuffix(a.Name, ".staging") {
			f.github.Expire(a.ID)
		}
	}
	const anywhere = "${{ inputs.workspace || github.event.client_payload.workspace || 'production' }}"
	f.begin()
	f.follows(t, "rollback", recipeJobOf(t, "rollback.md", ".github/workflows/rollback.yml", "rollback"),
		anywhere, "production",
		"${{ inputs.app || github.event.client_payload.app }}", "",
		"${{ (inputs.deployment || github.event.client_payload.deployment) && format('--deployment={0}', inputs.deployment || github.event.client_payload.deployment) || '' }}", "",
		"${{ inputs.reason || github.event.client_payload.reason || 'rollback' }}", "checkout fails")
	f.end()
	serve("after the rollback", image(3), image(1))
	f.inputs = []string{"INPUT_WORKSPACE=production"}
	log := f.succeeds(t, "state", "show", "--json")
	for _, reason := range []string{"approved at https://web.example.test", "checkout fails"} {
		if !strings.Contains(log, reason) {
			t.Errorf("no record says %q:\n%s", reason, log)
		}
	}
}

// The recipe of a hold: it stops the recipe of deploys, says who and why, and is
// lifted.
func TestHoldRecipe(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	deploy := recipeJobOf(t, "deploy.md", ".github/workflows/deploy.yml", "deploy")
	hold := recipeJobOf(t, "rollback.md", ".github/workflows/hold.yml", "hold")
	ends := func(want int, says string, job recipeJob, values ...string) {
		t.Helper()
		f.begin()
		defer f.end()
		status, log := f.job(t, "job", job.inputs(t, f.github, values...)...)
		if status != want || !strings.Contains(log, says) || strings.Contains(log, "::warning") {
			t.Errorf("exit status %d, want %d, %q and no warning\n%s", status, want, says, log)
		}
	}
	with := func(command string) []string {
		return []string{
			"${{ inputs.command }}", command, "${{ inputs.workspace }}", "production", "${{ inputs.app }}", "", "${{ inputs.reason }}", "database migration",
		}
	}
	ends(0, "", deploy)
	ends(0, "", hold, with("hold")...)
	ends(2, "database migration", deploy)
	ends(0, "ready", hold, with("status")...)
	if got := f.in("production"); got != image(1) {
		t.Errorf("while it is held users get %s", got)
	}
	ends(0, "", hold, with("unhold")...)
	ends(0, "", deploy)
}

// The recipe of an organisation is called with several verbs.
func TestOrganizationRecipe(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	job := recipeJobOf(t, "organization.md", "acme/deploy: .github/workflows/deploy.yml", "deploy")
	call := func(command, flags string) string {
		t.Helper()
		f.begin()
		defer f.end()
		return f.follows(t, "deploy", job, "${{ inputs.workspace }}", "production", "${{ inputs.command }}", command, "${{ inputs.flags }}", flags)
	}
	call("up", "")
	call("up", "")
	call("plan", "")
	if got := f.in("production"); got != image(2) {
		t.Errorf("after two deploys and a plan users get %s", got)
	}
	call("rollback", "")
	if got := f.in("production"); got != image(1) {
		t.Errorf("after the rollback users get %s", got)
	}
	if log := call("rollback", "--list"); !strings.Contains(log, "web-") {
		t.Errorf("the flags did not arrive:\n%s", log)
	}
	call("deploy", "")
	if got := f.in("production"); got != image(2) {
		t.Errorf("after deploying the newest artifact that was pushed users get %s", got)
	}
}

// follows is run for a job of a recipe, which must go well without a complaint
// about what its token may not.
func (s *shared) follows(t *testing.T, job recipeJob, on webhook, values ...string) told {
	t.Helper()
	got := s.run(t, "", on, job.inputs(t, s.github, values...)...)
	if got.status != 0 || strings.Contains(got.log, "::warning") {
		t.Fatalf("%s %s: exit status %d, want 0 and no warning\n%s", on.name, on.action, got.status, got.log)
	}
	return got
}

// The recipe of previews: a pull request is opened, pushed to twice, and gets a
// conflict, after which no run of it starts. It is closed, and swept up.
func TestPreviewRecipe(t *testing.T) {
	t.Parallel()
	s := newShared(t, previewFile(map[string]string{"web": "", "worker": ""}))
	s.after = []string{"deploy-action-post"}
	s.github.AddPullRequest(githubfake.PullRequest{Number: 7})
	deploy := recipeJobOf(t, "previews.md", ".github/workflows/preview.yml", "preview")
	var heads []string
	for n, action := range []string{"opened", "synchronize", "synchronize"} {
		heads = append(heads, fmt.Sprintf("%040x", 7000+n))
		if got := s.follows(t, deploy, webhook{name: "pull_request", action: action, number: 7, head: heads[n]}); got.outcome != `{"web":"changed","worker":"changed"}` {
			t.Errorf("%s: the outcome is %s", action, got.outcome)
		}
	}
	if diff := cmp.Diff([]string{"web in pr-7", "worker in pr-7"}, s.cloud.running()); diff != "" {
		t.Errorf("what runs (-want +got):\n%s", diff)
	}

	// There is a conflict: nothing runs but what starts under pull_request_target,
	// which checks nothing out.
	file := filepath.Join(s.folder, "waypoint.hcl")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	s.github.AddPullRequest(githubfake.PullRequest{Number: 7, Closed: true})
	const sweeps = ".github/workflows/preview-sweep.yml"
	s.follows(t, recipeJobOf(t, "previews.md", sweeps, "closed"), webhook{name: "pull_request_target", action: "closed", number: 7})
	s.nothingLeft(t)
	s.write(t, previewFile(map[string]string{"web": ""}))
	if got := s.follows(t, recipeJobOf(t, "previews.md", sweeps, "sweep"), webhook{name: "schedule"}); got.outcome != "unchanged" {
		t.Errorf("sweep found something to do: %s\n%s", got.outcome, got.log)
	}
	if last := s.onlyComment(t, 7); !strings.Contains(last, "There is no preview.") {
		t.Errorf("the comment says\n%s", last)
	}
	for _, head := range heads {
		want := map[string]string{"deploy-action/web (pr-7)": "success", "deploy-action/worker (pr-7)": "success"}
		if diff := cmp.Diff(want, s.statuses(head)); diff != "" {
			t.Errorf("statuses of %s (-want +got):\n%s", head, diff)
		}
	}
}

// statuses returns the present statuses of a commit, by context.
func (s *shared) statuses(sha string) map[string]string {
	found := map[string]string{}
	for _, status := range s.github.Statuses() {
		if status.SHA == sha {
			found[status.Context] = status.State
		}
	}
	return found
}

// The recipe for forks: what somebody has looked at is deployed by a run of the
// default branch, and goes when the pull request is closed.
func TestForkRecipe(t *testing.T) {
	t.Parallel()
	s := newShared(t, previewFile(map[string]string{"web": ""}))
	s.after = []string{"deploy-action-post"}
	s.github.AddPullRequest(githubfake.PullRequest{Number: 7, Fork: true})
	if err := os.Mkdir(filepath.Join(s.folder, "previews"), 0o755); err != nil {
		t.Fatal(err)
	}
	previews := "variable \"tag\" {\n type = string\n}\n" + previewFile(map[string]string{"web": ""})
	if err := os.WriteFile(filepath.Join(s.folder, "previews", "waypoint.hcl"), []byte(previews), 0o644); err != nil {
		t.Fatal(err)
	}
	deploy := recipeJobOf(t, "previews.md", ".github/workflows/fork-preview.yml", "deploy")
	const head = "f0f0000000000000000000000000000000000007"
	for range 2 {
		s.follows(t, deploy, webhook{name: "workflow_run", head: head, branch: "main"}, "${{ steps.pull.outputs.number }}", "7")
	}
	if diff := cmp.Diff([]string{"web in pr-7"}, s.cloud.running()); diff != "" {
		t.Errorf("what runs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"deploy-action/web (pr-7)": "success"}, s.statuses(head)); diff != "" {
		t.Errorf("statuses of the fork's commit (-want +got):\n%s", diff)
	}
	const sweeps = ".github/workflows/preview-sweep.yml"
	s.follows(t, recipeJobOf(t, "previews.md", sweeps, "sweep"), webhook{name: "schedule"})
	if len(s.cloud.running()) == 0 {
		t.Error("sweep destroyed the preview of an open pull request")
	}
	s.github.AddPullRequest(githubfake.PullRequest{Number: 7, Fork: true, Closed: true})
	s.follows(t, recipeJobOf(t, "previews.md", sweeps, "closed"), webhook{name: "pull_request_target", action: "closed", number: 7})
	s.nothingLeft(t)
}
