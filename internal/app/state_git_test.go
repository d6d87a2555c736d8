package app_test

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gogit "github.com/go-git/go-git/v5"
	gitconfig "github.com/go-git/go-git/v5/config"

	"github.com/deploy-action/deploy-action/internal/app"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

const (
	stateRef = "refs/deploy-action/shop/web/default"

	// noArtifacts is what the steps of a job are told by a server without them:
	// a token for other services. Its payload is {"scp":"Actions.GenericRead:1"}.
	noArtifacts = "ACTIONS_RUNTIME_TOKEN=e30.eyJzY3AiOiJBY3Rpb25zLkdlbmVyaWNSZWFkOjEifQ.x"
)

// want fails a test unless a run ended so and said so.
func want(t *testing.T, status int, log string, wantStatus int, says ...string) {
	t.Helper()
	if status != wantStatus {
		t.Fatalf("exit status %d, want %d\n%s", status, wantStatus, log)
	}
	for _, text := range says {
		if !strings.Contains(strings.Join(strings.Fields(log), " "), text) {
			t.Errorf("the log lacks %q:\n%s", text, log)
		}
	}
}

// Records go to a git ref where that is asked for, and where the server has no
// artifacts.
func TestStateOnGit(t *testing.T) {
	t.Parallel()
	for name, inputs := range map[string][]string{
		"asked for":                    {"INPUT_STATE=git"},
		"asked for by a flag":          {"INPUT_FLAGS=--state=git"},
		"asked for in a run step":      {"INPUT_STATE=git", "ACTIONS_RESULTS_URL=", "ACTIONS_RUNTIME_TOKEN="},
		"a server without the service": {"ACTIONS_RESULTS_URL=", noArtifacts},
		"a token without the scope":    {noArtifacts},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := newJob(t, nullApp)
			j.inputs = inputs
			for range 2 {
				status, log := j.run(t, "deploy-action")
				want(t, status, log, 0)
			}
			if len(j.github.Artifacts()) != 0 || j.github.Ref(stateRef) == "" || len(j.github.Deployments()) != 2 {
				t.Errorf("artifacts: %d, state at %q, Deployments: %d: want none, a commit, and two", len(j.github.Artifacts()), j.github.Ref(stateRef), len(j.github.Deployments()))
			}
			if got := j.outputs(t)["sequence"]; got != "2" || j.locked(t) {
				t.Errorf("the second deploy has sequence %q, want 2, and the lock given back", got)
			}
		})
	}
}

// A run step has no place that is safe to assume, and is told which there are.
func TestNoPlaceInRunStep(t *testing.T) {
	t.Parallel()
	j := newJob(t, nullApp)
	for kind, says := range map[string]string{"auto": "--state git, which takes `contents: write`", "artifact": "such as `state: git`"} {
		j.inputs = []string{"INPUT_STATE=" + kind, "ACTIONS_RESULTS_URL=", "ACTIONS_RUNTIME_TOKEN="}
		status, log := j.run(t, "deploy-action")
		want(t, status, log, 2, "No place for the state", says)
	}
	if len(j.github.Calls()) != 0 {
		t.Error("GitHub was asked")
	}
}

// A token that may not write refs stops before anything is touched.
func TestStateOnGitNeedsPermission(t *testing.T) {
	t.Parallel()
	for _, lock := range []string{"15m", "off"} {
		j := newJob(t, nullApp)
		j.inputs = []string{"INPUT_STATE=git", "INPUT_LOCK=" + lock}
		j.github.AddToken(githubfake.Token{Text: stepToken, Permissions: []string{"actions: read", "contents: read", "deployments: write", "statuses: write"}})
		status, log := j.run(t, "deploy-action")
		want(t, status, log, 2, `No permission to keep the state of app "web" in workspace "default"`, "Add `contents: write` to the permissions block of the job.")
		j.github.AddToken(githubfake.Token{Text: stepToken, Permissions: []string{"deployments: write", "statuses: write"}})
		status, log = j.run(t, "deploy-action")
		want(t, status, log, 2, `No permission to keep the state of app "web" in workspace "default"`, "Records are kept on a git ref of the repository", "Add `contents: write`")
		if len(j.github.Deployments()) != 0 {
			t.Error("a deploy was begun")
		}
	}
}

// The post step writes what a step left in the journal of its git ref.
func TestPostStepOnGit(t *testing.T) {
	t.Parallel()
	j := newJob(t, nullApp)
	j.inputs = []string{"INPUT_STATE=git", "ACTIONS_RESULTS_URL=", noArtifacts}
	down := true
	j.github.Refuse(func(r *http.Request) *githubfake.Refusal {
		if down && r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/git/trees") {
			return &githubfake.Refusal{Status: http.StatusUnprocessableEntity, Body: `{"message":"not now"}`}
		}
		return nil
	})
	status, log := j.run(t, "deploy-action")
	want(t, status, log, 1, "saving the state", "not now")
	down = false
	if j.github.Ref(stateRef) != "" {
		t.Fatal("the state was written")
	}
	status, log = j.run(t, "deploy-action-post")
	want(t, status, log, 0)
	if j.github.Ref(stateRef) == "" {
		t.Errorf("the post step left the state in the journal\n%s", log)
	}
	// The next job has a folder of its own.
	j.temp = t.TempDir()
	status, log = j.run(t, "deploy-action")
	want(t, status, log, 0)
	if got := j.outputs(t)["sequence"]; got != "2" {
		t.Errorf("the next deploy has sequence %q, want 2", got)
	}
}

