package exec_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
	"github.com/hashicorp/hcl/v2/hclparse"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/plugin/exec"
	"github.com/deploy-action/deploy-action/internal/testkit/plugintest"
)

// screen is a user interface that keeps the output of steps.
type screen struct{ bytes.Buffer }

// Step implements [component.Progress].
func (s *screen) Step(ctx context.Context, _ string, fn func(context.Context, component.Step) error) error {
	return fn(ctx, step{&s.Buffer})
}

// step sends its output to out.
type step struct{ out io.Writer }

func (step) Update(string, ...any) {}
func (s step) Output() io.Writer   { return s.out }

// trial is one app folder and the platform under test.
type trial struct {
	screen   screen
	folder   string
	platform component.AnyPlatform
	request  component.DeployRequest[artifact.Artifact]
}

// newTrial opens the platform on body, for an app of the given files. Progress
// goes to trial.screen, or to the one given.
func newTrial(t *testing.T, body string, files map[string]string, progress ...component.Progress) *trial {
	t.Helper()
	tr := &trial{folder: t.TempDir()}
	progress = append(progress, &tr.screen)
	for name, content := range files {
		path := filepath.Join(tr.folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	file, diags := hclparse.NewParser().ParseHCL([]byte(body), "waypoint.hcl")
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	host := component.Host{
		Progress: progress[0],
		TempDir:  t.TempDir(),
		Environ:  func() []string { return []string{"PATH=/usr/bin:/bin", "ALLOWED=yes"} },
	}
	platform, diags, err := exec.Plugin.Platform.Open(host, func(into any) hcl.Diagnostics {
		return gohcl.DecodeBody(file.Body, nil, into)
	})
	if err != nil || diags.HasErrors() {
		t.Fatalf("Open: %v, %v", err, diags)
	}
	tr.platform = platform
	tr.request.Artifact = artifact.Image{Repository: "example.com/web", Tag: "v1", Digest: "sha256:abc"}
	tr.request.App = component.App{Project: "shop", Name: "web", Workspace: "default", Path: tr.folder}
	tr.request.ID = "web-a"
	tr.request.Env = map[string]component.Setting{"GREETING": {Text: "hello"}}
	return tr
}

func TestDeployRunsTheCommand(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		body  string
		files map[string]string
		want  string
	}{
		"input":          {body: `command = ["echo", "{{.Input.DockerImageFull}} {{.Input.DockerImageName}} {{.Input.DockerImageTag}}"]`, want: "example.com/web:v1@sha256:abc example.com/web v1\n"},
		"artifact":       {body: `command = ["echo", "{{.Input.digest}}"]`, want: "sha256:abc\n"},
		"app":            {body: `command = ["echo", "{{.Project}}/{{.App}}/{{.Workspace}}/{{.ID}}"]`, want: "shop/web/default/web-a\n"},
		"env":            {body: `command = ["echo", "{{.Env.GREETING}}{{if .Env.MISSING}} never{{end}}"]`, want: "hello\n"},
		"environment":    {body: `command = ["sh", "-c", "echo $ALLOWED$GREETING"]`, want: "yes\n"},
		"both streams":   {body: `command = ["sh", "-c", "echo out; echo err >&2"]`, want: "out\nerr\n"},
		"relative":       {body: `command = ["./tool"]`, files: map[string]string{"tool": "#!/bin/sh\necho tool"}, want: "tool\n"},
		"dir":            {body: "dir = \"sub\"\ncommand = [\"cat\", \"file\"]", files: map[string]string{"sub/file": "in sub"}, want: "in sub"},
		"template":       {body: "command = [\"cat\", \"<TPL>\"]\ntemplate {\n path = \"a.tpl\"\n}", files: map[string]string{"a.tpl": "say {{.Env.GREETING}}"}, want: "say hello"},
		"tree":           {body: "command = [\"cat\", \"<TPL>/b/c\"]\ntemplate {\n path = \"a\"\n}", files: map[string]string{"a/b/c": "{{.App}}"}, want: "web"},
		"no shell words": {body: `command = ["echo", "$HOME; ls"]`, want: "$HOME; ls\n"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTrial(t, c.body, c.files)
			plan, err := tr.platform.Plan(t.Context(), tr.request)
			if err != nil || len(plan.Changes) != 1 {
				t.Errorf("Plan() = %v, %v, want one change", plan, err)
			}
			if got := tr.screen.String(); got != "" {
				t.Errorf("planning ran the command: it wrote %q", got)
			}
			deployment, err := tr.platform.Deploy(t.Context(), tr.request)
			if diff := cmp.Diff(component.Deployment(exec.Deployment{ID: "web-a"}), deployment); err != nil || diff != "" {
				t.Errorf("Deploy() error %v (-want +got):\n%s", err, diff)
			}
			if got := tr.screen.String(); got != c.want {
				t.Errorf("the command wrote %q, want %q", got, c.want)
			}
		})
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		body    string
		files   map[string]string
		summary string
		attr    string
		detail  string // a part of it
		late    bool   // found by Deploy only, which then returns a deployment
	}{
		"empty":            {body: `command = []`, summary: "No command to run", attr: "command", detail: "first element"},
		"unknown":          {body: `command = ["nosuchtool"]`, summary: `Command "nosuchtool" not found`, attr: "command", detail: `search path "/usr/bin:/bin"`},
		"absent path":      {body: `command = ["./nosuchtool"]`, summary: `Command "./nosuchtool" not found`, attr: "command", detail: "setup"},
		"a folder":         {body: `command = ["./sub"]`, files: map[string]string{"sub/x": ""}, summary: `Command "./sub" not found`, attr: "command"},
		"bad element":      {body: `command = ["echo", "{{.Nonsense}}"]`, summary: "Malformed template", attr: "command"},
		"bad template":     {body: "command = [\"true\"]\ntemplate {\n path = \"a\"\n}", files: map[string]string{"a": "{{"}, summary: "Template cannot be rendered", attr: "template.path"},
		"missing template": {body: "command = [\"true\"]\ntemplate {\n path = \"a\"\n}", summary: "Template cannot be rendered", attr: "template.path"},
		"failure":          {body: `command = ["sh", "-c", "echo the reason; exit 3"]`, summary: "Command failed", attr: "command", detail: "exit status 3. A deploy succeeds when its command ends with status 0.\n\nThe last it wrote:\n  the reason", late: true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTrial(t, c.body, c.files)
			_, err := tr.platform.Plan(t.Context(), tr.request)
			if c.late != (err == nil) {
				t.Errorf("Plan() = %v, want an error: %t", err, !c.late)
			}
			deployment, err := tr.platform.Deploy(t.Context(), tr.request)
			problem, ok := errors.AsType[*diag.Problem](err)
			if !ok || problem.Summary != c.summary || problem.Attr != c.attr || !strings.Contains(problem.Detail, c.detail) {
				t.Errorf("Deploy() = %#v, want %q at %q with %q", err, c.summary, c.attr, c.detail)
			}
			if c.late != (deployment != nil) {
				t.Errorf("Deploy() made %v, want a deployment: %t", deployment, c.late)
			}
		})
	}
}

