package runstore_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/retry"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/state/runstore"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
	"github.com/deploy-action/deploy-action/internal/workflow"
)

var (
	worlds    = flag.Int("worlds", 150, "how many random histories TestRandomHistories tries")
	firstSeed = flag.Uint64("seed", 0, "the first seed of TestRandomHistories; 0 for one of the time")
)

// law is what holds for all runs of a history.
type law struct {
	may       []string // their tokens
	noLock    bool     // no lock is taken on GitHub
	noIntents bool     // no Deployments are made
	git       bool     // records are kept on refs
	lag       time.Duration
}

// exclusive reports whether a lock keeps all but one run from writing. One by
// Deployments is best effort, but the fake shows them at once.
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

// TestRandomHistories has several runs deploy one app at the same time, over a
// bad line, and kills some of them, some with their machines.
func TestRandomHistories(t *testing.T) {
	t.Parallel()
	seed := *firstSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("%d histories from -seed=%d", *worlds, seed)
	for n := range *worlds {
		t.Run(fmt.Sprintf("seed %d", seed+uint64(n)), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newWorld(t, seed+uint64(n)).play() })
		})
	}
}

// world is one history, and what must be true of it.
type world struct {
	law
	t      *testing.T
	fake   *githubfake.Fake
	folder string
	seed   uint64

	mu       sync.Mutex
	working  map[string]int            // runs that have the lock of an app
	begun    map[string]bool           // deployments that a platform was touched for
	finished map[string]bool           // records that must survive
	older    map[string][]state.Record // copies that somebody had, by app; the last of each
}

// apps are what the runs of a history deploy.
var apps = []string{"web", "api"}

func newWorld(t *testing.T, seed uint64) *world {
	random := rand.New(rand.NewPCG(seed, 0))
	w := &world{
		law: laws[random.IntN(len(laws))], t: t, folder: t.TempDir(), seed: seed,
		working: map[string]int{}, begun: map[string]bool{}, finished: map[string]bool{}, older: map[string][]state.Record{},
	}
	var err error
	// What is asked for is the same in all histories, so some of it is held
	// against the API description.
	w.fake, err = githubfake.New(githubfake.Options{Repository: "octo/shop", Lag: w.lag, Sample: 50, Requests: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, v := range w.fake.Violations() {
			t.Errorf("violation of the API description: %s", v)
		}
	})
	return w
}

// play lets five runs live, some of them twice, and then looks at what is left.
func (w *world) play() {
	var group sync.WaitGroup
	for run := range int64(5) {
		w.fake.AddRun(githubfake.Run{ID: run + 1})
		l := &life{world: w, run: run + 1, random: rand.New(rand.NewPCG(w.seed, uint64(run+1)))}
		group.Go(l.live)
	}
	group.Wait()
	w.t.Logf("%+v", w.law)
	time.Sleep(w.lag)
	for _, app := range apps {
		w.check(app)
	}
}

// job is what a run of the history is told by its runner.
func (w *world) job(run int64, attempt int) job {
	token := fmt.Sprintf("ghs_run_%d", run)
	w.fake.AddToken(githubfake.Token{Text: token, Permissions: w.may})
	return job{
		fake: w.fake, token: secret.Text(token), journal: filepath.Join(w.folder, fmt.Sprintf("%d-%d", run, attempt)),
		run: workflow.Context{
			Repository: "octo/shop", RunID: run, Attempt: attempt, RefName: "main", DefaultBranch: "main", HeadSHA: fmt.Sprintf("%040x", run),
		},
		change: func(o *runstore.Options) { o.NoLock, o.NoIntents, o.Git, o.Apps = w.noLock, w.noIntents, w.git, apps },
	}
}

// life is one run in a world.
type life struct {
	*world
	run    int64
	random *rand.Rand

	// Of the present attempt.
	job   job
	ended []string // records of operations that have ended and are not uploaded yet
}

// live is a run with up to three attempts, each a job with up to three steps.
func (l *life) live() {
	time.Sleep(time.Duration(l.random.IntN(300)) * time.Second)
	for attempt := 1; attempt == 1 || attempt <= 3 && l.random.IntN(4) == 0; attempt++ {
		l.fake.AddRun(githubfake.Run{ID: l.run, Attempt: attempt})
		l.job, l.ended = l.world.job(l.run, attempt), nil
		for step := range 1 + l.random.IntN(3) {
			if killed := l.main(step, apps[l.random.IntN(len(apps))]); killed {
				break
			}
		}
		if l.random.IntN(5) == 0 { // the machine is lost
			l.note(func() {
				for _, id := range l.ended {
					delete(l.finished, id)
				}
			})
		} else {
			l.post()
		}
		l.fake.AddRun(githubfake.Run{ID: l.run, Attempt: attempt, Status: "completed", Conclusion: "success"})
		time.Sleep(time.Duration(l.random.IntN(300)) * time.Second)
	}
}

