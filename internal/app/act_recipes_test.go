//go:build servers

package app_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

// TestRecipes runs workflows of docs/recipes as they stand there.
func TestRecipes(t *testing.T) {
	t.Parallel()
	program := servers.Act(t)
	engine := servers.Docker(t)
	engine.ImportBusybox(t)
	images := servers.Registry(t, servers.RegistryConfig{})
	r := &runner{program: program, engine: engine, action: releaseAction(t, engine, images.Host), images: images.Host}
	t.Run("deploy and roll back", func(t *testing.T) { deployAndRollBack(t, r) })
	t.Run("run steps", func(t *testing.T) { runSteps(t, r) })
	t.Run("previews", func(t *testing.T) { previews(t, r) })
	t.Run("promotion", func(t *testing.T) { promotion(t, r) })
	t.Run("monorepo", func(t *testing.T) { threeApps(t, r) })
	t.Run("organization", func(t *testing.T) { organization(t, r) })
}

// recipe returns a workflow of docs/recipes by its place in a repository, as act
// takes it.
func recipe(t *testing.T, page, place string) string {
	t.Helper()
	return forAct(recipeSource(t, page, place))
}

// forAct returns a workflow with the only shell that the runner of the tests has,
// and without what the schema of act 0.2 refuses. Act ignores the rest of an
// environment, and concurrency: nobody approves anything, and runs do not wait.
func forAct(workflow string) string {
	return regexp.MustCompile(`(?m)^ +deployment: false\n`).ReplaceAllString(workflow, "") + "defaults: { run: { shell: sh } }\n"
}

// startRecipe runs one workflow of the project, which must go well without a
// complaint about what its token may not.
func (p *project) startRecipe(t *testing.T, place, event string, words ...string) runLog {
	t.Helper()
	log := p.tryRecipe(t, place, event, words...)
	if log.err != nil {
		t.Fatalf("%s ended with %v", place, log.err)
	}
	for _, line := range log.lines {
		if line.Command == "warning" {
			t.Errorf("%s warns: %s", place, line.Argument)
		}
	}
	return log
}

// tryRecipe runs one workflow of the project. Act has one token for all jobs; it
// may do what one of them may.
func (p *project) tryRecipe(t *testing.T, place, event string, words ...string) runLog {
	t.Helper()
	path := filepath.Join(p.folder, place)
	token := githubfake.Token{Text: jobToken}
	for _, job := range jobsOf(t, read(t, path)) {
		token.Permissions = append(token.Permissions, job.permissions()...)
	}
	p.github.AddToken(token)
	return p.start(t, nil, event, append(words,
		"-W", path, "-P", "ubuntu-24.04="+servers.Busybox,
		"--local-repository", "deploy-action/deploy-action@v1="+p.runner.action)...)
}

// change commits a change of one file.
func (p *project) change(t *testing.T, path, content string) {
	t.Helper()
	write(t, filepath.Join(p.folder, path), content)
	git(t, p.folder, "add", "--all")
	git(t, p.folder, "commit", "--quiet", "--message", "change")
}

const (
	deployPlace   = ".github/workflows/deploy.yml"
	rollbackPlace = ".github/workflows/rollback.yml"
	holdPlace     = ".github/workflows/hold.yml"
)

// deployAndRollBack deploys two versions on push, goes back by hand, keeps that
// for a while, and goes forth again by a call from outside.
func deployAndRollBack(t *testing.T, r *runner) {
	p := newProject(t, r, map[string]string{
		deployPlace:    recipe(t, "deploy.md", deployPlace),
		rollbackPlace:  recipe(t, "rollback.md", rollbackPlace),
		holdPlace:      recipe(t, "rollback.md", holdPlace),
		"Dockerfile":   dockerfile,
		"waypoint.hcl": "project = \"shop\"\n" + containerApp("web", ""),
	})
	copyFile(t, "/bin/busybox", filepath.Join(p.folder, "busybox"))
	defer removeDeployments(t, r)
	for _, version := range []string{"first", "second"} {
		p.change(t, "www/index.html", version+"\n")
		log := p.startRecipe(t, deployPlace, "push")
		url := regexp.MustCompile(`changed; users reach it at (\S+)`).FindStringSubmatch(log.String())
		if url == nil {
			t.Fatalf("the last step of the %s deploy prints no address", version)
		}
		if got := fetch(t, url[1]); got != version+"\n" {
			t.Errorf("after the %s deploy %s answers %q", version, url[1], got)
		}
	}
	p.startRecipe(t, rollbackPlace, "workflow_dispatch",
		"--input", "workspace=production", "--input", "app=web", "--input", "reason=checkout fails")
	p.checkServes(t, 1, "checkout fails")

	hold := func(command string) {
		t.Helper()
		p.startRecipe(t, holdPlace, "workflow_dispatch",
			"--input", "workspace=production", "--input", "command="+command, "--input", "reason=until the database has moved")
	}
	hold("hold")
	if log := p.tryRecipe(t, deployPlace, "push"); log.err == nil || !strings.Contains(log.String(), "until the database has moved") {
		t.Errorf("the deploy of what is held ended with %v", log.err)
	}
	hold("unhold")

	event := filepath.Join(t.TempDir(), "event.json")
	write(t, event, `{"action": "rollback", "client_payload": {"app": "web", "deployment": 2, "reason": "alert 812"}}`)
	p.startRecipe(t, rollbackPlace, "repository_dispatch", "-e", event)
	p.checkServes(t, 2, "alert 812")
}

