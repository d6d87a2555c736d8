package app_test

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/app"
	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

const (
	commit  = "3f2c0000000000000000000000000000000000aa"
	oneRun  = 42
	journal = "deploy-action-42-1.journal"

	stepToken = "ghs_0123456789abcdef"
)

// job is the part of a runner that the action touches, without the container.
type job struct {
	github                         *githubfake.Fake
	workspace, temp, output, pages string

	inputs []string // INPUT_NAME=value, over those of every job
}

// newJob makes a job whose workspace has the given waypoint.hcl.
func newJob(t *testing.T, file string) *job {
	t.Helper()
	github, err := githubfake.New(githubfake.Options{Repository: "acme/shop"})
	if err != nil {
		t.Fatal(err)
	}
	github.AddRun(githubfake.Run{ID: oneRun, HeadSHA: commit})
	folder := t.TempDir()
	j := &job{
		github: github, workspace: filepath.Join(folder, "workspace"), temp: filepath.Join(folder, "temp"),
		output: filepath.Join(folder, "output"), pages: filepath.Join(folder, "summary"),
	}
	for _, dir := range []string{j.workspace, j.temp} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(j.workspace, "waypoint.hcl"), []byte(file), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if broken := github.Violations(); len(broken) > 0 {
			t.Errorf("the calls of GitHub break its API description:\n%s", strings.Join(broken, "\n"))
		}
	})
	return j
}

// run runs the program under a name and returns its exit status and log.
func (j *job) run(t *testing.T, name string) (status int, log string) {
	t.Helper()
	var out bytes.Buffer
	status = app.Main(t.Context(), app.Sys{
		Args: []string{name}, Dir: j.workspace, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out,
		HTTP: &http.Client{Transport: j.github}, Environ: append(append(j.environ(), "INPUT_COMMAND=up"), j.inputs...),
	})
	return status, out.String()
}

// environ is the environment of the step.
func (j *job) environ() []string {
	return []string{
		"GITHUB_ACTIONS=true", "GITHUB_REPOSITORY=acme/shop", "GITHUB_SHA=" + commit, "GITHUB_REF_NAME=main",
		"GITHUB_RUN_ID=" + strconv.Itoa(oneRun), "GITHUB_RUN_ATTEMPT=1", "GITHUB_WORKSPACE=" + j.workspace,
		"GITHUB_API_URL=https://api.example.test", "GITHUB_SERVER_URL=https://example.test",
		"GITHUB_OUTPUT=" + j.output, "GITHUB_STEP_SUMMARY=" + j.pages, "GITHUB_STATE=" + filepath.Join(j.temp, "state"),
		"ACTIONS_RESULTS_URL=https://results.example.test", "ACTIONS_RUNTIME_TOKEN=" + j.github.Token(oneRun, "deploy"),
		"INPUT_GITHUB-TOKEN=" + stepToken, "INPUT_STATE=auto", "PATH=/usr/bin:/bin",
	}
}

// outputs returns the outputs of the step. What differs from run to run is
// replaced.
func (j *job) outputs(t *testing.T) map[string]string {
	t.Helper()
	content, err := os.ReadFile(j.output)
	if err != nil {
		t.Fatal(err)
	}
	outputs := map[string]string{}
	lines := strings.Split(string(content), "\n")
	for len(lines) > 1 {
		name, delimiter, _ := strings.Cut(lines[0], "<<")
		end := slices.Index(lines[1:], delimiter) + 1
		outputs[name] = regexp.MustCompile(`-[a-z2-7]{10}\b`).ReplaceAllString(strings.Join(lines[1:end], "\n"), "-ID")
		lines = lines[end+1:]
	}
	return outputs
}

// told returns the commit statuses, oldest first.
func (j *job) told() []string {
	var told []string
	for _, s := range j.github.Statuses() {
		told = append(told, s.Context+": "+s.State)
	}
	return told
}

// refuse answers requests whose path ends so with a status.
func refuse(path string, status int) func(*http.Request) *githubfake.Refusal {
	return func(r *http.Request) *githubfake.Refusal {
		if !strings.HasSuffix(r.URL.Path, path) {
			return nil
		}
		return &githubfake.Refusal{Status: status, Body: `{"message":"Bad credentials"}`}
	}
}

