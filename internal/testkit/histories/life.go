package histories

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/retry"
	"github.com/deploy-action/deploy-action/internal/state"
)

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
	l.wait()
	for attempt := 1; attempt == 1 || attempt <= 3 && l.random.IntN(4) == 0; attempt++ {
		l.hub.Run(l.run, attempt, false)
		l.job, l.ended = l.world.job(l.run, attempt), nil
		for number := range 1 + l.random.IntN(3) {
			if killed := l.main(number, apps[l.random.IntN(len(apps))]); killed {
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
		l.hub.Run(l.run, attempt, true)
		l.wait()
	}
}

func (l *life) wait() { l.sleep(time.Duration(l.random.IntN(300)) * time.Second) }

// main is one step. It may be killed at any request.
func (l *life) main(number int, app string) (killed bool) {
	ctx, kill := context.WithCancel(l.t.Context())
	defer kill()
	s := l.job.step(&badLine{hub: l.hub, random: l.random, kill: kill, left: 1 + l.random.IntN(80)})
	defer s.Close()
	waiting, stop := context.WithTimeout(ctx, time.Hour)
	defer stop()
	if _, err := s.Lock(waiting, "shop", app, "production", nil); err != nil {
		return ctx.Err() != nil
	}
	defer l.enter(app)()
	r := l.begin(number, app)
	var copied []state.Record
	for other, err := range s.List(ctx, state.Query{App: app}) {
		if err != nil {
			return ctx.Err() != nil
		}
		if other.App == app {
			r.Sequence, copied = max(r.Sequence, other.Sequence+1), append(copied, other)
		}
	}
	if back := l.former(copied); back != "" {
		_ = l.goBack(ctx, s, r, back) && s.Flush(ctx) == nil && l.uploaded()
		return ctx.Err() != nil
	}
	if s.Put(ctx, r) != nil {
		return ctx.Err() != nil
	}
	l.note(func() { l.begun[r.Deployment], l.older[app] = true, copied })
	_ = l.deploy(ctx, s, r) && s.Flush(ctx) == nil && l.uploaded()
	return ctx.Err() != nil
}

// uploaded says that nothing of the attempt is on its machine alone.
func (l *life) uploaded() bool {
	l.ended = nil
	return true
}

// former is what a step goes back to that does not deploy; "" in most. It makes no
// Deployment: without a lock nothing may lead to it, so that it is not played where
// a state is lost.
func (l *life) former(records []state.Record) (deployment string) {
	if l.losses.any() || !l.exclusive() || l.random.IntN(5) > 0 {
		return ""
	}
	for _, r := range records {
		if r.Operation == "deploy" && r.Status == state.Succeeded {
			return r.Deployment
		}
	}
	return ""
}

// goBack releases a deployment again. It reports false where it was cut short.
func (l *life) goBack(ctx context.Context, s step, r state.Record, deployment string) (done bool) {
	r.Operation, r.Deployment = "release", deployment
	if s.Put(ctx, r) != nil || retry.Sleep(ctx, time.Duration(l.random.IntN(60))*time.Second) != nil {
		return false
	}
	l.note(func() { l.backs[r.App] = append(l.backs[r.App], r.ID) })
	return l.end(ctx, s, r)
}

// begin is the record of a deploy that begins.
func (l *life) begin(number int, app string) state.Record {
	id := fmt.Sprintf("R%d-%d-%d", l.run, l.job.run.Attempt, number)
	return state.Record{
		Schema: state.Schema, ID: id, Operation: "deploy", Status: state.Running,
		Project: "shop", App: app, Workspace: "production", Plugin: "docker", Sequence: 1, Deployment: app + "-" + id, Digest: "sha256:1",
		Origin: state.Origin{Run: l.run, Attempt: l.job.run.Attempt}, Started: time.Now().UTC(),
	}
}

// deploy is the rest of a step that has begun a deploy: its end, most often a
// release, and what GitHub is told. It reports false where it was cut short.
func (l *life) deploy(ctx context.Context, s step, r state.Record) (done bool) {
	if retry.Sleep(ctx, time.Duration(l.random.IntN(300))*time.Second) != nil || !l.end(ctx, s, r) {
		return false
	}
	if l.random.IntN(3) == 0 {
		return l.tell(ctx, s, r, "deployed")
	}
	release := r
	release.ID, release.Operation, release.Parent, release.Started = r.ID+"-release", "release", r.ID, time.Now().UTC()
	if s.Put(ctx, release) != nil {
		return false
	}
	at := -1
	l.note(func() {
		at = len(l.served[r.App])
		l.served[r.App] = append(l.served[r.App], service{r.Deployment, false})
	})
	if !l.end(ctx, s, release) || !l.tell(ctx, s, r, "released") {
		return false
	}
	l.note(func() { l.served[r.App][at].told = true })
	return true
}

// end puts the record of an operation that ended well.
func (l *life) end(ctx context.Context, s step, r state.Record) bool {
	r.Status, r.Ended = state.Succeeded, time.Now().UTC()
	if s.Put(ctx, r) != nil {
		return false
	}
	l.ended = append(l.ended, r.ID)
	l.note(func() { l.finished[r.ID] = true })
	return true
}

// tell tells GitHub how a deploy ended, where it was told that it began. Only a
// line that went dead ends the step.
func (l *life) tell(ctx context.Context, s step, r state.Record, what string) bool {
	id, found := s.Intent(r.Deployment)
	if !found {
		return true
	}
	err := s.client.SetDeploymentStatus(ctx, id, github.DeploymentStatus{State: "success", Description: what + " · " + r.Deployment})
	l.note(func() { l.told[r.Deployment] = l.told[r.Deployment] || err == nil })
	return err == nil
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
	s := l.job.step(l.hub)
	defer s.Close()
	if err := errors.Join(s.Flush(l.t.Context()), s.Release(l.t.Context())); err != nil {
		l.t.Errorf("post step of run %d: %v", l.run, err)
	}
}
