//go:build servers

package app_test

import (
	"path/filepath"
	"slices"
	"strings"
	"sync"
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
      command = ["sh", "-c", "case $(cat slow) in yes) echo half way; sleep 600;; some) echo half way; sleep 30;; esac"]
    }
    use "docker" {
      service_port = 8080
    }
  }
}
`,
}

// week is what can happen to runs: one is cancelled, one is killed and run again,
// the state of the last one is lost, and two are at work at once. Each time the
// state is what the engine holds.
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

	first, second := p.twoAtOnce(t)
	if first.err != nil || second.err != nil {
		t.Errorf("of two runs at once the first ended with %v, the second with %v", first.err, second.err)
	}
	if text := second.printed("deploy", "Main"); !strings.Contains(text, "Waiting for") {
		t.Errorf("the second run does not say that it waits for the first:\n%s", text)
	}
	p.checkEngine(t, "after two runs at once")
}

// twoAtOnce starts a run while another one deploys. Act cannot run one workflow
// twice at once, so the second run is of a copy of the repository, in which the
// workflow has another name.
func (p *project) twoAtOnce(t *testing.T) (first, second runLog) {
	t.Helper()
	write(t, filepath.Join(p.folder, "slow"), "some")
	git(t, p.folder, "commit", "--quiet", "--all", "--message", "slow for some time")
	other := *p
	other.folder = filepath.Join(t.TempDir(), "again")
	other.runs += 50
	git(t, p.folder, "clone", "--quiet", ".", other.folder)
	git(t, other.folder, "remote", "set-url", "origin", "https://github.com/acme/shop")
	copyFile(t, "/bin/busybox", filepath.Join(other.folder, "busybox"))
	write(t, filepath.Join(other.folder, "slow"), "no")
	const workflow = ".github/workflows/deploy.yml"
	write(t, filepath.Join(other.folder, workflow), strings.NewReplacer("REGISTRY_HOST", p.registry.Host, "name: deploy", "name: again").Replace(weekly[workflow]))

	deploying, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		half := sync.OnceFunc(func() { close(deploying) })
		first = p.start(t, func(line logLine) {
			if line.Output && strings.HasSuffix(strings.TrimSpace(line.Text), "half way") {
				half()
			}
		}, "push")
	}()
	select {
	case <-deploying:
		second = other.push(t, nil)
		<-ended
	case <-ended:
		t.Error("the first run ended before it was half way")
	}
	return first, second
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
