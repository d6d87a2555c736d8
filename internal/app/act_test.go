//go:build servers

package app_test

import (
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"slices"
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
		"three pushes":     threePushes,
		"isolation":        isolation,
		"a broken file":    brokenFile,
		"without checkout": withoutCheckout,
		"a killed step":    killedStep,
	}
	for name, run := range cases {
		t.Run(name, func(t *testing.T) { run(t, r) })
	}
}

// workflow is what the README shows, and a step that prints the outputs.
const workflow = `
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
      - uses: org/deploy-action@v1
        id: deploy
        with:
          app: ${{ vars.APP }}
          registry-auth: REGISTRY=ci:${{ secrets.REGISTRY_PASSWORD }}
      - id: after
        if: always()
        env:
          OUTPUTS: ${{ toJSON(steps.deploy.outputs) }}
        run: printf '%s\n' "$OUTPUTS"
`

// shop has an app whose image runs in the Docker engine, and one that a command
// deploys.
var shop = map[string]string{
	".github/workflows/deploy.yml": workflow,
	"Dockerfile": "FROM scratch\nCOPY busybox /busybox\nCOPY www /www\n" +
		"CMD [\"/busybox\", \"httpd\", \"-f\", \"-p\", \"8080\", \"-h\", \"/www\"]\n",
	"www/index.html": "the first version\n",
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
        image = "REGISTRY/shop/web"
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

func threePushes(t *testing.T, r *runner) {
	p := newProject(t, r, shop)
	copyFile(t, "/bin/busybox", filepath.Join(p.folder, "busybox"))
	defer removeDeployments(t, r)

	first := p.push(t, nil)
	t.Logf("the first run took %s", first.took)
	if first.err != nil || first.result("Main") != "success" || first.result("Post") != "success" {
		t.Fatalf("the first run ended with %v, main %s, post %s", first.err, first.result("Main"), first.result("Post"))
	}
	var several struct{ URL, Image, Sequence, Outcome string }
	printedOutputs(t, first, &several)
	urls, sequences := map[string]string{}, map[string]int{}
	decode(t, several.URL, &urls)
	decode(t, several.Sequence, &sequences)
	if diff := cmp.Diff(map[string]int{"web": 1, "notes": 1}, sequences); diff != "" {
		t.Errorf("output sequence (-want +got):\n%s", diff)
	}
	if got := fetch(t, urls["web"]); got != "the first version\n" {
		t.Errorf("%s answers %q", urls["web"], got)
	}
	if got := fetch(t, urls["web"]+"/hook.html"); got != "built by a hook\n" {
		t.Errorf("the hook's file is %q", got)
	}
	if got := first.printed("deploy", "Main"); !strings.Contains(got, "notes of default are out") {
		t.Errorf("the log lacks what the command of exec wrote:\n%s", got)
	}
	if got := p.uploads(); got != 2 {
		t.Errorf("the run uploaded %d artifacts, want one for each app, and none by the post step", got)
	}
	for _, word := range []string{"web", "notes", urls["web"], "mermaid", "sha256:"} {
		if !strings.Contains(first.summary(), word) {
			t.Errorf("the summary lacks %q:\n%s", word, first.summary())
		}
	}
	told := []string{
		"deploy-action/web (default): pending", "deploy-action/web (default): success",
		"deploy-action/notes (default): pending", "deploy-action/notes (default): success",
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(told)), slices.Sorted(slices.Values(p.told(t)))); diff != "" {
		t.Errorf("commit statuses (-want +got):\n%s", diff)
	}

	write(t, filepath.Join(p.folder, "www/index.html"), "the second version\n")
	second := p.push(t, nil, "APP=web")
	t.Logf("the second run took %s", second.took)
	var one struct {
		URL, Image, Digest, Sequence, Outcome, Result string
		Deployment                                    string `json:"deployment-id"`
	}
	printedOutputs(t, second, &one)
	if one.Sequence != "2" || one.Outcome != "changed" {
		t.Errorf("the second run has sequence %q and outcome %q, want 2 and changed", one.Sequence, one.Outcome)
	}
	if want := p.registry.Host + "/shop/web"; !strings.HasPrefix(one.Image, want) || !strings.HasSuffix(one.Image, one.Digest) || one.Digest == "" {
		t.Errorf("outputs image %q and digest %q, want %s with the digest", one.Image, one.Digest, want)
	}
	if got := fetch(t, one.URL); got != "the second version\n" {
		t.Errorf("%s answers %q", one.URL, got)
	}
	var numbers []int
	for _, d := range deploys(p.state(t, "web")) {
		numbers = append(numbers, d.Sequence)
	}
	if diff := cmp.Diff([]int{1, 2}, numbers); diff != "" {
		t.Errorf("the state after the second run has deploys (-want +got):\n%s", diff)
	}

	// The third push makes the first deployment one too many.
	third := p.push(t, nil, "APP=web")
	t.Logf("the third run took %s", third.took)
	var statuses []state.Status
	for _, d := range deploys(p.state(t, "web")) {
		statuses = append(statuses, d.Status)
	}
	if diff := cmp.Diff([]state.Status{state.Destroyed, state.Succeeded, state.Succeeded}, statuses); diff != "" {
		t.Errorf("the deploys after the third run (-want +got):\n%s", diff)
	}
	if got := len(deployments(t, r)); got != 2 {
		t.Errorf("%d containers are left, want the released one and the one before", got)
	}
}

