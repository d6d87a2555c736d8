package app_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/state/runstore"
	"github.com/deploy-action/deploy-action/internal/workflow"
)

// touchingApp leaves a file when a platform is touched.
const touchingApp = `project = "shop"

app "web" {
  build {
    use "null" {}
  }
  deploy {
    use "exec" {
      command = ["sh", "-c", "echo made >> made"]
    }
  }
}
`

// A job whose journal cannot be written does nothing at all.
func TestJournalThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		spoil func(j *job) error
		says  string
	}{
		"something else has its name": {
			func(j *job) error { return os.Mkdir(filepath.Join(j.temp, journal), 0o700) }, journal,
		},
		"somebody else has written to it": {
			func(j *job) error {
				return os.WriteFile(filepath.Join(j.temp, journal), []byte("nothing of ours\n"), 0o600)
			}, "reading journal",
		},
		"its folder is gone": {
			func(j *job) error { return os.Remove(j.temp) }, "No place for the journal",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := newJob(t, touchingApp)
			if err := c.spoil(j); err != nil {
				t.Fatal(err)
			}
			status, log := j.run(t, "deploy-action")
			if status == 0 || !strings.Contains(log, c.says) {
				t.Errorf("exit status %d, want a failure that says %q\n%s", status, c.says, log)
			}
			if calls := j.github.Calls(); len(calls) != 0 {
				t.Errorf("GitHub was asked %v", calls)
			}
			if _, err := os.Stat(filepath.Join(j.workspace, "made")); err == nil {
				t.Error("the platform was touched")
			}
		})
	}
}

// A disk that is full before any record, or in the middle of one: the step fails
// and says why, what was written is kept, and a platform is touched only for a
// deployment that somebody can find.
func TestFullDiskInAJob(t *testing.T) {
	t.Parallel()
	whole := 0
	for limit := 1; whole == 0 && limit < 20_000; limit += 350 {
		j := newJob(t, touchingApp)
		server := httptest.NewServer(j.github)
		t.Cleanup(server.Close)
		status, log := j.program(t, server.URL, "deploy-action", limit)
		touched, err := os.ReadFile(filepath.Join(j.workspace, "made"))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		if status == 0 {
			whole = limit
		} else if status != 1 || !strings.Contains(log, "No room on the disk") || !strings.Contains(log, "Make room there") {
			t.Errorf("files of %d bytes: exit status %d, want 1 and what to do\n%s", limit, status, log)
		}
		intents := len(j.github.Deployments())
		if len(touched) > 0 && intents != 1 {
			t.Errorf("files of %d bytes: the platform was touched, and GitHub knows of %d Deployments\n%s", limit, intents, log)
		}
		if status, log := j.program(t, server.URL, "deploy-action-post", 0); status != 0 {
			t.Errorf("files of %d bytes: the post step ended with %d\n%s", limit, status, log)
		}
		if found := j.deploys(t); len(found) != intents || len(touched) > 0 && found[0] == state.Destroyed {
			t.Errorf("files of %d bytes: the next run finds deploys %v, want %d", limit, found, intents)
		}
		if kept := j.deploys(t); whole > 0 && !cmp.Equal(kept, []state.Status{state.Succeeded}) {
			t.Errorf("with room enough the next run finds %v", kept)
		}
	}
	if whole < 1000 {
		t.Errorf("an up went well with files of %d bytes: no limit was met", whole)
	}
}

// program runs the program as a process whose files are limited, or not by 0.
func (j *job) program(t *testing.T, address, name string, limit int) (status int, log string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), runLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Args[0] = name
	cmd.Dir = j.workspace
	cmd.Env = append(j.environ(), "INPUT_COMMAND=up", "GITHUB_API_URL="+address, "ACTIONS_RESULTS_URL="+address, "TMPDIR="+t.TempDir(), "RUNNER_TEMP="+j.temp)
	if limit > 0 {
		cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%d", limitVariable, limit))
	}
	out, err := cmd.CombinedOutput()
	if exit, ended := errors.AsType[*exec.ExitError](err); ended {
		return exit.ExitCode(), string(out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0, string(out)
}

// deploys returns how far the deploys are that the next run finds.
func (j *job) deploys(t *testing.T) (found []state.Status) {
	t.Helper()
	server := httptest.NewServer(j.github)
	defer server.Close()
	client, err := github.New(github.Options{API: server.URL, Repository: "acme/shop", Token: stepToken, HTTP: server.Client()})
	if err != nil {
		t.Fatal(err)
	}
	run := workflow.Context{Repository: "acme/shop", RunID: oneRun + 1, Attempt: 1, RefName: "main", DefaultBranch: "main", HeadSHA: commit}
	s, err := runstore.Open(runstore.Options{
		Client: client, Journal: filepath.Join(t.TempDir(), "journal"), Secrets: new(secret.Set), Run: run,
		Project: "shop", Apps: []string{"web"}, Workspace: "default",
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for r, err := range s.List(t.Context(), state.Query{Operation: "deploy"}) {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, r.Status)
	}
	return found
}
