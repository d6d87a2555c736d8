//go:build servers

package app_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/client"

	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

func brokenFile(t *testing.T, r *runner) {
	files := map[string]string{
		".github/workflows/deploy.yml": readmeWorkflow,
		"waypoint.hcl":                 "project = \"shop\"\n\napp \"web\" {\n  build {\n    use \"dokcer\" {}\n  }\n  deploy {\n    use \"docker\" {}\n  }\n}\n",
	}
	p := newProject(t, r, files)
	log := p.push(t, nil)
	if got := log.exit(); got != "2" {
		t.Errorf("the step ended with exit status %s, want 2", got)
	}
	problems := log.commands("error")
	if len(problems) != 1 {
		t.Fatalf("%d annotations, want 1", len(problems))
	}
	want := map[string]string{"file": "waypoint.hcl", "line": "5", "endLine": "5", "col": "9", "endColumn": "16", "title": `Unknown plugin "dokcer"`}
	if diff := cmp.Diff(want, problems[0].Properties); diff != "" {
		t.Errorf("annotation (-want +got):\n%s", diff)
	}
	if !strings.Contains(problems[0].Argument, `"docker"`) || !strings.Contains(log.summary(), "(`waypoint.hcl:5`)") {
		t.Errorf("annotation %q, summary:\n%s", problems[0].Argument, log.summary())
	}
	// Whether a job before this one has left anything is the one question.
	calls := slices.DeleteFunc(p.github.Calls(), func(c githubfake.Call) bool { return strings.HasSuffix(c.Path, "/ListArtifacts") })
	if len(calls) > 0 {
		t.Errorf("GitHub was asked: %v", calls)
	}
	if log.result("Post") != "success" {
		t.Errorf("the post step ended with %s", log.result("Post"))
	}
}

func withoutCheckout(t *testing.T, r *runner) {
	p := newProject(t, r, map[string]string{
		".github/workflows/deploy.yml": strings.Replace(readmeWorkflow, "- uses: actions/checkout@v4", "- run: echo nothing is checked out", 1),
		"waypoint.hcl":                 `project = "shop"`,
	})
	log := p.push(t, nil)
	problems := log.commands("error")
	if log.err == nil || len(problems) != 1 || !strings.Contains(problems[0].Argument, "uses: actions/checkout@") {
		t.Errorf("the run ended with %v and the annotations %v, want one that says how to check out", log.err, problems)
	}
}

// missingPermissions shows that nothing is touched where the state cannot be
// read, and that a status which cannot be set is only a warning.
func missingPermissions(t *testing.T, r *runner) {
	p := newProject(t, r, map[string]string{
		".github/workflows/deploy.yml": readmeWorkflow,
		"waypoint.hcl":                 deployedBy("echo deployed"),
	})
	refused := "GET /repos/acme/shop/actions/artifacts"
	p.github.Refuse(func(r *http.Request) *githubfake.Refusal {
		if !strings.HasPrefix(r.Method+" "+r.URL.Path, refused) {
			return nil
		}
		return &githubfake.Refusal{Status: http.StatusForbidden, Body: `{"message": "Resource not accessible by integration"}`}
	})
	log := p.push(t, nil)
	if got := log.exit(); got != "2" {
		t.Errorf("the step ended with exit status %s, want 2", got)
	}
	if problems := log.commands("error"); len(problems) != 1 || !strings.Contains(problems[0].Argument, "actions: read") {
		t.Errorf("annotations %v, want one that names the permission", problems)
	}
	if !strings.Contains(log.summary(), "actions: read") {
		t.Errorf("the summary does not name the permission:\n%s", log.summary())
	}
	if told := p.told(t); len(told) > 0 || p.uploads() > 0 {
		t.Errorf("%d artifacts were uploaded, and commit statuses set: %v", p.uploads(), told)
	}

	refused = "POST /repos/acme/shop/statuses/"
	log = p.push(t, nil)
	if warnings := log.commands("warning"); log.err != nil || len(warnings) != 1 || !strings.Contains(warnings[0].Argument, "statuses: write") {
		t.Errorf("the run ended with %v and the warnings %v, want one that names the permission", log.err, warnings)
	}
}

