//go:build servers

package app_test

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

const (
	previewPlace = ".github/workflows/preview.yml"
	sweepPlace   = ".github/workflows/preview-sweep.yml"
)

// previews is the life of two pull requests. One gets its label, a second push,
// and is closed. The other one has a conflict when it is closed, so that no run
// tells of it, and is left to the sweep.
func previews(t *testing.T, r *runner) {
	p := newProject(t, r, map[string]string{
		previewPlace:   recipe(t, "previews.md", previewPlace),
		sweepPlace:     recipe(t, "previews.md", sweepPlace),
		"Dockerfile":   dockerfile,
		"waypoint.hcl": "project = \"shop\"\n" + containerApp("web", "preview {\n    label = \"preview\"\n  }"),
	})
	copyFile(t, "/bin/busybox", filepath.Join(p.folder, "busybox"))
	defer removeDeployments(t, r)
	p.change(t, "www/index.html", "main\n")
	checkouts := serveCheckouts(t, r)

	seven := &pullRequest{project: p, checkouts: checkouts, PullRequest: githubfake.PullRequest{Number: 7}}
	seven.push(t, "seven\n")
	if log := seven.run(t, previewPlace, "pull_request", "opened"); !strings.Contains(log.String(), "preview") || len(deployments(t, r)) > 0 {
		t.Errorf("without the label %d containers were made:\n%s", len(deployments(t, r)), log)
	}
	seven.Labels = []string{"preview"}
	seven.run(t, previewPlace, "pull_request", "labeled")
	seven.serves(t, "seven\n")
	seven.push(t, "seven again\n")
	seven.run(t, previewPlace, "pull_request", "synchronize")
	seven.serves(t, "seven again\n")
	eight := &pullRequest{project: p, checkouts: checkouts, PullRequest: githubfake.PullRequest{Number: 8, Labels: []string{"preview"}}}
	eight.push(t, "eight\n")
	eight.run(t, previewPlace, "pull_request", "opened")
	eight.serves(t, "eight\n")

	seven.Closed, eight.Closed = true, true
	seven.run(t, previewPlace, "pull_request", "closed")
	seven.run(t, sweepPlace, "pull_request_target", "closed")
	seven.isGone(t)
	eight.serves(t, "eight\n")
	eight.tell(t)
	git(t, p.folder, "switch", "--quiet", "main")
	p.branch = "main"
	p.startRecipe(t, sweepPlace, "schedule", "--defaultbranch", "main")
	eight.isGone(t)
	if left := deployments(t, r); len(left) > 0 {
		t.Errorf("the engine still runs %d containers", len(left))
	}
}

// pullRequest is one of a project, from the branch patch-NUMBER.
type pullRequest struct {
	githubfake.PullRequest
	project   *project
	checkouts checkouts
	heads     []string // every commit that was its head
}

// push changes the page of the app in a new commit.
func (r *pullRequest) push(t *testing.T, page string) {
	t.Helper()
	p := r.project
	r.HeadRef = fmt.Sprintf("patch-%d", r.Number)
	if len(r.heads) == 0 {
		git(t, p.folder, "branch", r.HeadRef, "main")
	}
	git(t, p.folder, "switch", "--quiet", r.HeadRef)
	p.change(t, "www/index.html", page)
	r.HeadSHA, r.BaseSHA = p.commit(t), git(t, p.folder, "rev-parse", "main")
	r.heads = append(r.heads, r.HeadSHA)
	r.tell(t)
}

// tell makes GitHub know what the pull request is like now.
func (r *pullRequest) tell(t *testing.T) {
	t.Helper()
	r.project.github.AddPullRequest(r.PullRequest)
}

// run runs a recipe for an event of the pull request, whose commit is a merge of
// its head, as on GitHub.
func (r *pullRequest) run(t *testing.T, place, event, action string) runLog {
	t.Helper()
	p := r.project
	r.tell(t)
	p.branch = r.HeadRef
	words := []string{"--defaultbranch", "main"}
	if event == "pull_request" {
		git(t, p.folder, "switch", "--quiet", r.HeadRef)
		words = append(words, "--env", "SHA_REF="+fmt.Sprintf("%040x", 0xaaa000+len(r.heads)))
	} else {
		git(t, p.folder, "switch", "--quiet", "main")
	}
	path := filepath.Join(t.TempDir(), "event.json")
	write(t, path, r.payload(t, action))
	return p.startRecipe(t, place, event, append(append(words, "-e", path), r.checkouts.offer(t, p, read(t, filepath.Join(p.folder, place)))...)...)
}

