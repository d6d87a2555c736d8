package app_test

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage/filesystem"
	"github.com/zclconf/go-cty/cty"

	"github.com/deploy-action/deploy-action/internal/app"
	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/plugin/null"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// team is a repository whose runs deploy to the same place.
type team struct {
	github  *githubfake.Fake
	file    string
	edge    *edge
	commits []*plumbing.MemoryObject // oldest first
}

const edgeApp = `project = "shop"

app "web" {
  build {
    use "null" {}
  }
  deploy {
    use "edge" {}
  }
}
`

// newTeam makes a repository with a line of commits.
func newTeam(t *testing.T, file string, commits int) *team {
	t.Helper()
	fake, err := githubfake.New(githubfake.Options{Repository: "acme/shop"})
	if err != nil {
		t.Fatal(err)
	}
	m := &team{github: fake, file: file, edge: &edge{}}
	t.Cleanup(func() {
		if broken := fake.Violations(); len(broken) > 0 {
			t.Errorf("the calls of GitHub break its API description:\n%s", strings.Join(broken, "\n"))
		}
	})
	for i := range commits {
		c := object.Commit{Message: "commit " + strconv.Itoa(i), Author: object.Signature{When: time.Unix(int64(i), 0)}, TreeHash: plumbing.NewHash("4b825dc642cb6eb9a060e54bf8d69288fbee4904")}
		var parents []string
		if i > 0 {
			c.ParentHashes = []plumbing.Hash{m.commits[i-1].Hash()}
			parents = []string{m.sha(i - 1)}
		}
		made := &plumbing.MemoryObject{}
		if err := c.Encode(made); err != nil {
			t.Fatal(err)
		}
		m.commits = append(m.commits, made)
		fake.AddNamedCommit(m.sha(i), c.Message, parents...)
	}
	return m
}

// sha names a commit of the line.
func (m *team) sha(commit int) string { return m.commits[commit].Hash().String() }