// terminal is a clone of the job's repository on somebody's machine.
func (j *job) terminal(t *testing.T) func(environ []string, args ...string) (status int, log string) {
	t.Helper()
	dir := t.TempDir()
	repository, err := gogit.PlainInit(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := repository.CreateRemote(&gitconfig.RemoteConfig{Name: "origin", URLs: []string{"git@git.example.test:acme/shop.git"}}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "waypoint.hcl"), []byte(nullApp), 0o644); err != nil {
		t.Fatal(err)
	}
	return func(environ []string, args ...string) (int, string) {
		t.Helper()
		var out bytes.Buffer
		status := app.Main(t.Context(), app.Sys{
			Args: append([]string{"deploy-action", "-C", dir}, args...), Dir: t.TempDir(), Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out,
			HTTP: &http.Client{Transport: enterprise{j.github}}, Environ: append([]string{"PATH=/usr/bin:/bin", "USER=alice"}, environ...),
		})
		if ignored, err := os.ReadFile(filepath.Join(dir, ".deploy-action", ".gitignore")); err == nil && string(ignored) != "*\n" {
			t.Errorf(".gitignore = %q", ignored)
		}
		return status, out.String()
	}
}

// enterprise is the API of a GitHub Enterprise Server.
type enterprise struct{ next http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (e enterprise) RoundTrip(r *http.Request) (*http.Response, error) {
	if rest, found := strings.CutPrefix(r.URL.Path, "/api/v3"); found && r.URL.Host == "git.example.test" {
		r = r.Clone(r.Context())
		r.URL.Path = rest
	}
	return e.next.RoundTrip(r)
}

// How long uploads are kept is an input.
func TestStateRetention(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		input, most string
		days        int
		says        string
	}{
		{"", "", 90, ""},
		{"200", "", 200, ""},
		{"200", "GITHUB_RETENTION_DAYS=60", 60, "this repository keeps artifacts for 60 days at most"},
		{"20", "GITHUB_RETENTION_DAYS=60", 20, "State artifacts are kept for 20 days"},
		{"20", "", 20, "the input `state: git`"},
	} {
		j := newJob(t, nullApp)
		j.inputs = []string{"INPUT_STATE-RETENTION-DAYS=" + c.input, c.most}
		status, log := j.run(t, "deploy-action")
		want(t, status, log, 0, c.says)
		left := time.Until(j.github.Artifacts()[0].Expires).Round(time.Hour)
		if got := int(left.Hours() / 24); got != c.days {
			t.Errorf("input %q, %s: kept for %d days, want %d", c.input, c.most, got, c.days)
		}
	}
	j := newJob(t, nullApp)
	for _, text := range []string{"0", "-1", "90d"} {
		j.inputs = []string{"INPUT_STATE-RETENTION-DAYS=" + text}
		status, log := j.run(t, "deploy-action")
		want(t, status, log, 2, "it takes a number of days, such as 90")
	}
}

// Sweep uploads the state of apps at rest again, of workspaces nobody names.
func TestSweepRenewsStates(t *testing.T) {
	t.Parallel()
	s := newShared(t, previewFile(map[string]string{"web": "-"}))
	s.now = time.Now().AddDate(0, 0, -50)
	for _, workspace := range []string{"production", "staging"} {
		if got := s.run(t, "up", webhook{name: "push"}, "INPUT_WORKSPACE="+workspace); got.status != 0 {
			t.Fatalf("exit status %d\n%s", got.status, got.log)
		}
	}
	s.now = time.Now()
	if got := s.run(t, "up", webhook{name: "push"}, "INPUT_WORKSPACE=staging"); got.status != 0 {
		t.Fatalf("exit status %d\n%s", got.status, got.log)
	}
	for range 2 {
		if err := os.RemoveAll(filepath.Join(s.folder, "waypoint.hcl")); err != nil {
			t.Fatal(err)
		}
		s.sweeps(t)
	}
	var names []string
	for _, a := range s.github.Artifacts() {
		names = append(names, strings.TrimPrefix(a.Name, "deploy-action.shop.web."))
	}
	if want := []string{"production", "staging", "staging", "production"}; !slices.Equal(names, want) {
		t.Errorf("state artifacts, oldest first: %v, want %v", names, want)
	}
}

// Sweep runs on the default branch, and the file says from which ones a
// workspace is deployed.
func TestSweepRenewsStatesOfRefs(t *testing.T) {
	t.Parallel()
	s := newShared(t, "workspace \"production\" {\n refs = [\"release/*\"]\n}\n"+previewFile(map[string]string{"api": "-", "web": "-"}))
	up := func(daysAgo int, branch, app string) {
		t.Helper()
		s.now = time.Now().AddDate(0, 0, -daysAgo)
		if got := s.run(t, "up", webhook{name: "push", branch: branch}, "INPUT_WORKSPACE=production", "INPUT_APP="+app); got.status != 0 {
			t.Fatalf("exit status %d\n%s", got.status, got.log)
		}
		s.now = time.Now()
	}
	up(50, "release/1", "web")
	up(50, "release/1", "api")
	up(10, "release/2", "api")
	for _, want := range []int{4, 4} {
		if got := s.sweeps(t); strings.Contains(got.log, "could not be renewed") {
			t.Errorf("the state of the file's own workspace is not believed:\n%s", got.log)
		}
		all := s.github.Artifacts()
		if len(all) != want || !strings.HasPrefix(all[len(all)-1].Name, "deploy-action.shop.web.production") {
			t.Errorf("%d artifacts, want %d, and the last one that of web: %+v", len(all), want, all)
		}
	}
}
