package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// A release left it to the post step to say which deployment serves no more.
func TestPostChangesDeployments(t *testing.T) {
	t.Parallel()
	j := newJob(t, `project = "shop"`)
	j.github.SetRef("refs/heads/main", j.github.AddCommit("start"))
	client, err := github.New(github.Options{Repository: "acme/shop", Token: stepToken, HTTP: &http.Client{Transport: j.github}})
	if err != nil {
		t.Fatal(err)
	}
	for _, deployment := range []string{"web-a", "web-b"} {
		d := github.Deployment{Ref: "main", Task: "deploy-action:shop/web", Environment: "production", Payload: json.RawMessage(`{"deployment":"` + deployment + `"}`)}
		made, err := client.CreateDeployment(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		if err := client.SetDeploymentStatus(t.Context(), made.ID, github.DeploymentStatus{State: "success"}); err != nil {
			t.Fatal(err)
		}
	}
	left := filepath.Join(j.temp, strings.TrimSuffix(journal, ".journal")+".deployments")
	const line = `{"project":"shop","app":"web","workspace":"production","deployment":%q,"state":"inactive","description":"superseded by web-b"}` + "\n"
	content := fmt.Sprintf(line, "web-a") + fmt.Sprintf(line, "of nobody") + `{"project":"shop","app":"w` // cut off
	if err := os.WriteFile(left, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second one finds nothing to do
		if status, log := j.run(t, "deploy-action-post"); status != 0 || strings.Contains(log, "::warning") {
			t.Errorf("exit status %d\n%s", status, log)
		}
		var got []string
		for _, d := range j.github.Deployments() {
			got = append(got, d.State()+" "+d.Statuses[len(d.Statuses)-1].Description)
		}
		if diff := cmp.Diff([]string{"inactive superseded by web-b", "success "}, got); diff != "" {
			t.Errorf("Deployments (-want +got):\n%s", diff)
		}
		if _, err := os.Stat(left); err == nil {
			t.Error("the file is still there")
		}
	}
}

// The Deployment that GitHub makes for a job with an environment is noticed once,
// by what a release left to the post step.
func TestEnvironmentOfTheJob(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		workspace, creator, sha string
		notices                 int
	}{
		"of this job":       {"production", "", commit, 1},
		"of another commit": {"production", "", strings.Repeat("b", 40), 0},
		"of a person":       {"production", "alice", commit, 0},
		"of a preview":      {"pr-7", "", commit, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := newJob(t, `project = "shop"`)
			j.github.AddNamedCommit(c.sha, "start")
			j.github.AddToken(githubfake.Token{Text: "of whoever makes it", Login: c.creator, Permissions: allPermissions})
			client, err := github.New(github.Options{Repository: "acme/shop", Token: "of whoever makes it", HTTP: &http.Client{Transport: j.github}})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := client.CreateDeployment(t.Context(), github.Deployment{Ref: c.sha, Task: "deploy", Environment: c.workspace}); err != nil {
				t.Fatal(err)
			}
			left := `{"project":"shop","app":"web","workspace":"` + c.workspace + `","deployment":"web-a","state":"inactive","description":"superseded by web-b"}` + "\n"
			path := filepath.Join(j.temp, strings.TrimSuffix(journal, ".journal")+".deployments")
			if err := os.WriteFile(path, []byte(left), 0o600); err != nil {
				t.Fatal(err)
			}
			notices := 0
			for range 2 { // steps of one job
				status, log := j.run(t, "deploy-action-post")
				if status != 0 {
					t.Fatalf("exit status %d\n%s", status, log)
				}
				if strings.Contains(log, "::notice") && strings.Contains(log, "deployment: false") {
					notices++
				}
			}
			if notices != c.notices {
				t.Errorf("%d notices, want %d", notices, c.notices)
			}
		})
	}
}

// What could not be told does not end the post step with an error.
func TestPostMayNotChangeDeployments(t *testing.T) {
	t.Parallel()
	j := newJob(t, `project = "shop"`)
	j.github.Refuse(refuse("/deployments", http.StatusForbidden))
	left := filepath.Join(j.temp, strings.TrimSuffix(journal, ".journal")+".deployments")
	if err := os.WriteFile(left, []byte(`{"app":"web","workspace":"production","deployment":"web-a","state":"inactive"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, log := j.run(t, "deploy-action-post"); status != 0 || !strings.Contains(log, `the token needs the permission "deployments: read"`) {
		t.Errorf("exit status %d, want 0 and a warning\n%s", status, log)
	}
}

// An image that a workflow names has no post step: the main step does its work.
func TestWithoutAPostStep(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		inputs []string
		want   []string // after the main step
	}{
		"an action": {inputs: []string{withPost}, want: []string{"success", "success"}},
		"an image":  {want: []string{"inactive", "success"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := newJob(t, oneApp)
			j.inputs = c.inputs
			for range 2 {
				if status, log := j.run(t, "deploy-action"); status != 0 || strings.Contains(log, "::warning") {
					t.Fatalf("exit status %d\n%s", status, log)
				}
			}
			states := func() (list []string) {
				for _, d := range j.github.Deployments() {
					list = append(list, d.State())
				}
				return list
			}
			if diff := cmp.Diff(c.want, states()); diff != "" {
				t.Errorf("Deployments after the main step (-want +got):\n%s", diff)
			}
			if status, log := j.run(t, "deploy-action-post"); status != 0 {
				t.Fatalf("exit status %d\n%s", status, log)
			}
			if diff := cmp.Diff([]string{"inactive", "success"}, states()); diff != "" {
				t.Errorf("Deployments at the end (-want +got):\n%s", diff)
			}
		})
	}
}