// main is one step. It may be killed at any request.
func (l *life) main(step int, app string) (killed bool) {
	ctx, kill := context.WithCancel(l.t.Context())
	defer kill()
	j := l.job
	j.client = &badLine{fake: l.fake, random: l.random, kill: kill, left: 1 + l.random.IntN(80)}
	s := j.step(l.t)
	defer s.Close()
	waiting, stop := context.WithTimeout(ctx, time.Hour)
	defer stop()
	if _, err := s.Lock(waiting, "shop", app, "production", nil); err != nil {
		return ctx.Err() != nil
	}
	defer l.enter(app)()
	sequence := 0
	var copied []state.Record
	for r, err := range s.List(ctx, state.Query{App: app}) {
		if err != nil {
			return ctx.Err() != nil
		}
		if r.App == app {
			sequence, copied = max(sequence, r.Sequence), append(copied, r)
		}
	}
	r := j.running(fmt.Sprintf("R%d-%d-%d", l.run, j.run.Attempt, step))
	r.App, r.Sequence, r.Deployment = app, sequence+1, app+"-"+r.ID
	if s.Put(ctx, r) != nil {
		return ctx.Err() != nil
	}
	l.note(func() { l.begun[r.Deployment], l.older[app] = true, copied })
	if retry.Sleep(ctx, time.Duration(l.random.IntN(300))*time.Second) != nil {
		return true
	}
	r.Status, r.Ended = state.Succeeded, r.Started.Add(time.Minute)
	if s.Put(ctx, r) != nil {
		return ctx.Err() != nil
	}
	l.ended = append(l.ended, r.ID)
	l.note(func() { l.finished[r.ID] = true })
	if s.Flush(ctx) == nil {
		l.ended = nil
	}
	return ctx.Err() != nil
}

// enter says that the run has the lock, until the function that it returns.
func (l *life) enter(app string) (leave func()) {
	l.note(func() {
		if l.working[app]++; l.working[app] > 1 && l.exclusive() {
			l.t.Errorf("run %d has the lock of %s beside another", l.run, app)
		}
	})
	return func() { l.note(func() { l.working[app]-- }) }
}

func (l *life) note(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
}

// post is the post step, on a good line.
func (l *life) post() {
	s := l.job.step(l.t)
	defer s.Close()
	if err := errors.Join(s.Flush(l.t.Context()), s.Release(l.t.Context())); err != nil {
		l.t.Errorf("post step of run %d: %v", l.run, err)
	}
}

// check reads the state of an app as the next run does.
func (w *world) check(app string) {
	j := w.job(99, 1)
	w.fake.AddRun(githubfake.Run{ID: 99})
	s := j.step(w.t)
	defer s.Close()
	if _, err := s.Lock(w.t.Context(), "shop", app, "production", nil); err != nil {
		w.t.Fatal(err)
	}
	records := []state.Record{}
	for r, err := range s.List(w.t.Context(), state.Query{App: app}) {
		if err != nil {
			w.t.Fatal(err)
		}
		records = append(records, r)
	}
	sequences, deployments := map[int]string{}, map[string]string{}
	for _, r := range records {
		if other, taken := sequences[r.Sequence]; taken && w.exclusive() {
			w.t.Errorf("records %s and %s have sequence %d", other, r.ID, r.Sequence)
		}
		if other, taken := deployments[r.Deployment]; taken {
			w.t.Errorf("records %s and %s have deployment %s", other, r.ID, r.Deployment)
		}
		sequences[r.Sequence], deployments[r.Deployment] = r.ID, r.ID
	}
	for deployment := range w.begun {
		if !strings.HasPrefix(deployment, app+"-") {
			continue
		}
		id := strings.TrimPrefix(deployment, app+"-")
		if deployments[deployment] == "" {
			w.t.Errorf("deployment %s is lost", deployment)
		}
		if w.finished[id] && !slices.ContainsFunc(records, func(r state.Record) bool { return r.ID == id && r.Status == state.Succeeded }) {
			w.t.Errorf("the record %s of an operation that ended is lost", id)
		}
	}
	// Of what went with its machine nobody else had a copy.
	older := slices.DeleteFunc(slices.Clone(w.older[app]), func(r state.Record) bool {
		return r.Status == state.Succeeded && !w.finished[r.ID]
	})
	if diff := cmp.Diff(records, state.Merge(records, older)); diff != "" {
		w.t.Errorf("an older copy changes the state (-want +got):\n%s", diff)
	}
}

// badLine is the line of one process: it loses requests and answers, and goes
// dead with its process.
type badLine struct {
	mu     sync.Mutex // the store asks for two things at once
	fake   *githubfake.Fake
	random *rand.Rand
	kill   func()
	left   int // requests until the process is killed
}

var errLine = errors.New("the line is dead")

// RoundTrip implements [http.RoundTripper].
func (b *badLine) RoundTrip(r *http.Request) (*http.Response, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left--; b.left < 0 {
		b.kill()
		return nil, errLine
	}
	switch b.random.IntN(40) {
	case 0, 1:
		return b.refusal(r, http.StatusServiceUnavailable, http.Header{}), nil
	case 2:
		return b.refusal(r, http.StatusTooManyRequests, http.Header{"Retry-After": {"2"}}), nil
	case 3:
		return nil, errLine
	case 4, 5: // done, but the answer is lost
		answer, err := b.fake.RoundTrip(r)
		if err == nil {
			answer.Body.Close()
		}
		return nil, errLine
	case 6: // done, but the answer breaks off, or takes its time
		answer, err := b.fake.RoundTrip(r)
		if err == nil {
			answer.Body = &brokenBody{answer.Body, 1 + b.random.IntN(200)}
		}
		return answer, err
	}
	return b.fake.RoundTrip(r)
}

func (b *badLine) refusal(r *http.Request, status int, header http.Header) *http.Response {
	return &http.Response{
		StatusCode: status, Status: fmt.Sprintf("%d %s", status, http.StatusText(status)), Header: header, Request: r,
		Body: io.NopCloser(strings.NewReader(`{}`)),
	}
}

// brokenBody is an answer that comes slowly and ends too soon.
type brokenBody struct {
	io.ReadCloser
	left int
}

func (b *brokenBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, errLine
	}
	time.Sleep(time.Second)
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
