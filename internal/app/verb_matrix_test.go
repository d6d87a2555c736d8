package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	gogit "github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/deploy-action/deploy-action/internal/matrix"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

func TestMatrixOfChanges(t *testing.T) {
	t.Parallel()
	m := newMonorepo(t, map[string]string{
		"api": `depends_on = ["lib"]`, "lib": "", "web": `watch = ["**", "../../shared/**"]`, "docs": `depends_on = ["api"]`,
	})
	if got, log := m.changed(t); strings.Count(got, `"app"`) != 4 || !strings.Contains(log, "no release of it is known") {
		t.Fatalf("before anything is deployed the matrix is %s, want all apps\n%s", got, log)
	}
	m.deploys(t, "lib", "api", "web", "docs")
	if got, _ := m.changed(t); got != `{"include":[]}` {
		t.Errorf("with everything deployed the matrix is %s", got)
	}
	for name, test := range map[string]struct{ file, want string }{
		"its own folder": {"apps/api/main.go", `{"include":[{"app":"api","workspace":"production","level":0}]}`},
		"nobody's":       {"README.md", `{"include":[]}`},
		"watched":        {"shared/log.go", `{"include":[{"app":"web","workspace":"production","level":0}]}`},
	} {
		before := m.head
		m.commit(t, map[string]string{test.file: "package x"})
		got, log := m.changed(t)
		if got != test.want {
			t.Errorf("%s: the matrix is %s, want %s\n%s", name, got, test.want, log)
		}
		m.commit(t, map[string]string{test.file: ""})
		m.head = before
	}
	m.commit(t, map[string]string{"waypoint.hcl": m.files["waypoint.hcl"] + "\n"})
	got, log := m.changed(t)
	if want := `{"include":[{"app":"lib","workspace":"production","level":0},{"app":"api","workspace":"production","level":1},` +
		`{"app":"docs","workspace":"production","level":2},{"app":"web","workspace":"production","level":0}]}`; got != want {
		t.Errorf("with another waypoint.hcl the matrix is %s, want %s\n%s", got, want, log)
	}
}

// appsOf returns the names in a matrix, in its order.
func appsOf(t *testing.T, output string) string {
	t.Helper()
	var of matrix.Matrix[matrix.Entry]
	if err := json.Unmarshal([]byte(output), &of); err != nil {
		t.Fatalf("%q: %v", output, err)
	}
	var names []string
	for _, e := range of.Include {
		names = append(names, e.App)
	}
	return strings.Join(names, " ")
}

func TestMatrixKnowsWhatIsReleased(t *testing.T) {
	t.Parallel()
	m := newMonorepo(t, map[string]string{"web": ""})
	first := m.head
	m.deploys(t, "web")
	m.commit(t, map[string]string{"apps/web/a": "2"})
	run := m.start()
	m.succeeds(t, run, "deploy", "build", "INPUT_APP=web")
	m.succeeds(t, run, "deploy", "deploy", "INPUT_APP=web", "INPUT_FLAGS=--release=false")
	m.end(run)
	if got, log := m.changed(t); appsOf(t, got) != "web" || !strings.Contains(log, "since "+first[:7]) {
		t.Errorf("with a deployment that is not released the matrix is %s\n%s", got, log)
	}
	m.deploys(t, "web")
	if got, log := m.changed(t); appsOf(t, got) != "" {
		t.Errorf("with everything released the matrix is %s\n%s", got, log)
	}
	run = m.start()
	m.succeeds(t, run, "rollback", "rollback", "INPUT_APP=web", "INPUT_FLAGS=--deployment=1")
	m.succeeds(t, run, "rollback", "post")
	m.end(run)
	if got, log := m.changed(t); appsOf(t, got) != "web" || !strings.Contains(log, "since "+first[:7]) {
		t.Errorf("after a rollback the matrix is %s\n%s", got, log)
	}
}

func TestMatrixFailsOpen(t *testing.T) {
	t.Parallel()
	m := newMonorepo(t, map[string]string{"web": "", "api": ""})
	m.deploys(t, "web")
	m.commit(t, map[string]string{"README.md": "new"})
	m.deploys(t, "api")
	m.github.Refuse(func(r *http.Request) *githubfake.Refusal {
		if strings.Contains(r.URL.Path, "/compare/") || strings.Contains(r.URL.Path, "/git/trees/") {
			return &githubfake.Refusal{Status: http.StatusNotFound, Body: `{"message":"Not Found"}`}
		}
		return nil
	})
	got, log := m.changed(t)
	if appsOf(t, got) != "web" || !strings.Contains(log, "neither the checkout nor GitHub has the commits") {
		t.Errorf("where nothing can be compared the matrix is %s, want web: api was deployed from this very commit\n%s", got, log)
	}
	if got, _ := m.changed(t, "INPUT_FLAGS=--all"); appsOf(t, got) != "api web" {
		t.Errorf("with --all the matrix is %s", got)
	}
}