// containerApp returns an app of waypoint.hcl that runs in the Docker engine,
// with further settings.
func containerApp(name, settings string) string {
	return fmt.Sprintf(`
app %q {
  %s
  build {
    use "docker" {}
  }
  deploy {
    use "docker" {
      service_port = 8080
    }
  }
}
`, name, settings)
}

// pages returns what users get from the apps that are released, by "APP in
// ENVIRONMENT", as GitHub's Deployments tell where.
func (p *project) pages(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, d := range p.github.Deployments() {
		if d.State() == "success" {
			name := strings.TrimPrefix(d.Task, "deploy-action:shop/") + " in " + d.Environment
			found[name] += fetch(t, d.Statuses[len(d.Statuses)-1].EnvironmentURL)
		}
	}
	return found
}

// checkServes fails the test unless the newest release is of a deployment with
// a sequence, and says why.
func (p *project) checkServes(t *testing.T, sequence int, reason string) {
	t.Helper()
	var records []state.Record
	for _, a := range slices.Backward(p.github.Artifacts()) {
		if a.Name == "deploy-action.shop.web.production" && a.Run == 100+p.runs {
			records = p.records(t, a)
			break
		}
	}
	var released state.Record
	served := map[string]int{}
	for _, r := range records {
		if r.Operation == "release" && r.Sequence > released.Sequence {
			released = r
		}
		if r.Operation == "deploy" {
			served[r.ID] = r.Sequence
		}
	}
	type told struct {
		Sequence int
		Status   state.Status
		Reason   string
	}
	want := told{sequence, state.Succeeded, reason}
	if diff := cmp.Diff(want, told{served[released.Parent], released.Status, released.Origin.Reason}); diff != "" {
		t.Errorf("the newest release of run %d (-want +got):\n%s", 100+p.runs, diff)
	}
}

// runSteps checks a project, and deploys it, with the program on the runner
// itself, which comes from the release's assets.
func runSteps(t *testing.T, r *runner) {
	const checkPlace, upPlace = ".github/workflows/check.yml", ".github/workflows/deploy-from-host.yml"
	r.offerRelease(t)
	// Where the state is kept is not what is tried here.
	up := strings.ReplaceAll(recipe(t, "run-step.md", upPlace), "--state=git", "--state=dir=/tmp/state")
	p := newProject(t, r, map[string]string{
		checkPlace: recipe(t, "run-step.md", checkPlace),
		upPlace:    up,
		"waypoint.hcl": `project = "shop"

app "web" {
  build {
    use "null" {}
  }
  deploy {
    use "exec" {
      command = ["sh", "-c", "echo $(unzip 2>&1 | head -n 1) is on the runner; touch /tmp/deployed-{{ .Workspace }}"]
    }
  }
}
`,
	})
	p.change(t, "README.md", "A shop.\n")
	if log := p.startRecipe(t, checkPlace, "pull_request"); !strings.Contains(log.String(), "is on the PATH") {
		t.Error("the setup action does not say what it installed")
	}
	// The image of the action has no unzip; the runner here does.
	if log := p.startRecipe(t, upPlace, "push"); !strings.Contains(log.String(), "BusyBox v") {
		t.Error("the command of exec did not find the runner's tool")
	}
	p.change(t, "waypoint.hcl", "project   = \"shop\"\n")
	log := p.tryRecipe(t, checkPlace, "pull_request")
	if log.err == nil || !strings.Contains(log.String(), "waypoint.hcl") {
		t.Errorf("the check of a file that is not formatted ended with %v", log.err)
	}
}

// offerRelease serves the program as the release does, and adds to the action's
// repository what its release workflow adds for the setup action.
func (r *runner) offerRelease(t *testing.T) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(prebuilt(t), "prebuilt/deploy-action"))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(content)))
		if _, err := w.Write(content); err != nil {
			t.Errorf("sending %s: %v", request.URL.Path, err)
		}
	}))
	server.Listener = r.listen(t)
	server.Start()
	t.Cleanup(server.Close)
	release := fmt.Sprintf("from %s\n", server.URL)
	for _, machine := range []string{"amd64", "arm64"} { // there is only this machine's
		release += fmt.Sprintf("%x  deploy-action-linux-%s\n", sha256.Sum256(content), machine)
	}
	write(t, filepath.Join(r.action, ".github/actions/setup/release"), release)
	git(t, r.action, "add", "--all")
	git(t, r.action, "commit", "--quiet", "--message", "release v1 of the setup action")
	git(t, r.action, "tag", "--force", "v1")
}
