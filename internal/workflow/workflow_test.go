package workflow_test

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/workflow"
)

// newRunner returns a runner in a job, and what it writes.
func newRunner(t *testing.T, environ map[string]string) (*workflow.Runner, *strings.Builder) {
	t.Helper()
	all := map[string]string{
		"GITHUB_ACTIONS":      "true",
		"GITHUB_WORKSPACE":    "/github/workspace",
		"GITHUB_OUTPUT":       filepath.Join(t.TempDir(), "output"),
		"GITHUB_STEP_SUMMARY": filepath.Join(t.TempDir(), "summary"),
	}
	maps.Copy(all, environ)
	var out strings.Builder
	return workflow.New(func(name string) string { return all[name] }, &out), &out
}

func TestInput(t *testing.T) {
	t.Parallel()
	r, _ := newRunner(t, map[string]string{
		"INPUT_COMMAND":      "  up\n",
		"INPUT_GITHUB-TOKEN": "dash",
		"INPUT_MY_INPUT":     "space",
		"INPUT_FLAGS":        "--app=web\n\n  --yes  \r\n",
	})
	for name, want := range map[string]string{
		"command":      "up",
		"github-token": "dash",
		"my input":     "space",
		"absent":       "",
	} {
		if got := r.Input(name); got != want {
			t.Errorf("Input(%q) = %q, want %q", name, got, want)
		}
	}
	if diff := cmp.Diff([]string{"--app=web", "--yes"}, r.InputList("flags")); diff != "" {
		t.Errorf("InputList (-want +got):\n%s", diff)
	}
	if got := r.InputList("absent"); got != nil {
		t.Errorf("InputList of an absent input = %q, want none", got)
	}
}

func TestCommands(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		do   func(*workflow.Runner)
		want string
	}{
		"mask": {
			func(r *workflow.Runner) { r.Mask("100% secret") },
			"::add-mask::100%25 secret\n",
		},
		"mask of several lines": {
			func(r *workflow.Runner) { r.Mask("{\n  \"key\": \"value\"\r\n}\nabc\nabcd") },
			"::add-mask::\"key\": \"value\"\n::add-mask::abcd\n",
		},
		"group": {
			func(r *workflow.Runner) {
				end := r.Group("web:\nbuild")
				end()
				end()
			},
			"::group::web: build\n::endgroup::\n",
		},
		"group inside a group": {
			func(r *workflow.Runner) {
				endOuter := r.Group("outer")
				endInner := r.Group("inner")
				endOuter()
				endInner()
			},
			"::group::outer\n::endgroup::\n::group::inner\n::endgroup::\n",
		},
		"print": {
			func(r *workflow.Runner) { r.Print("a\n::error::b\n") },
			"a\n\\::error::b\n",
		},
		"print of an empty line": {
			func(r *workflow.Runner) { r.Print("") },
			"\n",
		},
		"notice": {
			func(r *workflow.Runner) { r.Notice("line\nline") },
			"::notice::line%0Aline\n",
		},
		"warning": {
			func(r *workflow.Runner) { r.Warning("::error::no command inside a command") },
			"::warning::::error::no command inside a command\n",
		},
		"debug": {
			func(r *workflow.Runner) { r.LogDebug("a\nb") },
			"::debug::a%0Ab\n",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, out := newRunner(t, nil)
			tt.do(r)
			if diff := cmp.Diff(tt.want, out.String()); diff != "" {
				t.Errorf("commands (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOffARunnerNothingIsWritten(t *testing.T) {
	t.Parallel()
	r, out := newRunner(t, map[string]string{"GITHUB_ACTIONS": ""})
	r.Mask("correct-horse")
	r.Group("group")()
	r.Print("text")
	r.Warning("text")
	r.LogDebug("text")
	if err := r.SetOutput("=", "a bad name goes unnoticed"); err != nil {
		t.Errorf("SetOutput = %v, want nil", err)
	}
	if err := r.AppendSummary("text"); err != nil {
		t.Errorf("AppendSummary = %v, want nil", err)
	}
	if got := out.String(); got != "" {
		t.Errorf("wrote %q, want nothing", got)
	}
	if r.Active() {
		t.Error("Active() = true, want false")
	}
}

func TestSecretsAreMaskedInWhatIsWritten(t *testing.T) {
	t.Parallel()
	r, out := newRunner(t, nil)
	r.Secrets = &secret.Set{}
	r.Secrets.Add("correct-horse")
	r.Print("correct-horse")
	r.Group("correct-horse")
	r.Notice("correct-horse")
	r.LogDebug("correct-horse")
	want := "***\n::group::***\n::notice::***\n::debug::***\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}
