package workflow_test

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/workflow"
)

// job is the environment of a job as a runner sets it.
var job = map[string]string{
	"GITHUB_ACTOR":            "octocat",
	"GITHUB_API_URL":          "https://ghe.example.com/api/v3/",
	"GITHUB_EVENT_NAME":       "push",
	"GITHUB_JOB":              "deploy",
	"GITHUB_REF":              "refs/heads/main",
	"GITHUB_REF_NAME":         "main",
	"GITHUB_REPOSITORY":       "octo/hello",
	"GITHUB_REPOSITORY_ID":    "42",
	"GITHUB_RETENTION_DAYS":   "90",
	"GITHUB_RUN_ATTEMPT":      "2",
	"GITHUB_RUN_ID":           "812",
	"GITHUB_RUN_NUMBER":       "7",
	"GITHUB_SERVER_URL":       "https://ghe.example.com",
	"GITHUB_SHA":              "3f2c",
	"GITHUB_TRIGGERING_ACTOR": "hubot",
	"GITHUB_WORKFLOW":         "Deploy",
	"GITHUB_WORKFLOW_REF":     "octo/hello/.github/workflows/deploy.yml@refs/heads/main",
	"GITHUB_WORKFLOW_SHA":     "aaaa",
	"RUNNER_TEMP":             "/github/runner_temp",
}