func TestFilesAreRefused(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, `command = ["true"]`, nil)
	tr.request.Files = map[string]component.Setting{"/etc/app.conf": {}}
	if _, err := tr.platform.Plan(t.Context(), tr.request); err == nil {
		t.Error("Plan() with files succeeded, want a problem")
	}
}

// cancelling is a screen that cancels when something is written to it, which
// is when the command runs.
type cancelling struct{ cancel context.CancelFunc }

// Step implements [component.Progress].
func (c cancelling) Step(ctx context.Context, _ string, fn func(context.Context, component.Step) error) error {
	return fn(ctx, step{c})
}

// Write implements [io.Writer].
func (c cancelling) Write(p []byte) (int, error) {
	c.cancel()
	return len(p), nil
}

func TestCancelledCommandStopsWithItsChildren(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	tr := newTrial(t, `command = ["sh", "-c", "sleep 1000 & echo $! >child; echo started; wait"]`, nil, cancelling{cancel})
	deployment, err := tr.platform.Deploy(ctx, tr.request)
	if !errors.Is(err, context.Canceled) || deployment == nil {
		t.Errorf("Deploy() = %v, %v, want a deployment and context.Canceled", deployment, err)
	}
	pid, err := os.ReadFile(filepath.Join(tr.folder, "child"))
	if err != nil {
		t.Fatal(err)
	}
	// A killed orphan stays a zombie until init collects it: it has no command line.
	line, err := os.ReadFile(filepath.Join("/proc", strings.TrimSpace(string(pid)), "cmdline"))
	if err == nil && len(line) > 0 {
		t.Errorf("process %s still runs %q", pid, line)
	}
}

func TestPlatform(t *testing.T) {
	t.Parallel()
	plugintest.Platform(t, plugintest.PlatformCase{
		Plugin: exec.Plugin,
		New: func(*testing.T, *plugintest.Calls) plugintest.World {
			return plugintest.World{
				Host:     component.Host{Environ: func() []string { return []string{"PATH=/usr/bin:/bin"} }},
				Config:   `command = ["true", "{{ .Env.PLUGINTEST_SECRET }}"]`,
				Artifact: artifact.None{},
			}
		},
		RealTime: true,
	})
}

func TestStatusAndDestroy(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, `command = ["true"]`, nil)
	target := component.Target[component.Deployment]{ID: "web-a", Deployment: exec.Deployment{ID: "web-a"}}
	health, err := tr.platform.Status(t.Context(), target)
	if err != nil || health.State != component.Unknown {
		t.Errorf("Status() = %v, %v, want unknown", health, err)
	}
	for range 2 {
		if err := tr.platform.Destroy(t.Context(), target); err != nil {
			t.Errorf("Destroy() = %v", err)
		}
	}
	if got := tr.screen.String(); !strings.Contains(got, `"web-a" was deployed by a command`) {
		t.Errorf("Destroy() said %q, want that something stays", got)
	}
}
