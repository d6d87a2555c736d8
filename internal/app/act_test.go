//go:build servers

package app_test

import (
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/client"

	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

// TestAct uses the action as its users do: a workflow names it by its tag, the
// runner pulls its image by digest, and what it tells is seen from outside.
func TestAct(t *testing.T) {
	t.Parallel()
	program := servers.Act(t)
	engine := servers.Docker(t)
	engine.ImportBusybox(t)
	images := servers.Registry(t, servers.RegistryConfig{})
	r := &runner{program: program, engine: engine, action: releaseAction(t, engine, images.Host)}
	cases := map[string]func(*testing.T, *runner){
		"three pushes":       threePushes,
		"without a registry": withoutRegistry,
		"isolation":          isolation,
		"a broken file":      brokenFile,
		"without checkout":   withoutCheckout,
		"permissions":        missingPermissions,
		"a cancelled step":   cancelledStep,
		"a killed step":      killedStep,
		"a week":             week,
	}
	for name, run := range cases {
		t.Run(name, func(t *testing.T) { run(t, r) })
	}
}

// readmeWorkflow is what the README shows, with the owner that files have on a hosted
// runner, and a step that prints the outputs.
const readmeWorkflow = `
name: deploy
on: push
permissions:
  contents: read
  actions: read
  statuses: write
defaults:
  run:
    shell: sh
jobs:
  deploy:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: chown -R 1001:1001 .
      - uses: org/deploy-action@v1
        id: deploy
        with:
          app: ${{ vars.APP }}
          registry-auth: REGISTRY_HOST=ci:${{ secrets.REGISTRY_PASSWORD }}
      - id: after
        if: always()
        env:
          OUTPUTS: ${{ toJSON(steps.deploy.outputs) }}
        run: printf '%s\n' "$OUTPUTS"
`

// dockerfile is for a server that ends when it is told to.
const dockerfile = `FROM scratch
COPY busybox /busybox
COPY www /www
CMD ["/busybox", "sh", "-c", "trap 'exit 0' TERM; /busybox httpd -f -p 8080 -h /www & wait"]
`

// shop has an app whose image runs in the Docker engine, and one that a command
// deploys.
var shop = map[string]string{
	".github/workflows/deploy.yml": readmeWorkflow,
	"Dockerfile":                   dockerfile,
	"www/index.html":               "the first version\n",
	"waypoint.hcl": `project = "shop"

app "web" {
  build {
    hook {
      when    = "before"
      command = ["sh", "-c", "echo built by a hook >www/hook.html"]
    }
    use "docker" {}
    registry {
      use "docker" {
        image = "REGISTRY_HOST/shop/web"
        tag   = gitrefhash()
      }
    }
  }
  deploy {
    use "docker" {
      service_port = 8080
    }
  }
}

app "notes" {
  build {
    use "null" {}
  }
  deploy {
    use "exec" {
      command = ["sh", "-c", "echo notes of {{ .Workspace }} are out"]
    }
  }
}
`,
}

// threePushes is the life of a project: a first deploy, another one that finds
// the state of the first, and one that prunes.
func threePushes(t *testing.T, r *runner) {
	p := newProject(t, r, shop)
	p.network = "host" // where the registry's loopback address is that of the engine, too
	copyFile(t, "/bin/busybox", filepath.Join(p.folder, "busybox"))
	defer removeDeployments(t, r)
	firstPush(t, p)
	secondPush(t, p)
	thirdPush(t, p)
}

// firstPush deploys both apps.
func firstPush(t *testing.T, p *project) {
	log := p.push(t, nil)
	if log.err != nil || log.result("Main") != "success" || log.result("Post") != "success" {
		t.Fatalf("the first run ended with %v, main %s, post %s", log.err, log.result("Main"), log.result("Post"))
	}
	var outputs struct{ URL, Sequence string }
	printedOutputs(t, log, &outputs)
	urls, sequences := map[string]string{}, map[string]int{}
	decode(t, outputs.URL, &urls)
	decode(t, outputs.Sequence, &sequences)
	if diff := cmp.Diff(map[string]int{"web": 1, "notes": 1}, sequences); diff != "" {
		t.Errorf("output sequence (-want +got):\n%s", diff)
	}
	for path, want := range map[string]string{"/": "the first version\n", "/hook.html": "built by a hook\n"} {
		if got := fetch(t, urls["web"]+path); got != want {
			t.Errorf("%s%s answers %q, want %q", urls["web"], path, got, want)
		}
	}
	if got := log.printed("deploy", "Main"); !strings.Contains(got, "notes of default are out") {
		t.Errorf("the log lacks what the command of exec wrote:\n%s", got)
	}
	for _, word := range []string{"web", "notes", urls["web"], "mermaid", "sha256:"} {
		if !strings.Contains(log.summary(), word) {
			t.Errorf("the summary lacks %q:\n%s", word, log.summary())
		}
	}
	if got := p.uploads(); got != 2 {
		t.Errorf("the run uploaded %d artifacts, want one for each app, and none by the post step", got)
	}
	told := []string{
		"deploy-action/web (default): pending", "deploy-action/web (default): success",
		"deploy-action/notes (default): pending", "deploy-action/notes (default): success",
	}
	if diff := cmp.Diff(told, p.told(t)); diff != "" {
		t.Errorf("commit statuses (-want +got):\n%s", diff)
	}
}

// secondPush deploys a change of one app.
func secondPush(t *testing.T, p *project) {
	write(t, filepath.Join(p.folder, "www/index.html"), "the second version\n")
	log := p.push(t, nil, "APP=web")
	var outputs struct {
		Outcome, URL, Image, Digest, Sequence string

		Deployment string `json:"deployment-id"`
		Artifact   string `json:"state-artifact-id"`
	}
	printedOutputs(t, log, &outputs)
	if outputs.Sequence != "2" || outputs.Outcome != "changed" {
		t.Errorf("the second run has sequence %q and outcome %q, want 2 and changed", outputs.Sequence, outputs.Outcome)
	}
	if want := p.registry.Host + "/shop/web:" + p.commit(t) + "@" + outputs.Digest; outputs.Image != want {
		t.Errorf("output image is %q, want %q", outputs.Image, want)
	}
	if got := fetch(t, outputs.URL); got != "the second version\n" {
		t.Errorf("%s answers %q", outputs.URL, got)
	}
	artifacts := p.github.Artifacts()
	if want := strconv.FormatInt(artifacts[len(artifacts)-1].ID, 10); outputs.Artifact != want {
		t.Errorf("output state-artifact-id is %q, want %q", outputs.Artifact, want)
	}
	made := deploys(p.state(t, "web"))
	if len(made) != 2 || made[0].Sequence != 1 || made[1].Sequence != 2 || made[1].Deployment != outputs.Deployment {
		t.Errorf("the state after the second run has the deploys %v, want 1 and 2, which is %s", made, outputs.Deployment)
	}
}

// thirdPush makes the first deployment one too many.
func thirdPush(t *testing.T, p *project) {
	log := p.push(t, nil, "APP=web")
	t.Logf("the third run took %s", log.took)
	var statuses []state.Status
	for _, d := range deploys(p.state(t, "web")) {
		statuses = append(statuses, d.Status)
	}
	if diff := cmp.Diff([]state.Status{state.Destroyed, state.Succeeded, state.Succeeded}, statuses); diff != "" {
		t.Errorf("the deploys after the third run (-want +got):\n%s", diff)
	}
	if got := len(deployments(t, p.runner)); got != 2 {
		t.Errorf("%d containers are left, want the released one and the one before", got)
	}
}

// withoutRegistry shows that an image goes from the job straight to the engine,
// and that a container is found to serve from the network of a hosted runner,
// where loopback is not that of the engine.
func withoutRegistry(t *testing.T, r *runner) {
	p := newProject(t, r, map[string]string{
		".github/workflows/deploy.yml": readmeWorkflow,
		"Dockerfile":                   dockerfile,
		"www/index.html":               "no registry\n",
		"waypoint.hcl": `project = "shop"

app "web" {
  build {
    use "docker" {}
  }
  deploy {
    use "docker" {
      service_port = 8080
    }
  }
}
`,
	})
	copyFile(t, "/bin/busybox", filepath.Join(p.folder, "busybox"))
	defer removeDeployments(t, r)
	log := p.push(t, nil)
	if log.err != nil {
		t.Fatalf("the run ended with %v", log.err)
	}
	var outputs struct{ URL string }
	printedOutputs(t, log, &outputs)
	if got := fetch(t, outputs.URL); got != "no registry\n" {
		t.Errorf("%s answers %q", outputs.URL, got)
	}
	if strings.Contains(log.printed("deploy", "Main"), "cannot be reached from here") {
		t.Error("the container's port was not reached")
	}
}

// isolation shows what a hook sees of the job that it runs in.
func isolation(t *testing.T, r *runner) {
	p := newProject(t, r, map[string]string{
		".github/workflows/deploy.yml": readmeWorkflow,
		"waypoint.hcl": `project = "shop"

app "web" {
  build {
    hook {
      when    = "before"
      command = ["sh", "-c", "env | sed 's/^/seen: /'"]
    }
    hook {
      when       = "before"
      command    = ["sh", "-c", "cat /proc/1/environ /proc/$PPID/environ && echo the environment is 'open'"]
      on_failure = "continue"
    }
    use "null" {}
  }
  deploy {
    use "exec" {
      command = ["sh", "-c", "env | sed 's/^/seen: /'; grep NoNewPrivs /proc/self/status; cat /proc/1/environ || true"]
    }
  }
}
`,
	})
	log := p.push(t, nil)
	if log.err != nil {
		t.Fatalf("the run ended with %v", log.err)
	}
	printed := log.printed("deploy", "Main")
	for line := range strings.Lines(printed) {
		_, variable, ok := strings.Cut(line, "seen: ")
		name, _, _ := strings.Cut(variable, "=")
		if !ok {
			continue
		}
		for _, forbidden := range []string{"ACTIONS_", "INPUT_", "STATE_", "GITHUB_TOKEN", "GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STATE", "GITHUB_STEP_SUMMARY", "GITHUB_EVENT_PATH"} {
			if strings.HasPrefix(name, forbidden) {
				t.Errorf("a child sees %s", name)
			}
		}
	}
	for _, want := range []string{"seen: GITHUB_SHA=" + p.commit(t), "seen: PATH=", "Permission denied", "NoNewPrivs:\t1"} {
		if !strings.Contains(printed, want) {
			t.Errorf("the log lacks %q", want)
		}
	}
	if strings.Contains(printed, "the environment is open") || strings.Contains(printed, "ACTIONS_RUNTIME_TOKEN") {
		t.Errorf("a hook reads the environment of the program")
	}
}

// deployments returns the IDs of the containers that deploys made.
func deployments(t *testing.T, r *runner) (ids []string) {
	t.Helper()
	list, err := r.engine.Client.ContainerList(t.Context(), client.ContainerListOptions{
		All: true, Filters: make(client.Filters).Add("label", "deploy-action.dev/project=shop"),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range list.Items {
		ids = append(ids, c.ID)
	}
	return ids
}

// removeDeployments leaves an engine that was there before as it was.
func removeDeployments(t *testing.T, r *runner) {
	for _, id := range deployments(t, r) {
		if _, err := r.engine.Client.ContainerRemove(t.Context(), id, client.ContainerRemoveOptions{Force: true}); err != nil {
			t.Error(err)
		}
	}
}

// printedOutputs reads the outputs that the step after the action printed.
func printedOutputs(t *testing.T, log runLog, into any) {
	t.Helper()
	decode(t, log.printed("after", "Main"), into)
}

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("reading %q: %v", text, err)
	}
}

// fetch returns what answers at a URL.
func fetch(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s answers %s: %s (%v)", url, response.Status, body, err)
	}
	return string(body)
}