// contextOf returns the context of the job with an event.
func contextOf(t *testing.T, event string) workflow.Context {
	t.Helper()
	environ := maps.Clone(job)
	if event != "" {
		environ["GITHUB_EVENT_PATH"] = filepath.Join(t.TempDir(), "event.json")
		if err := os.WriteFile(environ["GITHUB_EVENT_PATH"], []byte(event), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r, _ := newRunner(t, environ)
	return r.Context()
}

// TestBefore tells which pushes descend from what the branch was.
func TestBefore(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ event, want string }{
		"push":           {`{"before": "aaaa", "after": "3f2c", "forced": false}`, "aaaa"},
		"forced push":    {`{"before": "aaaa", "after": "3f2c", "forced": true}`, ""},
		"another commit": {`{"before": "aaaa", "after": "bbbb"}`, ""},
		"no push":        {`{"pull_request": {"head": {"sha": "3f2c"}}}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := contextOf(t, test.event).Before; got != test.want {
				t.Errorf("Before = %q, want %q", got, test.want)
			}
		})
	}
}

func TestContext(t *testing.T) {
	t.Parallel()
	got := contextOf(t, `{"repository": {"default_branch": "main"}}`)
	want := workflow.Context{
		Repository: "octo/hello", Owner: "octo", Name: "hello", RepositoryID: 42, DefaultBranch: "main",
		SHA: "3f2c", HeadSHA: "3f2c", Ref: "refs/heads/main", RefName: "main",
		RunID: 812, RunNumber: 7, Attempt: 2, Job: "deploy", Workflow: "Deploy",
		WorkflowRef: "octo/hello/.github/workflows/deploy.yml@refs/heads/main", WorkflowSHA: "aaaa",
		Actor: "octocat", TriggeringActor: "hubot", Event: "push",
		ServerURL: "https://ghe.example.com", APIURL: "https://ghe.example.com/api/v3",
		Workspace: "/github/workspace", TempDir: "/github/runner_temp", RetentionDays: 90,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Context() (-want +got):\n%s", diff)
	}
	if got, want := got.RunURL(), "https://ghe.example.com/octo/hello/actions/runs/812/attempts/2"; got != want {
		t.Errorf("RunURL() = %q, want %q", got, want)
	}
}

func TestContextOffARunner(t *testing.T) {
	t.Parallel()
	got := workflow.New(func(string) string { return "" }, &strings.Builder{}).Context()
	want := workflow.Context{ServerURL: "https://github.com", APIURL: "https://api.github.com"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Context() (-want +got):\n%s", diff)
	}
	if got := got.RunURL(); got != "" {
		t.Errorf("RunURL() = %q, want none", got)
	}
}

func TestHeadSHA(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ event, want string }{
		"pull request":        {`{"pull_request": {"head": {"sha": "9a9a"}}}`, "9a9a"},
		"workflow run":        {`{"workflow_run": {"head_sha": "8b8b"}}`, "8b8b"},
		"merge group":         {`{"merge_group": {"head_sha": "7c7c"}}`, "7c7c"},
		"push":                {`{"after": "3f2c"}`, "3f2c"},
		"no event":            {"", "3f2c"},
		"pull request target": {`{"action": "closed", "pull_request": {"head": {"sha": "9a9a"}, "base": {"sha": "3f2c"}, "merge_commit_sha": "6d6d"}}`, "9a9a"},
		"workflow dispatch":   {`{"inputs": {"app": "web", "head_sha": "eeee"}, "ref": "refs/heads/main"}`, "3f2c"},
		"schedule":            {`{"schedule": "0 4 * * *"}`, "3f2c"},
		"repository dispatch": {`{"action": "rollback", "client_payload": {"pull_request": {"head": {"sha": "eeee"}}}, "branch": "main"}`, "3f2c"},
		"an event cut off":    {`{"pull_request": {"head": {"sha": "9a`, "3f2c"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := contextOf(t, tt.event).HeadSHA; got != tt.want {
				t.Errorf("HeadSHA = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestPullRequest(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		event string
		want  *workflow.PullRequest
	}{
		"of this repository": {
			`{"action": "labeled", "label": {"name": "preview"}, "pull_request": {
				"number": 12, "state": "open", "draft": true, "labels": [{"name": "preview"}, {"name": "bug"}],
				"head": {"sha": "9a9a", "ref": "topic", "repo": {"full_name": "octo/hello"}},
				"base": {"ref": "main", "repo": {"full_name": "octo/hello"}}}}`,
			&workflow.PullRequest{
				Number: 12, HeadSHA: "9a9a", HeadRef: "topic", HeadRepo: "octo/hello", BaseRef: "main",
				Draft: true, State: "open", Labels: []string{"preview", "bug"}, Label: "preview",
			},
		},
		"of a fork": {
			`{"pull_request": {"number": 13,
				"head": {"repo": {"full_name": "mallory/hello"}}, "base": {"repo": {"full_name": "octo/hello"}}}}`,
			&workflow.PullRequest{Number: 13, HeadRepo: "mallory/hello", Fork: true},
		},
		"of a deleted repository": {
			`{"pull_request": {"number": 14, "merged": true, "state": "closed",
				"head": {"repo": null}, "base": {"repo": {"full_name": "octo/hello"}}}}`,
			&workflow.PullRequest{Number: 14, Fork: true, Merged: true, State: "closed"},
		},
		"none": {`{}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, contextOf(t, tt.event).PullRequest); diff != "" {
				t.Errorf("PullRequest (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEventThatCannotBeRead(t *testing.T) {
	t.Parallel()
	got := contextOf(t, `{"action": "ope`)
	if got.EventErr == nil || !strings.Contains(got.EventErr.Error(), "decoding the event") {
		t.Errorf("EventErr = %v, want one about decoding", got.EventErr)
	}
	if got.RunID != 812 || got.HeadSHA != "3f2c" {
		t.Errorf("RunID, HeadSHA = %d, %q, want what the environment says", got.RunID, got.HeadSHA)
	}
}

func TestEventIsReadOnceAndLate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "event.json")
	r, _ := newRunner(t, map[string]string{"GITHUB_EVENT_PATH": path})
	for _, action := range []string{"opened", "closed"} {
		if err := os.WriteFile(path, []byte(`{"action": "`+action+`"}`), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := r.Context().Action; got != "opened" {
			t.Errorf("Action = %q, want %q", got, "opened")
		}
	}
}