// deployedBy returns a file whose app is deployed by a shell script.
func deployedBy(script string) string {
	return fmt.Sprintf(`project = "shop"

app "web" {
  build {
    use "null" {}
  }
  deploy {
    use "exec" {
      command = ["sh", "-c", %q]
    }
  }
}
`, script)
}

// endless is a deploy that does not end by itself. Its workflow says what is the
// default, because act does not hand defaults to the post step.
var endless = map[string]string{
	".github/workflows/deploy.yml": strings.Replace(readmeWorkflow, "with:\n", "with:\n          github-token: ${{ github.token }}\n", 1),
	"waypoint.hcl":                 deployedBy("echo half way; sleep 600"),
}

// signalAt returns a function that sends the action a signal when it writes a
// line that ends in some text for the first time.
func signalAt(t *testing.T, r *runner, signals map[string]string) func(logLine) {
	return func(line logLine) {
		for text, signal := range signals {
			if line.Output && strings.HasSuffix(strings.TrimSpace(line.Text), text) {
				signalAction(t, r, signal)
				delete(signals, text)
			}
		}
	}
}

// cancelledStep shows that the action saves its state by itself when it is told
// to stop. A runner sends a second signal some seconds later, which must not
// cut that short.
func cancelledStep(t *testing.T, r *runner) {
	p := newProject(t, r, endless)
	log := p.push(t, signalAt(t, r, map[string]string{"half way": "INT", "interrupted": "TERM"}))
	if got := log.exit(); got != "130" || log.result("Post") != "success" {
		t.Errorf("the step ended with exit status %s, want 130, and the post step with %s", got, log.result("Post"))
	}
	if made := deploys(p.state(t, "web")); len(made) != 1 || made[0].Status != state.Interrupted {
		t.Errorf("the state has the deploys %v, want the interrupted one", made)
	}
	if got := p.uploads(); got != 1 {
		t.Errorf("%d artifacts were uploaded, want 1, and none by the post step", got)
	}
	want := []string{"deploy-action/web (default): pending", "deploy-action/web (default): error"}
	if diff := cmp.Diff(want, p.told(t)); diff != "" {
		t.Errorf("commit statuses (-want +got):\n%s", diff)
	}
}

// killedStep shows that the post step saves what a killed main step recorded
// and ends the commit status, and that the next run goes on from there.
func killedStep(t *testing.T, r *runner) {
	p := newProject(t, r, endless)
	log := p.push(t, signalAt(t, r, map[string]string{"half way": "KILL"}))
	if log.result("Main") != "failure" || log.result("Post") != "success" {
		t.Errorf("the main step ended with %s, the post step with %s", log.result("Main"), log.result("Post"))
	}
	if got := p.uploads(); got != 1 {
		t.Errorf("%d artifacts were uploaded, want 1 by the post step", got)
	}
	made := deploys(p.state(t, "web"))
	if len(made) != 1 || made[0].Status != state.Running || made[0].Deployment == "" {
		t.Errorf("the state has the deploys %v, want the one that was running", made)
	}

	want := []string{"deploy-action/web (default): pending", "deploy-action/web (default): error"}
	if diff := cmp.Diff(want, p.told(t)); diff != "" {
		t.Errorf("commit statuses (-want +got):\n%s", diff)
	}
	if lock := p.github.Message(p.github.Ref("refs/deploy-action/lock/shop+web+default")); !strings.Contains(lock, `"free":true`) {
		t.Errorf("the post step left the lock as %s", lock)
	}

	write(t, filepath.Join(p.folder, "waypoint.hcl"), deployedBy("echo all the way"))
	if next := p.push(t, nil); next.err != nil {
		t.Errorf("the next run ended with %v", next.err)
	}
	if made := deploys(p.state(t, "web")); len(made) != 2 || made[1].Status != state.Succeeded {
		t.Errorf("the state has the deploys %v after the next run, want a second one that succeeded", made)
	}
}

// signalAction sends a signal to the container of the action.
func signalAction(t *testing.T, r *runner, signal string) {
	list, err := r.engine.Client.ContainerList(t.Context(), client.ContainerListOptions{})
	if err != nil {
		t.Error(err)
	}
	for _, c := range list.Items {
		if strings.Contains(c.Image, "/deploy-action@sha256:") {
			if _, err := r.engine.Client.ContainerKill(t.Context(), c.ID, client.ContainerKillOptions{Signal: signal}); err != nil {
				t.Error(err)
			}
		}
	}
}
