package histories

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/retry"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/state/runstore"
	"github.com/deploy-action/deploy-action/internal/workflow"
)

const repository = "octo/shop"

// law is what holds for all runs of a history.
type law struct {
	may       []string // their tokens
	noLock    bool     // no lock is taken on GitHub
	noIntents bool     // no Deployments are made
	git       bool     // records are kept on refs
	lag       time.Duration
}

// exclusive reports whether a lock keeps all but one run from writing. One by
// Deployments is best effort, but a stand-in shows them at once.
func (l law) exclusive() bool { return !l.noLock }

// laws are the kinds of histories: each leads to another kind of lock, intent
// or place. Without Deployments nothing tells of what no list shows yet, for it
// was made a moment ago: there the lists of all runs are up to date.
var laws = []law{
	{may: []string{"actions: read", "contents: write", "deployments: write"}},
	{may: []string{"actions: read", "contents: write", "deployments: write"}, lag: 10 * time.Second},
	{may: []string{"actions: read", "contents: read", "deployments: write"}},
	{may: []string{"actions: read", "contents: read", "deployments: write"}, lag: 10 * time.Second},
	{may: []string{"actions: read", "contents: write", "deployments: write"}, noLock: true},
	{may: []string{"actions: read", "contents: write"}, noIntents: true},
	{may: []string{"actions: read", "contents: write", "deployments: write"}, noIntents: true},
	{may: []string{"actions: read", "contents: write", "deployments: write"}, git: true},
}

// apps are what the runs of a history deploy.
var apps = []string{"web", "api"}

// world is one history, and what must be true of it.
type world struct {
	law
	t      *testing.T
	hub    GitHub
	folder string
	seed   uint64
	losses losses

	mu       sync.Mutex
	working  map[string]int            // runs that have the lock of an app
	begun    map[string]bool           // deployments that a platform was touched for
	finished map[string]bool           // records that must survive
	told     map[string]bool           // deployments that GitHub was told of the end of
	served   map[string][]service      // what got the traffic of an app, oldest first
	backs    map[string][]string       // records of releases that were made again, by app
	older    map[string][]state.Record // copies that somebody had, by app; the last of each
}

// service is one time that a deployment got the traffic.
type service struct {
	deployment string
	told       bool // GitHub is sure to know
}

func newWorld(t *testing.T, o Options, seed uint64) *world {
	random := rand.New(rand.NewPCG(seed, 0))
	w := &world{
		law: laws[random.IntN(len(laws))], t: t, folder: t.TempDir(), seed: seed,
		working: map[string]int{}, begun: map[string]bool{}, finished: map[string]bool{}, told: map[string]bool{},
		served: map[string][]service{}, backs: map[string][]string{}, older: map[string][]state.Record{},
	}
	if !w.noIntents && !w.git {
		w.losses = randomLosses(random)
	}
	w.hub = o.New(t, Setup{Repository: repository, Now: time.Now, Lag: w.lag})
	t.Cleanup(func() {
		for _, v := range w.hub.Violations() {
			t.Errorf("violation of the API description: %s", v)
		}
	})
	return w
}

// play lets five runs live, some of them twice, and then looks at what is left.
func (w *world) play() {
	w.t.Logf("%+v, losses %+v", w.law, w.losses)
	var group sync.WaitGroup
	for run := range int64(5) {
		w.hub.Run(run+1, 1, false)
		l := &life{world: w, run: run + 1, random: rand.New(rand.NewPCG(w.seed, uint64(run+1)))}
		group.Go(l.live)
	}
	group.Go(w.lose)
	group.Wait()
	w.rest()
	w.sleep(w.lag)
	for _, app := range apps {
		w.check(app)
	}
}

// sleep waits by the clock of the history.
func (w *world) sleep(d time.Duration) {
	if err := retry.Sleep(w.t.Context(), d); err != nil {
		w.t.Error(err)
	}
}

// job is one job of a run: what its runner tells it, and a folder that its
// steps share.
type job struct {
	*world
	token   string
	journal string
	run     workflow.Context
}

func (w *world) job(run int64, attempt int) job {
	token := fmt.Sprintf("ghs_run_%d", run)
	w.hub.Allow(token, w.may)
	return job{
		world: w, token: token, journal: filepath.Join(w.folder, fmt.Sprintf("%d-%d", run, attempt)),
		run: workflow.Context{
			Repository: repository, RunID: run, Attempt: attempt, RefName: "main", DefaultBranch: "main", HeadSHA: fmt.Sprintf("%040x", run),
		},
	}
}

// step is one step of a job.
type step struct {
	*runstore.Store
	client *github.Client
}

// step opens the store as a step of the job does, over a line. The caller closes
// it.
func (j job) step(line http.RoundTripper) step {
	j.t.Helper()
	client := &http.Client{Transport: line}
	api, err := github.New(github.Options{API: j.hub.URL(), Repository: repository, Token: secret.Text(j.token), HTTP: client})
	if err != nil {
		j.t.Fatal(err)
	}
	service, err := github.NewService(github.ServiceOptions{ResultsURL: j.hub.URL(), Token: secret.Text(j.hub.Runtime(j.run.RunID)), HTTP: client})
	if err != nil {
		j.t.Fatal(err)
	}
	s, err := runstore.Open(runstore.Options{
		Client: api, Service: service, Journal: j.journal, Run: j.run, Secrets: new(secret.Set),
		Project: "shop", Apps: apps, Workspace: "production", Path: "waypoint.hcl",
		NoLock: j.noLock, NoIntents: j.noIntents, Git: j.git,
	})
	if err != nil {
		j.t.Fatal(err)
	}
	return step{s, api}
}