func TestAction(t *testing.T) {
	t.Parallel()
	deployed := func(name string) string {
		return "app \"" + name + "\" {\n  build {\n    use \"null\" {}\n  }\n  deploy {\n    use \"null\" {}\n  }\n}\n"
	}
	cases := map[string]struct {
		file string
		want map[string]string
	}{
		"one app": {
			file: "project = \"shop\"\n" + deployed("web"),
			want: map[string]string{
				"outcome": "changed", "deployment-id": "web-ID", "sequence": "1", "state-artifact-id": "6",
				"result": `{"app":"web","workspace":"default","outcome":"changed","deployment_id":"web-ID","sequence":1}`,
			},
		},
		"two apps": {
			file: "project = \"shop\"\n" + deployed("web") + deployed("worker"),
			want: map[string]string{
				"outcome": `{"web":"changed","worker":"changed"}`, "deployment-id": `{"web":"web-ID","worker":"worker-ID"}`,
				"sequence": `{"web":1,"worker":1}`, "state-artifact-id": `{"web":10,"worker":12}`,
				"result": `{"web":{"app":"web","workspace":"default","outcome":"changed","deployment_id":"web-ID","sequence":1},` +
					`"worker":{"app":"worker","workspace":"default","outcome":"changed","deployment_id":"worker-ID","sequence":1}}`,
			},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := newJob(t, c.file)
			if status, log := j.run(t, "deploy-action"); status != 0 {
				t.Fatalf("exit status %d\n%s", status, log)
			}
			if diff := cmp.Diff(c.want, j.outputs(t)); diff != "" {
				t.Errorf("outputs (-want +got):\n%s", diff)
			}
			before := len(j.github.Calls())
			if status, log := j.run(t, "deploy-action-post"); status != 0 || len(j.github.Calls()) != before {
				t.Errorf("the post step ended with %d and asked GitHub for %v\n%s", status, j.github.Calls()[before:], log)
			}
		})
	}
}

// A main step that was killed left a journal and a pending commit status.
func TestPostAfterKill(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	record := func(app, operation string, minute int, status state.Status) state.Record {
		at := began.Add(time.Duration(minute) * time.Minute)
		return state.Record{
			Schema: state.Schema, ID: state.NewID(at), Project: "shop", App: app, Workspace: "default",
			Operation: operation, Status: status, Started: at, Sequence: 1, Origin: state.Origin{Run: oneRun, Attempt: 1},
		}
	}
	cases := map[string]struct {
		left []state.Record
		want []string
	}{
		"while it deployed": {
			left: []state.Record{record("web", "build", 1, state.Succeeded), record("web", "deploy", 2, state.Running)},
			want: []string{"deploy-action/web (default): error"},
		},
		"between two stages": {
			left: []state.Record{record("web", "build", 1, state.Succeeded)},
			want: []string{"deploy-action/web (default): error"},
		},
		"after the release of one of two apps": {
			left: []state.Record{record("web", "release", 1, state.Succeeded), record("worker", "deploy", 2, state.Failed)},
			want: []string{"deploy-action/web (default): success", "deploy-action/worker (default): failure"},
		},
		"after it put back what had failed": {
			left: []state.Record{record("web", "deploy", 1, state.Failed), record("web", "release", 2, state.Succeeded)},
			want: []string{"deploy-action/web (default): failure"},
		},
		"before it did anything": {},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := newJob(t, `project = "shop"`)
			records, err := state.OpenJournal(filepath.Join(j.temp, journal), nil)
			if err != nil {
				t.Fatal(err)
			}
			apps := map[string]bool{}
			for _, r := range c.left {
				if err := records.Append(r); err != nil {
					t.Fatal(err)
				}
				apps[r.App] = true
			}
			if err := records.Close(); err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second one finds nothing to do
				if status, log := j.run(t, "deploy-action-post"); status != 0 {
					t.Fatalf("exit status %d\n%s", status, log)
				}
			}
			if diff := cmp.Diff(c.want, j.told()); diff != "" {
				t.Errorf("commit statuses (-want +got):\n%s", diff)
			}
			if got := len(j.github.Artifacts()); got != len(apps) {
				t.Errorf("%d artifacts were uploaded, want %d", got, len(apps))
			}
		})
	}
}
