package app_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

const (
	nullApp = "project = \"shop\"\napp \"web\" {\n  build {\n    use \"null\" {}\n  }\n  deploy {\n    use \"null\" {}\n  }\n}\n"
	lockRef = "refs/deploy-action/lock/shop+web+default"
)

// locked reports whether the last commit of the lock names a holder.
func (j *job) locked(t *testing.T) bool {
	t.Helper()
	sha := j.github.Ref(lockRef)
	if sha == "" {
		t.Fatal("no lock was ever taken")
	}
	return !strings.Contains(j.github.Message(sha), `"free":true`)
}

// withPost is what the runner tells an action that has a post step.
const withPost = "GITHUB_ACTION_REPOSITORY=deploy-action/deploy-action"

// The lock is kept for later steps of the job, and given back by the post step.
func TestLockIsGivenBack(t *testing.T) {
	t.Parallel()
	j := newJob(t, nullApp)
	j.inputs = []string{withPost}
	for range 2 {
		if status, log := j.run(t, "deploy-action"); status != 0 || !j.locked(t) {
			t.Fatalf("exit status %d, or main gave back what the next step needs\n%s", status, log)
		}
	}
	if status, log := j.run(t, "deploy-action-post"); status != 0 || j.locked(t) {
		t.Errorf("after the post step, which ended with %d, the lock is held\n%s", status, log)
	}
}

// Where no post step follows, or one that has no token, main gives the lock
// back by itself.
func TestLockIsGivenBackByMain(t *testing.T) {
	t.Parallel()
	for name, environ := range map[string][]string{
		"an image that the step names": nil,
		"act":                          {withPost, "ACT=true"},
	} {
		j := newJob(t, nullApp)
		j.inputs = environ
		if status, log := j.run(t, "deploy-action"); status != 0 || j.locked(t) {
			t.Errorf("%s: after the step, which ended with %d, the lock is held\n%s", name, status, log)
		}
	}
}

// A post step that GitHub does not let in says so, and may be run again.
func TestPostStepWithoutToken(t *testing.T) {
	t.Parallel()
	j := newJob(t, nullApp)
	j.inputs = []string{withPost}
	if status, log := j.run(t, "deploy-action"); status != 0 {
		t.Fatalf("exit status %d\n%s", status, log)
	}
	j.inputs = []string{withPost, "INPUT_GITHUB-TOKEN="}
	if status, log := j.run(t, "deploy-action-post"); status != 0 || !strings.Contains(log, `releasing the lock of app "web"`) || !strings.Contains(log, "does not accept the token") {
		t.Errorf("exit status %d, want 0 and that the lock was not given back\n%s", status, log)
	}
	j.inputs = []string{withPost}
	if status, log := j.run(t, "deploy-action-post"); status != 0 || j.locked(t) {
		t.Errorf("after another post step, which ended with %d, the lock is held\n%s", status, log)
	}
}

// Whoever holds the lock is named while another run waits for it.
func TestLockOfAnotherRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := newJob(t, nullApp)
		j.github.AddRun(githubfake.Run{ID: 812})
		sha := j.github.AddCommit(`{"run":812,"attempt":1,"job":"deploy","actor":"alice","since":"2026-01-02T14:02:00Z","until":"2099-01-01T00:00:00Z"}`)
		j.github.SetRef(lockRef, sha)
		j.inputs = []string{"INPUT_LOCK=10m"}
		status, log := j.run(t, "deploy-action")
		if status != 1 || !strings.Contains(log, "Waiting for run 812 of alice (attempt 1, since 2026-01-02 14:02 UTC)") || !strings.Contains(log, "the lock was not free within 10m") {
			t.Errorf("exit status %d, want 1 and who has the lock\n%s", status, log)
		}
		if len(j.github.Deployments()) != 0 || j.github.Ref(lockRef) != sha {
			t.Error("something was changed without the lock")
		}

		j.inputs = []string{"INPUT_LOCK=off"}
		if status, log := j.run(t, "deploy-action"); status != 0 || j.github.Ref(lockRef) != sha {
			t.Errorf("exit status %d with the lock turned off\n%s", status, log)
		}
	})
}

// A token that may neither lock nor say what it deploys stops before anything.
func TestNoPermissionToLock(t *testing.T) {
	t.Parallel()
	j := newJob(t, nullApp)
	j.github.AddToken(githubfake.Token{Text: "ghs_0123456789abcdef", Permissions: []string{"actions: read", "contents: read", "statuses: write"}})
	status, log := j.run(t, "deploy-action")
	if status != 2 || !strings.Contains(log, "contents: write ") || !strings.Contains(log, "deployments: write ") || len(j.github.Artifacts()) != 0 {
		t.Errorf("exit status %d, want 2 and the permissions that are missing\n%s", status, log)
	}
	j.inputs = []string{"INPUT_LOCK=off", "INPUT_DEPLOYMENTS=false"}
	if status, log := j.run(t, "deploy-action"); status != 0 || len(j.github.Artifacts()) == 0 {
		t.Errorf("exit status %d where both are turned off on purpose\n%s", status, log)
	}
}

// What the input lock cannot mean is said before anything is done.
func TestLockInput(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"of", "15", "-5m"} {
		j := newJob(t, nullApp)
		j.inputs = []string{"INPUT_LOCK=" + text}
		status, log := j.run(t, "deploy-action")
		if status != 2 || !strings.Contains(log, "neither off nor a duration such as 30m") || len(j.github.Calls()) != 0 {
			t.Errorf("lock: %q: exit status %d, want 2 and what it can be\n%s", text, status, log)
		}
	}
}
