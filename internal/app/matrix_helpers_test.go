package app_test

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/deploy-action/deploy-action/internal/app"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/plugin/null"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// monorepo is a repository with many apps, each in a folder of its own below
// apps, and GitHub with its history.
type monorepo struct {
	github *githubfake.Fake
	dir    string            // checked out
	temp   string            // with a folder for each job
	files  map[string]string // of the last commit
	head   string            // the last commit
	runs   int64
}

// newMonorepo makes a repository whose file has these app blocks, by name.
func newMonorepo(t *testing.T, apps map[string]string) *monorepo {
	t.Helper()
	fake, err := githubfake.New(githubfake.Options{Repository: "acme/mono", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	m := &monorepo{github: fake, dir: t.TempDir(), temp: t.TempDir(), files: map[string]string{}}
	t.Cleanup(func() {
		if broken := fake.Violations(); len(broken) > 0 {
			t.Errorf("the calls of GitHub break its API description:\n%s", strings.Join(broken, "\n"))
		}
	})
	m.commit(t, map[string]string{"waypoint.hcl": monorepoFile(apps)})
	return m
}

// monorepoFile is a waypoint.hcl of apps, by what else their blocks say.
func monorepoFile(apps map[string]string) string {
	var file strings.Builder
	file.WriteString("project = \"mono\"\n")
	for _, name := range slices.Sorted(maps.Keys(apps)) {
		fmt.Fprintf(&file, "app %q {\n path = \"apps/%s\"\n %s\n build {\n use \"null\" {}\n }\n deploy {\n use \"null\" {}\n }\n}\n", name, name, apps[name])
	}
	return file.String()
}

// commit changes files, or removes those without content, and pushes it.
func (m *monorepo) commit(t *testing.T, files map[string]string) {
	t.Helper()
	maps.Copy(m.files, files)
	maps.DeleteFunc(m.files, func(_, content string) bool { return content == "" })
	var parents []string
	if m.head != "" {
		parents = append(parents, m.head)
	}
	m.head = m.github.AddFiles(fmt.Sprintf("change of %d files", len(files)), m.files, parents...)
	for name, content := range files {
		path := filepath.Join(m.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// start begins a run of the last commit.
func (m *monorepo) start() int64 {
	m.runs++
	id := 5000 + m.runs
	m.github.AddRun(githubfake.Run{ID: id, HeadSHA: m.head})
	return id
}

// end ends a run.
func (m *monorepo) end(run int64) {
	m.github.AddRun(githubfake.Run{ID: run, HeadSHA: m.head, Status: "completed", Conclusion: "success"})
}

// worked is what a job came to.
type worked struct {
	status       int
	log, summary string
	outputs      map[string]string
}

// job runs one step as a job of a run.
func (m *monorepo) job(t *testing.T, run int64, name, verb string, inputs ...string) worked {
	t.Helper()
	temp := filepath.Join(m.temp, fmt.Sprint(run), name) // the steps of a job share it
	if err := os.MkdirAll(temp, 0o755); err != nil {
		t.Fatal(err)
	}
	environ := []string{
		"GITHUB_ACTIONS=true", "GITHUB_REPOSITORY=acme/mono", "GITHUB_SHA=" + m.head, "GITHUB_REF_NAME=main", "GITHUB_EVENT_NAME=push",
		"GITHUB_EVENT_PATH=" + filepath.Join(temp, "event.json"), "GITHUB_ACTOR=octocat", "GITHUB_JOB=" + name,
		"GITHUB_RUN_ID=" + strconv.FormatInt(run, 10), "GITHUB_RUN_ATTEMPT=1", "GITHUB_WORKSPACE=" + m.dir,
		"GITHUB_API_URL=https://api.example.test", "GITHUB_SERVER_URL=https://example.test",
		"GITHUB_OUTPUT=" + filepath.Join(temp, "output"), "GITHUB_STEP_SUMMARY=" + filepath.Join(temp, "summary"), "GITHUB_STATE=" + filepath.Join(temp, "state"),
		"ACTIONS_RESULTS_URL=https://results.example.test", "ACTIONS_RUNTIME_TOKEN=" + m.github.Token(run, name),
		"INPUT_GITHUB-TOKEN=ghs_0123456789abcdef", "INPUT_STATE=auto", "PATH=/usr/bin:/bin", "INPUT_COMMAND=" + verb, "INPUT_WORKSPACE=production",
	}
	for file, content := range map[string]string{"event.json": `{"repository":{"default_branch":"main"}}`, "output": "", "summary": "", "state": ""} {
		if err := os.WriteFile(filepath.Join(temp, file), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	got := worked{outputs: map[string]string{}}
	got.status = app.Main(t.Context(), app.Sys{
		Args: []string{"deploy-action"}, Dir: m.dir, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out,
		HTTP: &http.Client{Transport: m.github}, Environ: append(environ, inputs...), Plugins: []component.Plugin{null.Plugin},
	})
	got.log = out.String()
	got.summary = textOf(t, filepath.Join(temp, "summary"))
	lines := strings.Split(textOf(t, filepath.Join(temp, "output")), "\n")
	for i, line := range lines {
		if name, _, ok := strings.Cut(line, "<<"); ok && i+1 < len(lines) {
			got.outputs[name] = lines[i+1]
		}
	}
	return got
}

// succeeds is job for one that must go well.
func (m *monorepo) succeeds(t *testing.T, run int64, name, verb string, inputs ...string) worked {
	t.Helper()
	got := m.job(t, run, name, verb, inputs...)
	if got.status != 0 {
		t.Fatalf("%s of %s: exit status %d\n%s", verb, name, got.status, got.log)
	}
	return got
}

// deploys runs one job for each of the apps, and ends the run.
func (m *monorepo) deploys(t *testing.T, apps ...string) {
	t.Helper()
	run := m.start()
	for _, name := range apps {
		m.succeeds(t, run, "deploy-"+name, "up", "INPUT_APP="+name)
	}
	m.end(run)
}

// changed returns the output matrix of a run of its own, and the log.
func (m *monorepo) changed(t *testing.T, inputs ...string) (output, log string) {
	t.Helper()
	run := m.start()
	got := m.succeeds(t, run, "matrix", "matrix", inputs...)
	m.end(run)
	return got.outputs["matrix"], got.log
}

func textOf(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
