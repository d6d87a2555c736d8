package app_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// row returns the line of a log that names a deployment.
func row(log, deployment string) string {
	for line := range strings.Lines(log) {
		if strings.Contains(line, deployment) {
			return strings.Join(strings.Fields(line), " ")
		}
	}
	return ""
}

// State recover shows who knows what, changes nothing, and records it when told
// to.
func TestStateRecover(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.succeeds(t, "up")
	f.succeeds(t, "up")
	ids := f.deployments()
	f.berths["web-strayxxxxx"] = berth{"shop", "web", "default", 7, image(9)}
	f.berths["web-elsewherex"] = berth{"shop", "web", "production", 8, image(9)}

	want := map[string]string{
		ids[0]:           "web 1 " + ids[0] + " succeeded harbor recorded there",
		ids[1]:           "web 2 " + ids[1] + " succeeded harbor recorded there released",
		"web-strayxxxxx": "web 7 web-strayxxxxx succeeded harbor only on the platform there",
		"web-elsewherex": "",
	}
	log := f.succeeds(t, "state", "recover")
	for id, line := range want {
		if got := row(log, id); got != line {
			t.Errorf("%s is shown as %q, want %q", id, got, line)
		}
	}

	f.lose()
	delete(f.berths, ids[0])
	artifacts := len(f.github.Artifacts())
	log = f.succeeds(t, "state", "recover")
	want[ids[0]] = "web 1 " + ids[0] + " destroyed harbor only on GitHub not there"
	want[ids[1]] = "web 2 " + ids[1] + " succeeded harbor only on GitHub there released"
	for id, line := range want {
		if got := row(log, id); got != line {
			t.Errorf("without artifacts %s is shown as %q, want %q\n%s", id, got, line, log)
		}
	}
	if !strings.Contains(log, "3 are not recorded. Say --yes to record them.") || len(f.github.Artifacts()) != artifacts {
		t.Errorf("looking made %d artifacts\n%s", len(f.github.Artifacts())-artifacts, log)
	}

	f.succeeds(t, "state", "recover", "--yes")
	log = f.succeeds(t, "state", "recover")
	if strings.Contains(log, "not recorded") || strings.Contains(log, "found again") || !strings.Contains(row(log, "web-strayxxxxx"), "recorded there") {
		t.Errorf("after --yes:\n%s", log)
	}
	f.succeeds(t, "destroy")
	if got := f.deployments(); len(got) != 1 || got[0] != "web-elsewherex" {
		t.Errorf("after destroy there are %v, want that of the other workspace", got)
	}
}

// A deployment on a platform that cannot be asked is gone when the user says so.
func TestStateRecoverGone(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.succeeds(t, "up")
	id := f.deployments()[0]
	f.lose()
	f.mute = true
	log := f.succeeds(t, "state", "recover")
	if !strings.Contains(row(log, id), "only on GitHub not known") || !strings.Contains(log, "The state is incomplete") {
		t.Errorf("the gap is not shown:\n%s", log)
	}
	if status, log := f.run(t, "destroy"); status != 2 {
		t.Errorf("destroy: exit status %d, want 2\n%s", status, log)
	}
	delete(f.berths, id)
	f.succeeds(t, "state", "recover", "--gone="+id, "--yes")
	f.succeeds(t, "destroy")
	if log := f.succeeds(t, "state", "recover"); !strings.Contains(log, "No deployment is known") {
		t.Errorf("after destroy:\n%s", log)
	}
}

// What its platform shows is not gone, whoever says so, and nobody can bury what
// was never there.
func TestStateRecoverNotGone(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.succeeds(t, "up")
	f.succeeds(t, "up")
	ids := f.deployments()
	for id, says := range map[string]string{
		ids[0]:       "is not gone",
		ids[1]:       "is not gone",
		ids[1] + "x": "Did you mean \"" + ids[1] + "\"?",
	} {
		for _, flags := range [][]string{{"recover", "--gone=" + id}, {"recover", "--gone=" + id, "--yes"}} {
			if status, log := f.run(t, "state", flags...); status != 2 || !strings.Contains(log, says) {
				t.Errorf("%q: exit status %d, want 2 and %q\n%s", flags, status, says, log)
			}
		}
	}
	log := f.succeeds(t, "state", "recover")
	for _, id := range ids {
		if !strings.Contains(row(log, id), "succeeded harbor recorded there") {
			t.Errorf("%s is shown as %q", id, row(log, id))
		}
	}
}

// Where Deployments are off, the statuses of commits tell what they can.
func TestStateRecoverByStatuses(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.inputs = []string{"INPUT_DEPLOYMENTS=false"}
	f.onCommits = true
	f.succeeds(t, "up")
	f.succeeds(t, "up")
	ids := f.deployments()
	f.lose()
	_, log := f.run(t, "state", "recover", "--json")
	var got struct {
		Deployments []struct {
			Deployment string `json:"deployment_id"`
			Sequence   int
			Source     string
			Exists     string
			Released   bool
		}
		Incomplete []string
	}
	from, to := strings.Index(log, "{\n"), strings.LastIndex(log, "}")
	if from < 0 || json.Unmarshal([]byte(log[from:to+1]), &got) != nil || len(got.Deployments) != 2 {
		t.Fatalf("no JSON with two deployments in:\n%s", log)
	}
	newest := got.Deployments[0]
	if newest.Deployment != ids[1] || newest.Sequence != 2 || newest.Source != "github" || newest.Exists != "yes" || !newest.Released || len(got.Incomplete) != 0 {
		t.Errorf("got %+v", got)
	}
	f.succeeds(t, "state", "recover", "--yes")
	f.succeeds(t, "rollback")
	if f.serving() != image(1) {
		t.Errorf("users get %s after a rollback, want the first image", f.serving())
	}
}