func TestMatrixOfALocalHistory(t *testing.T) {
	t.Parallel()
	m := newMonorepo(t, map[string]string{"web": "", "api": "", "lib": ""})
	repository, err := gogit.PlainInit(m.dir, false)
	if err != nil {
		t.Fatal(err)
	}
	commit := func(files map[string]string) {
		t.Helper()
		m.commit(t, files)
		tree, err := repository.Worktree()
		if err == nil {
			err = tree.AddWithOptions(&gogit.AddOptions{All: true})
		}
		if err != nil {
			t.Fatal(err)
		}
		made, err := tree.Commit("change", &gogit.CommitOptions{Author: &object.Signature{Name: "octocat", Email: "octocat@example.invalid"}})
		if err != nil {
			t.Fatal(err)
		}
		m.head = made.String()
	}
	commit(map[string]string{"apps/web/x": "1", "apps/api/x": "1", "apps/lib/deep/er/x": "1"})
	m.deploys(t, "web", "api", "lib")
	commit(map[string]string{"apps/web/y": "new", "apps/lib/deep/er/x": "2"})
	before := len(m.github.Calls())
	got, log := m.changed(t, "INPUT_FLAGS=--shared=NOTHING")
	if appsOf(t, got) != "lib web" || !strings.Contains(log, "apps/lib/deep/er/x has changed") {
		t.Errorf("the matrix is %s, want lib and web\n%s", got, log)
	}
	for _, call := range m.github.Calls()[before:] {
		if strings.Contains(call.Path, "/compare/") {
			t.Errorf("GitHub was asked for what the checkout has: %s", call.Path)
		}
	}
	if got, _ := m.changed(t, "INPUT_FLAGS=--shared=apps/web/**"); appsOf(t, got) != "api lib web" {
		t.Errorf("with a shared path the matrix is %s, want all", got)
	}
}

func TestMatrixOfManyApps(t *testing.T) {
	t.Parallel()
	m := newMonorepo(t, manyApps(600))
	run := m.start()
	first := m.succeeds(t, run, "matrix", "matrix")
	if got, want := first.outputs["matrix"], `{"include":[{"group":0},{"group":1},{"group":2}]}`; got != want || first.outputs["outcome"] != "changed" {
		t.Fatalf("outputs %v, want %s", first.outputs, want)
	}
	if _, set := first.outputs["levels"]; set {
		t.Errorf("levels are set: %s", first.outputs["levels"])
	}
	var names []string
	for group, count := range []int{256, 256, 88} {
		got := m.succeeds(t, run, fmt.Sprint("group-", group), "matrix", fmt.Sprint("INPUT_FLAGS=--group=", group))
		found := strings.Fields(appsOf(t, got.outputs["matrix"]))
		if len(found) != count {
			t.Errorf("group %d has %d apps, want %d", group, len(found), count)
		}
		names = append(names, found...)
	}
	if !slices.IsSorted(names) || len(slices.Compact(names)) != 600 {
		t.Errorf("the groups have %d apps, want each once and in order", len(names))
	}
	for name, test := range map[string]struct {
		verb, flags, want string
	}{
		"a group too many":        {"matrix", "INPUT_FLAGS=--group=3", "There are 3, and the first one is 0."},
		"a job that names no app": {"up", "INPUT_FLAGS=", "this one names none"},
	} {
		if got := m.job(t, run, "other", test.verb, test.flags); got.status != 2 || !strings.Contains(got.log, test.want) {
			t.Errorf("%s: exit status %d, want 2 and %q in\n%s", name, got.status, test.want, got.log)
		}
	}
	m.end(run)
	if got := m.job(t, m.start(), "group", "matrix", "INPUT_FLAGS=--group=0"); got.status != 2 || !strings.Contains(got.log, "No first level of the matrix") {
		t.Errorf("a group without a first level: exit status %d\n%s", got.status, got.log)
	}
}

func TestMatrixOfFewGroups(t *testing.T) {
	t.Parallel()
	m := newMonorepo(t, map[string]string{"web": "", "api": ""})
	run := m.start()
	if got := m.succeeds(t, run, "matrix", "matrix", "INPUT_FLAGS=--groups").outputs["matrix"]; got != `{"include":[{"group":0}]}` {
		t.Errorf("with --groups the matrix is %s", got)
	}
	got := m.succeeds(t, run, "group-0", "matrix", "INPUT_FLAGS=--group=0").outputs
	if appsOf(t, got["matrix"]) != "api web" || got["levels"] != "["+got["matrix"]+"]" {
		t.Errorf("group 0 has the outputs %v", got)
	}
	m.end(run)
	m.deploys(t, "api", "web")
	if got, _ := m.changed(t, "INPUT_FLAGS=--groups"); got != `{"include":[]}` {
		t.Errorf("where nothing has changed the groups are %s", got)
	}
}

func TestMatrixProblems(t *testing.T) {
	t.Parallel()
	m := newMonorepo(t, map[string]string{"web": `depends_on = ["api"]`, "api": `depends_on = ["web"]`})
	for name, test := range map[string]struct {
		input, want string
	}{
		"circle":      {"INPUT_REASON=", "apps depend on one another in a circle: api → web → api"},
		"unknown app": {"INPUT_APP=wep", `Unknown app "wep"`},
	} {
		if got := m.job(t, m.start(), "matrix", "matrix", test.input); got.status != 2 || !strings.Contains(got.log, test.want) {
			t.Errorf("%s: exit status %d, want 2 and %q in\n%s", name, got.status, test.want, got.log)
		}
	}
	m.github.AddToken(githubfake.Token{Text: "ghs_0123456789abcdef", Permissions: []string{"contents: read"}})
	if got := m.job(t, m.start(), "matrix", "matrix"); got.status != 2 || !strings.Contains(got.log, "lacks the permission `deployments: read`") {
		t.Errorf("without permission: exit status %d\n%s", got.status, got.log)
	}
}
