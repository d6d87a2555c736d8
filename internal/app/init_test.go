package app_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	gogit "github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing/object"
	yaml "github.com/zclconf/go-cty-yaml"
	"golang.org/x/tools/txtar"

	"github.com/deploy-action/deploy-action/internal/app"
	"github.com/deploy-action/deploy-action/internal/starter"
)

// Every waypoint.hcl that init proposes is valid at once and formatted, and
// every workflow is YAML.
func TestProposalsAreValid(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("../starter/testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no repositories in ../starter/testdata: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			for _, f := range archive.Files {
				_, name, _ := strings.Cut(f.Name, "/")
				if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, name), f.Data, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			commitTo(t, dir)
			for _, words := range [][]string{{"validate"}, {"fmt", "--check", "--diff"}} {
				if status, log := runIn(t, dir, words...); status != 0 {
					t.Errorf("%v: exit status %d\n%s", words, status, log)
				}
			}
			if workflow, err := os.ReadFile(filepath.Join(dir, starter.WorkflowPath)); err == nil {
				if _, err := yaml.Standard.ImpliedType(workflow); err != nil {
					t.Errorf("the workflow is no YAML: %v\n%s", err, workflow)
				}
			}
		})
	}
}

// commitTo makes a repository of a folder, with an empty commit for functions
// that ask for one.
func commitTo(t *testing.T, dir string) {
	t.Helper()
	repository, err := gogit.PlainInit(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := repository.Worktree()
	if err != nil {
		t.Fatal(err)
	}
	author := &object.Signature{Name: "tester", Email: "tester@example.com"}
	if _, err := tree.Commit("first", &gogit.CommitOptions{AllowEmptyCommits: true, Author: author}); err != nil {
		t.Fatal(err)
	}
}

// runIn runs the program in a folder and returns its exit status and log.
func runIn(t *testing.T, dir string, words ...string) (status int, log string) {
	t.Helper()
	var out bytes.Buffer
	status = app.Main(t.Context(), app.Sys{
		Args: append([]string{"deploy-action"}, words...), Dir: dir,
		Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out,
	})
	return status, out.String()
}

// The workflow goes to the root of the repository, and names the folder of
// waypoint.hcl.
func TestWorkflowOfAFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	commitTo(t, dir)
	folder := filepath.Join(dir, "services", "shop")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "go.mod"), []byte("module shop\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "main.go"), []byte("package main\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if status, log := runIn(t, folder, "init", "--workflow"); status != 0 {
		t.Fatalf("init: exit status %d\n%s", status, log)
	}
	workflow, err := os.ReadFile(filepath.Join(dir, starter.WorkflowPath))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"dir: services/shop\n", "go-version-file: services/shop/go.mod\n", "working-directory: services/shop\n"} {
		if !strings.Contains(string(workflow), want) {
			t.Errorf("the workflow lacks %q:\n%s", want, workflow)
		}
	}
}