// State unlock takes the lock of a dead run away, and that of one at work only
// by force.
func TestStateUnlock(t *testing.T) {
	t.Parallel()
	j := newJob(t, nullApp)
	unlock := func(flags ...string) (int, string) {
		j.inputs = []string{"INPUT_COMMAND=state", "INPUT_FLAGS=unlock\n" + strings.Join(flags, "\n")}
		return j.run(t, "deploy-action")
	}
	if status, log := unlock("--yes"); status != 0 || !strings.Contains(log, `No lock is held in workspace "default"`) {
		t.Errorf("exit status %d where there is no lock\n%s", status, log)
	}
	take := func() {
		j.github.SetRef(lockRef, j.github.AddCommit(`{"run":812,"attempt":1,"job":"deploy","actor":"alice","since":"2026-01-02T14:02:00Z","until":"2099-01-01T00:00:00Z"}`))
	}
	j.github.AddRun(githubfake.Run{ID: 812})
	take()
	if status, log := unlock("--yes"); status != 2 || !j.locked(t) || !strings.Contains(log, "run 812 of alice (attempt 1, since 2026-01-02 14:02 UTC)") || !strings.Contains(log, "--force") {
		t.Errorf("exit status %d, want 2 and who is at work\n%s", status, log)
	}
	if status, log := unlock("--force"); status != 2 || !j.locked(t) || !strings.Contains(log, "Nobody can be asked") {
		t.Errorf("exit status %d, want 2 where nobody agreed\n%s", status, log)
	}
	if status, log := unlock("--force", "--yes"); status != 0 || j.locked(t) {
		t.Errorf("exit status %d by force\n%s", status, log)
	}
	take()
	j.github.AddRun(githubfake.Run{ID: 812, Status: "completed", Conclusion: "cancelled"})
	if status, log := unlock("--yes"); status != 0 || j.locked(t) || !strings.Contains(log, "run is over") {
		t.Errorf("exit status %d for the lock of a run that ended\n%s", status, log)
	}
	j.github.AddToken(githubfake.Token{Text: stepToken, Permissions: []string{"actions: read", "deployments: write"}})
	take()
	if status, log := unlock("--yes"); status != 2 || !j.locked(t) || !strings.Contains(log, "contents") {
		t.Errorf("exit status %d without permission for contents\n%s", status, log)
	}
}

// runStep is what a `run` step is not told.
var runStep = []string{"ACTIONS_RESULTS_URL=", "ACTIONS_RUNTIME_TOKEN="}

// A `run` step looks at what the artifacts of the repository hold, and takes no
// lock from other steps of its job.
func TestStateRecoverInRunStep(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.succeeds(t, "up")
	f.inputs = runStep
	id := f.deployments()[0]
	log := f.succeeds(t, "state", "recover")
	if got := row(log, id); got != "web 1 "+id+" succeeded harbor recorded there released" || !strings.Contains(log, "say --state git") {
		t.Errorf("%s is shown as %q\n%s", id, got, log)
	}
	if status, log := f.run(t, "state", "recover", "--yes"); status != 2 || !strings.Contains(log, "No place for the state") {
		t.Errorf("--yes: exit status %d, want 2 and where the state could go\n%s", status, log)
	}
	f.inputs = slices.Concat(runStep, []string{"INPUT_GITHUB-TOKEN="})
	if status, log := f.run(t, "state", "recover"); status != 2 || !strings.Contains(log, "No token to read the state with") || !strings.Contains(log, "GITHUB_TOKEN: ") {
		t.Errorf("without a token: exit status %d, want 2 and how to give one\n%s", status, log)
	}
}

func TestStateUnlockInRunStep(t *testing.T) {
	t.Parallel()
	j := newJob(t, nullApp)
	unlock := func() (int, string) {
		j.inputs = slices.Concat(runStep, []string{"INPUT_COMMAND=state", "INPUT_FLAGS=unlock"})
		return j.run(t, "deploy-action")
	}
	if status, log := unlock(); status != 0 || !strings.Contains(log, `No lock is held in workspace "default"`) {
		t.Errorf("exit status %d where there is no lock\n%s", status, log)
	}
	j.github.AddRun(githubfake.Run{ID: 812, Status: "completed", Conclusion: "cancelled"})
	j.github.SetRef(lockRef, j.github.AddCommit(`{"run":812,"attempt":1,"job":"deploy","actor":"alice","since":"2026-01-02T14:02:00Z","until":"2099-01-01T00:00:00Z"}`))
	if status, log := unlock(); status != 2 || !j.locked(t) || !strings.Contains(log, "run 812 of alice") || !strings.Contains(log, "--yes") {
		t.Errorf("exit status %d, want 2, who has it, and how to take it away\n%s", status, log)
	}
	withPost := []string{"GITHUB_ACTION_REPOSITORY=acme/deploy-action"}
	j.inputs = withPost
	j.github.SetRef(lockRef, j.github.AddCommit(`{"free":true}`))
	if status, log := j.run(t, "deploy-action"); status != 0 || !j.locked(t) {
		t.Fatalf("up: exit status %d\n%s", status, log)
	}
	if _, log := unlock(); !j.locked(t) {
		t.Errorf("looking gave the lock of another step back\n%s", log)
	}
	j.inputs = withPost
	if status, log := j.run(t, "deploy-action-post"); status != 0 || j.locked(t) {
		t.Errorf("post step: exit status %d, and its lock is not free\n%s", status, log)
	}
}