// isolation shows what a hook sees of the job that it runs in.
func isolation(t *testing.T, r *runner) {
	p := newProject(t, r, map[string]string{
		".github/workflows/deploy.yml": workflow,
		"waypoint.hcl": `project = "shop"

app "web" {
  build {
    hook {
      when    = "before"
      command = ["sh", "-c", "env | sed 's/^/seen: /'"]
    }
    hook {
      when       = "before"
      command    = ["sh", "-c", "cat /proc/1/environ /proc/$PPID/environ && echo the environment is open"]
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

func brokenFile(t *testing.T, r *runner) {
	files := map[string]string{
		".github/workflows/deploy.yml": workflow,
		"waypoint.hcl":                 "project = \"shop\"\n\napp \"web\" {\n  build {\n    use \"dokcer\" {}\n  }\n  deploy {\n    use \"docker\" {}\n  }\n}\n",
	}
	p := newProject(t, r, files)
	log := p.push(t, nil)
	if log.err == nil || !strings.Contains(log.String(), "exitcode '2'") {
		t.Errorf("the run ended with %v, want a step with exit status 2", log.err)
	}
	problems := log.commands("error")
	if len(problems) != 1 {
		t.Fatalf("%d annotations, want 1", len(problems))
	}
	want := map[string]string{"file": "waypoint.hcl", "line": "5", "endLine": "5", "col": "9", "endColumn": "16", "title": `Unknown plugin "dokcer"`}
	if diff := cmp.Diff(want, problems[0].Properties); diff != "" {
		t.Errorf("annotation (-want +got):\n%s", diff)
	}
	if !strings.Contains(problems[0].Argument, `"docker"`) || !strings.Contains(log.summary(), "dokcer") {
		t.Errorf("annotation %q, summary:\n%s", problems[0].Argument, log.summary())
	}
	if calls := p.github.Calls(); len(calls) > 0 {
		t.Errorf("GitHub was asked: %v", calls)
	}
	if log.result("Post") != "success" {
		t.Errorf("the post step ended with %s", log.result("Post"))
	}
}

func withoutCheckout(t *testing.T, r *runner) {
	p := newProject(t, r, map[string]string{
		".github/workflows/deploy.yml": strings.Replace(workflow, "- uses: actions/checkout@v4", "- run: echo nothing is checked out", 1),
		"waypoint.hcl":                 `project = "shop"`,
	})
	log := p.push(t, nil)
	problems := log.commands("error")
	if log.err == nil || len(problems) != 1 || !strings.Contains(problems[0].Argument, "uses: actions/checkout@") {
		t.Errorf("the run ended with %v and the annotations %v, want one that says how to check out", log.err, problems)
	}
}

// killedStep shows that the post step saves what a killed main step recorded,
// and that the next run goes on from there.
func killedStep(t *testing.T, r *runner) {
	file := `project = "shop"

app "web" {
  build {
    use "null" {}
  }
  deploy {
    use "exec" {
      command = ["sh", "-c", "SCRIPT"]
    }
  }
}
`
	p := newProject(t, r, map[string]string{
		".github/workflows/deploy.yml": workflow,
		"waypoint.hcl":                 strings.Replace(file, "SCRIPT", "echo half way; sleep 600", 1),
	})
	log := p.push(t, func(line logLine) {
		if line.Output && strings.Contains(line.Text, "half way") && !strings.Contains(line.Text, "echo") {
			killAction(t, r)
		}
	})
	if log.err == nil || log.result("Main") != "failure" || log.result("Post") != "success" {
		t.Errorf("the run ended with %v, main %s, post %s", log.err, log.result("Main"), log.result("Post"))
	}
	if calls := p.uploads(); calls != 1 {
		t.Errorf("%d artifacts were uploaded, want 1 by the post step", calls)
	}
	made := deploys(p.state(t, "web"))
	if len(made) != 1 || made[0].Status != state.Running || made[0].Deployment == "" {
		t.Errorf("the state has the deploys %v, want the one that was running", made)
	}

	write(t, filepath.Join(p.folder, "waypoint.hcl"), strings.Replace(file, "SCRIPT", "echo all the way", 1))
	next := p.push(t, nil)
	if next.err != nil {
		t.Errorf("the next run ended with %v", next.err)
	}
	if made := deploys(p.state(t, "web")); len(made) != 2 || made[1].Status != state.Succeeded {
		t.Errorf("the state has the deploys %v after the next run, want a second one that succeeded", made)
	}
}

// killAction kills the container of the action without any warning.
func killAction(t *testing.T, r *runner) {
	list, err := r.engine.Client.ContainerList(t.Context(), client.ContainerListOptions{})
	if err != nil {
		t.Error(err)
	}
	for _, c := range list.Items {
		if strings.Contains(c.Image, "/deploy-action@sha256:") {
			if _, err := r.engine.Client.ContainerKill(t.Context(), c.ID, client.ContainerKillOptions{Signal: "KILL"}); err != nil {
				t.Error(err)
			}
		}
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