// checkout makes a workspace in which a commit is checked out, with as much of
// its history as depth says; 0 is all of it.
func (m *team) checkout(t *testing.T, commit, depth int) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "waypoint.hcl"), []byte(m.file), 0o644); err != nil {
		t.Fatal(err)
	}
	store := filesystem.NewStorage(osfs.New(filepath.Join(folder, ".git")), cache.NewObjectLRUDefault())
	first := 0
	if depth > 0 {
		first = commit - depth + 1
	}
	for _, made := range m.commits[first : commit+1] {
		if _, err := store.SetEncodedObject(made); err != nil {
			t.Fatal(err)
		}
	}
	for _, ref := range []*plumbing.Reference{
		plumbing.NewSymbolicReference(plumbing.HEAD, "refs/heads/main"), plumbing.NewHashReference("refs/heads/main", m.commits[commit].Hash()),
	} {
		if err := store.SetReference(ref); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// job is one job of a run, with one step of ours.
type teamJob struct {
	run     int64
	attempt int // 0 is the first
	name    string
	commit  int
	depth   int    // of the clone; 0 is everything
	ref     string // "" is refs/heads/main
	verb    string
	inputs  []string // further INPUT_NAME=value
}

// ended is what a job came to.
type ended struct {
	status                int
	log, outputs, summary string
	compares              int // how often GitHub compared commits
}

// runs runs a job to its end.
func (m *team) runs(t *testing.T, j teamJob) ended {
	t.Helper()
	temp, workspace := t.TempDir(), m.checkout(t, j.commit, j.depth)
	path := func(name string) string { return filepath.Join(temp, name) }
	ref := j.ref
	if ref == "" {
		ref = "refs/heads/main"
	}
	branch := strings.TrimPrefix(ref, "refs/heads/")
	attempt := max(j.attempt, 1)
	m.github.AddRun(githubfake.Run{ID: j.run, Attempt: attempt, HeadSHA: m.sha(j.commit), HeadBranch: branch, Event: "push"})
	before := m.compares()
	var out bytes.Buffer
	got := ended{status: app.Main(t.Context(), app.Sys{
		Args: []string{"deploy-action"}, Dir: workspace, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out,
		HTTP: &http.Client{Transport: m.github}, Plugins: []component.Plugin{null.Plugin, m.edge.plugin()},
		Environ: append([]string{
			"GITHUB_ACTIONS=true", "GITHUB_REPOSITORY=acme/shop", "GITHUB_SHA=" + m.sha(j.commit), "GITHUB_REF=" + ref, "GITHUB_REF_NAME=" + branch,
			"GITHUB_EVENT_NAME=push", "GITHUB_ACTOR=alice", "GITHUB_JOB=" + j.name,
			"GITHUB_RUN_ID=" + strconv.FormatInt(j.run, 10), "GITHUB_RUN_ATTEMPT=" + strconv.Itoa(attempt), "GITHUB_WORKSPACE=" + workspace,
			"GITHUB_API_URL=https://api.example.test", "GITHUB_SERVER_URL=https://example.test",
			"GITHUB_OUTPUT=" + path("output"), "GITHUB_STEP_SUMMARY=" + path("summary"), "GITHUB_STATE=" + path("state"),
			"ACTIONS_RESULTS_URL=https://results.example.test", "ACTIONS_RUNTIME_TOKEN=" + m.github.Token(j.run, j.name),
			"INPUT_GITHUB-TOKEN=" + stepToken, "INPUT_STATE=auto", "PATH=/usr/bin:/bin", "INPUT_COMMAND=" + j.verb,
		}, j.inputs...),
	})}
	outputs, _ := os.ReadFile(path("output")) // there is none where the call was wrong
	summary, _ := os.ReadFile(path("summary"))
	got.log, got.outputs, got.summary, got.compares = out.String(), string(outputs), string(summary), m.compares()-before
	return got
}

// succeeds runs a job that must go well.
func (m *team) succeeds(t *testing.T, j teamJob) ended {
	t.Helper()
	got := m.runs(t, j)
	if got.status != 0 {
		t.Fatalf("%s of run %d: exit status %d\n%s", j.verb, j.run, got.status, got.log)
	}
	return got
}

// compares is how often GitHub was asked to compare commits.
func (m *team) compares() int {
	asked := 0
	for _, call := range m.github.Calls() {
		if strings.Contains(call.Path, "/compare/") {
			asked++
		}
	}
	return asked
}

// edge is a platform that runs nothing, and knows who has its traffic.
type edge struct {
	component.Unsupported[edgeDeployment]

	mu      sync.Mutex
	traffic string // the deployment that has it
	latest  string // that was made
	during  func() // called once, while a deployment is made; nil for nothing
}

type edgeConfig struct{}

type edgeDeployment struct {
	ID string `json:"id"`
}

func (edgeDeployment) Vars() map[string]cty.Value { return map[string]cty.Value{} }
func (edgeDeployment) URL() string                { return "" }
func (edgeDeployment) Generation() string         { return "" }

type edgeRelease struct {
	ID string `json:"id"`
}

func (edgeRelease) URL() string { return "https://shop.example.test" }

func (e *edge) plugin() component.Plugin {
	return component.Plugin{
		Name: "edge", DefaultRelease: true,
		Platform: component.NewPlatform(func(component.Host, edgeConfig) (component.Platform[artifact.Artifact, edgeDeployment], error) {
			return e, nil
		}),
		Releaser: component.NewReleaser(func(component.Host, edgeConfig) (component.Releaser[edgeDeployment, edgeRelease], error) {
			return edgeReleaser{e}, nil
		}),
	}
}

func (e *edge) Plan(context.Context, component.DeployRequest[artifact.Artifact]) (component.Plan, error) {
	return component.Plan{}, nil
}

func (e *edge) Deploy(_ context.Context, req component.DeployRequest[artifact.Artifact]) (edgeDeployment, error) {
	if during := e.during; during != nil {
		e.during = nil
		during()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.latest = req.ID
	return edgeDeployment{req.ID}, nil
}

func (e *edge) Status(context.Context, component.Target[edgeDeployment]) (component.Health, error) {
	return component.Health{State: component.Ready}, nil
}

func (e *edge) Destroy(context.Context, component.Target[edgeDeployment]) error { return nil }

type edgeReleaser struct{ e *edge }

func (edgeReleaser) Plan(context.Context, component.ReleaseRequest[edgeDeployment]) (component.Plan, error) {
	return component.Plan{}, nil
}

func (r edgeReleaser) Release(_ context.Context, req component.ReleaseRequest[edgeDeployment]) (edgeRelease, error) {
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	r.e.traffic = req.Target.ID
	return edgeRelease{req.Target.ID}, nil
}

func (edgeReleaser) Destroy(context.Context, component.App, edgeRelease) error { return nil }
