//go:build servers

package app_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/client"

	"github.com/deploy-action/deploy-action/internal/state"
)

// weekly is an app in a container, whose deploy waits while the file "slow" is
// there.
var weekly = map[string]string{
	".github/workflows/deploy.yml": endless[".github/workflows/deploy.yml"],
	"Dockerfile":                   dockerfile,
	"www/index.html":               "monday\n",
	"slow":                         "no",
	"waypoint.hcl": `project = "shop"

app "web" {
  build {
    use "docker" {}
  }
  deploy {
    hook {
      when    = "before"
      command = ["sh", "-c", "if grep -q yes slow; then echo half way; sleep 600; fi"]
    }
    use "docker" {
      service_port = 8080
    }
  }
}
`,
}

// week is what can happen to runs: one is cancelled, one is killed and run again,
// and the state of the last one is lost. Each time the state is what the engine
// holds. Act cannot run one workflow twice at once.
func week(t *testing.T, r *runner) {
	p := newProject(t, r, weekly)
	copyFile(t, "/bin/busybox", filepath.Join(p.folder, "busybox"))
	defer removeDeployments(t, r)

	write(t, filepath.Join(p.folder, "slow"), "yes")
	if log := p.push(t, signalAt(t, r, map[string]string{"half way": "INT"})); log.exit() != "130" {
		t.Errorf("the cancelled run ended with %s", log.exit())
	}
	if log := p.push(t, signalAt(t, r, map[string]string{"half way": "KILL"})); log.result("Post") != "success" {
		t.Errorf("the post step of the killed run ended with %s", log.result("Post"))
	}
	write(t, filepath.Join(p.folder, "slow"), "no")
	git(t, p.folder, "commit", "--quiet", "--all", "--message", "no longer slow")
	if log := p.attempt(t, 100+p.runs, 2, nil, "push"); log.err != nil {
		t.Errorf("the second attempt ended with %v", log.err)
	}
	p.checkEngine(t, "after a second attempt")

	artifacts := p.github.Artifacts()
	p.github.Expire(artifacts[len(artifacts)-1].ID)
	if log := p.push(t, nil); log.err != nil {
		t.Errorf("the run after a lost artifact ended with %v", log.err)
	}
	p.checkEngine(t, "after an artifact was lost")
}

// checkEngine checks that the newest state names the containers that the engine
// holds, and that no two deployments have the same ID.
func (p *project) checkEngine(t *testing.T, when string) {
	t.Helper()
	artifacts := p.github.Artifacts()
	var named []string
	for _, d := range deploys(p.records(t, artifacts[len(artifacts)-1])) {
		if d.Status == state.Succeeded {
			named = append(named, d.Deployment)
		}
	}
	list, err := p.runner.engine.Client.ContainerList(t.Context(), client.ContainerListOptions{
		All: true, Filters: make(client.Filters).Add("label", "deploy-action.dev/project=shop"),
	})
	if err != nil {
		t.Fatal(err)
	}
	var held []string
	for _, c := range list.Items {
		held = append(held, c.Labels["deploy-action.dev/deployment"])
	}
	slices.Sort(named)
	slices.Sort(held)
	if diff := cmp.Diff(named, held); diff != "" {
		t.Errorf("%s (-state +engine):\n%s", when, diff)
	}
	if statuses := strings.Join(p.told(t), " "); !strings.HasSuffix(statuses, "success") {
		t.Errorf("%s the commit says %s", when, statuses)
	}
}
