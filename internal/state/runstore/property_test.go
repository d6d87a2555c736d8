package runstore_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/retry"
	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

var (
	worlds    = flag.Int("worlds", 60, "how many random histories TestRandomHistories tries")
	firstSeed = flag.Uint64("seed", 0, "the first seed of TestRandomHistories; 0 for one of the time")
)

// permissions are the tokens that a history may have, each of which leads to
// another kind of lock or intent.
var permissions = [][]string{
	{"actions: read", "contents: write", "deployments: write"},
	{"actions: read", "contents: read", "deployments: write"},
	{"actions: read", "contents: write"},
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
	t    *testing.T
	fake *githubfake.Fake
	seed uint64
	may  []string

	mu       sync.Mutex
	working  int              // runs that have the lock
	begun    map[string]bool  // deployments that a platform was touched for
	finished map[string]bool  // records that must survive
	older    [][]state.Record // copies that somebody had
}

func newWorld(t *testing.T, seed uint64) *world {
	random := rand.New(rand.NewPCG(seed, 0))
	return &world{
		t: t, fake: newFakeAt(t, time.Now), seed: seed, may: permissions[random.IntN(len(permissions))],
		begun: map[string]bool{}, finished: map[string]bool{},
	}
}

// play lets five runs live and then looks at what is left.
func (w *world) play() {
	var group sync.WaitGroup
	for run := range int64(5) {
		w.fake.AddRun(githubfake.Run{ID: run + 1})
		j := newJob(w.t, w.fake, run+1).may(w.may...)
		l := &life{world: w, job: j, random: rand.New(rand.NewPCG(w.seed, uint64(run+1)))}
		group.Go(l.live)
	}
	group.Wait()
	w.check()
}

// life is one run in a world.
type life struct {
	*world
	job     job
	random  *rand.Rand
	flushed bool
}

func (l *life) live() {
	time.Sleep(time.Duration(l.random.IntN(300)) * time.Second)
	l.main()
	if l.random.IntN(5) == 0 { // the machine is lost
		l.mu.Lock()
		if !l.flushed {
			delete(l.finished, l.id())
		}
		l.mu.Unlock()
	} else {
		l.post()
	}
	l.fake.AddRun(githubfake.Run{ID: l.job.run.RunID, Status: "completed", Conclusion: "success"})
}

func (l *life) id() string { return fmt.Sprintf("R%d", l.job.run.RunID) }

// main is the main step. It may be killed at any request.
func (l *life) main() {
	ctx, kill := context.WithCancel(l.t.Context())
	defer kill()
	line := &badLine{fake: l.fake, random: l.random, kill: kill, left: 1 + l.random.IntN(60)}
	l.job.client = line
	s := l.job.step(l.t)
	waiting, stop := context.WithTimeout(ctx, time.Hour)
	defer stop()
	if _, err := s.Lock(waiting, "shop", "web", "production", nil); err != nil {
		return
	}
	defer l.enter()()
	sequence := 0
	var copied []state.Record
	for r, err := range s.List(ctx, state.Query{}) {
		if err != nil {
			return
		}
		sequence, copied = max(sequence, r.Sequence), append(copied, r)
	}
	r := l.job.running(l.id())
	r.Sequence = sequence + 1
	if s.Put(ctx, r) != nil {
		return
	}
	l.note(func() { l.begun[r.Deployment], l.older = true, append(l.older, copied) })
	if retry.Sleep(ctx, time.Duration(l.random.IntN(300))*time.Second) != nil {
		return
	}
	r.Status, r.Ended = state.Succeeded, r.Started.Add(time.Minute)
	if s.Put(ctx, r) != nil {
		return
	}
	l.note(func() { l.finished[r.ID] = true })
	l.flushed = s.Flush(ctx) == nil
}

// enter says that the run has the lock, until the function that it returns.
func (l *life) enter() (leave func()) {
	l.note(func() {
		if l.working++; l.working > 1 {
			l.t.Errorf("run %d has the lock beside another", l.job.run.RunID)
		}
	})
	return func() { l.note(func() { l.working-- }) }
}

func (l *life) note(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
}

// post is the post step, on a good line.
func (l *life) post() {
	l.job.client = nil
	s := l.job.step(l.t)
	if err := errors.Join(s.Flush(l.t.Context()), s.Release(l.t.Context())); err != nil {
		l.t.Errorf("post step of run %d: %v", l.job.run.RunID, err)
	}
}

// check reads the state as the next run does.
func (w *world) check() {
	var records []state.Record
	for r, err := range newJob(w.t, w.fake, 99).step(w.t).List(w.t.Context(), state.Query{}) {
		if err != nil {
			w.t.Fatal(err)
		}
		records = append(records, r)
	}
	sequences, deployments := map[int]string{}, map[string]string{}
	for _, r := range records {
		if other, taken := sequences[r.Sequence]; taken {
			w.t.Errorf("records %s and %s have sequence %d", other, r.ID, r.Sequence)
		}
		if other, taken := deployments[r.Deployment]; taken {
			w.t.Errorf("records %s and %s have deployment %s", other, r.ID, r.Deployment)
		}
		sequences[r.Sequence], deployments[r.Deployment] = r.ID, r.ID
	}
	for id := range w.finished {
		if !slices.ContainsFunc(records, func(r state.Record) bool { return r.ID == id && r.Status == state.Succeeded }) {
			w.t.Errorf("the record %s of an operation that ended is lost", id)
		}
	}
	for id := range w.begun {
		if deployments[id] == "" {
			w.t.Errorf("deployment %s is lost", id)
		}
	}
	for _, copied := range w.older {
		if diff := cmp.Diff(records, state.Merge(records, copied)); diff != "" {
			w.t.Errorf("an older copy changes the state (-want +got):\n%s", diff)
		}
	}
}

// badLine is the line of one process: it loses requests and answers, and goes
// dead with its process.
type badLine struct {
	fake   *githubfake.Fake
	random *rand.Rand
	kill   func()
	left   int // requests until the process is killed
}

var errLine = errors.New("the line is dead")

// RoundTrip implements [http.RoundTripper].
func (b *badLine) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.left--; b.left < 0 {
		b.kill()
		return nil, errLine
	}
	switch b.random.IntN(20) {
	case 0:
		return &http.Response{
			StatusCode: http.StatusServiceUnavailable, Status: "503 Service Unavailable", Header: http.Header{}, Request: r,
			Body: io.NopCloser(strings.NewReader(`{}`)),
		}, nil
	case 1:
		answer, err := b.fake.RoundTrip(r)
		if err == nil {
			answer.Body.Close()
		}
		return nil, errLine
	}
	return b.fake.RoundTrip(r)
}