// payload is what the event says.
func (r *pullRequest) payload(t *testing.T, action string) string {
	t.Helper()
	state, labels, repository := "open", []any{}, map[string]any{"full_name": "acme/shop", "default_branch": "main"}
	if r.Closed {
		state = "closed"
	}
	for _, name := range r.Labels {
		labels = append(labels, map[string]any{"name": name})
	}
	event := map[string]any{
		"action": action, "number": r.Number, "repository": repository,
		"pull_request": map[string]any{
			"number": r.Number, "state": state, "draft": false, "labels": labels,
			"head": map[string]any{"sha": r.HeadSHA, "ref": r.HeadRef, "repo": repository},
			"base": map[string]any{"sha": r.BaseSHA, "ref": "main", "repo": repository},
		},
	}
	if action == "labeled" {
		event["label"] = labels[len(labels)-1]
	}
	raw, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// serves fails the test unless the one comment of the pull request says where
// its app is, the app answers there, and the commit people look at says so.
func (r *pullRequest) serves(t *testing.T, page string) {
	t.Helper()
	comment := r.comment(t)
	url := regexp.MustCompile(`http://[0-9.:]+`).FindString(comment)
	if url == "" {
		t.Fatalf("the comment below #%d names no address:\n%s", r.Number, comment)
	}
	if got := fetch(t, url); got != page {
		t.Errorf("#%d: %s answers %q, want %q", r.Number, url, got, page)
	}
	r.checkStatuses(t)
}

// isGone fails the test where anything of the preview is left, or tells
// something else.
func (r *pullRequest) isGone(t *testing.T) {
	t.Helper()
	if comment := r.comment(t); !strings.Contains(comment, "There is no preview.") {
		t.Errorf("the comment below #%d says\n%s", r.Number, comment)
	}
	for _, d := range r.project.github.Deployments() {
		if strings.HasSuffix(d.Task, fmt.Sprintf("#%d", r.Number)) {
			t.Errorf("a Deployment is left: %s in %s, %s", d.Task, d.Environment, d.State())
		}
	}
	r.checkStatuses(t)
}

// comment returns the only comment of the pull request.
func (r *pullRequest) comment(t *testing.T) (body string) {
	t.Helper()
	count := 0
	for _, c := range r.project.github.Comments() {
		if c.Number == r.Number {
			body = c.Body
			count++
		}
	}
	if count != 1 {
		t.Fatalf("#%d has %d comments, want 1", r.Number, count)
	}
	return body
}

// checkStatuses fails the test unless every head was deployed in the end, and
// nothing is told of other commits, such as the merge.
func (r *pullRequest) checkStatuses(t *testing.T) {
	t.Helper()
	workspace := fmt.Sprintf("deploy-action/web (pr-%d)", r.Number)
	want, got := map[string]string{}, map[string]string{}
	for _, head := range r.heads {
		want[head] = "success"
	}
	for _, s := range r.project.github.Statuses() {
		if s.Context == workspace {
			got[s.SHA] = s.State
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("statuses %q (-want +got):\n%s", workspace, diff)
	}
}

// checkouts is a server of commits. Act copies the working folder in place of
// actions/checkout, but where a step asks for a commit it fetches the action,
// which no test can; this stands in.
type checkouts struct {
	folder string
	server *httptest.Server
}

func serveCheckouts(t *testing.T, r *runner) checkouts {
	t.Helper()
	c := checkouts{folder: t.TempDir()}
	c.server = httptest.NewUnstartedServer(http.FileServer(http.Dir(c.folder)))
	c.server.Listener = r.listen(t)
	c.server.Start()
	t.Cleanup(c.server.Close)
	return c
}

// offer serves the present commit of a project, and returns the words by which
// act uses the stand-in for the checkout of a workflow.
func (c checkouts) offer(t *testing.T, p *project, workflow string) (words []string) {
	t.Helper()
	clone := filepath.Join(t.TempDir(), "clone")
	git(t, p.folder, "clone", "--quiet", ".", clone)
	git(t, clone, "remote", "set-url", "origin", "https://github.com/acme/shop")
	file, err := os.Create(filepath.Join(c.folder, p.commit(t)))
	if err != nil {
		t.Fatal(err)
	}
	archive := tar.NewWriter(file)
	if err := errors.Join(archive.AddFS(os.DirFS(clone)), archive.Close(), file.Close()); err != nil {
		t.Fatal(err)
	}
	action := t.TempDir()
	write(t, filepath.Join(action, "action.yml"), `name: checkout
description: stands in for actions/checkout
inputs:
  ref: { description: the commit }
  persist-credentials: { description: of no meaning here }
runs:
  using: composite
  steps:
    - shell: sh
      env:
        REF: ${{ inputs.ref }}
      run: wget -O /tmp/commit.tar "`+c.server.URL+`/$REF" && tar -xf /tmp/commit.tar
`)
	version := regexp.MustCompile(`actions/checkout@\w+`).FindString(workflow)
	return []string{"--local-repository", version + "=" + action}
}
