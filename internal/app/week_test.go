package app_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/state"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// The apps and workspaces of a week.
var (
	weekApps       = []string{"web", "api", "jobs"}
	weekWorkspaces = []string{"staging", "production"}
)

// life is what happens to the apps of a repository in 30 runs, on a clock that
// nobody has to wait for.
type life struct {
	*fleet
	t *testing.T
}

func newLife(t *testing.T) *life {
	l := &life{fleet: newFleet(t), t: t}
	l.now, l.slow, l.onCommits = time.Time{}, 100*time.Millisecond, true
	var file strings.Builder
	file.WriteString("project = \"shop\"\n")
	for _, name := range weekApps {
		_, app, _ := strings.Cut(strings.ReplaceAll(harborFile, "web", name), "\n\n")
		file.WriteString("\n" + app)
	}
	l.write(t, file.String())
	return l
}

// place is one app in one workspace.
type place struct{ app, workspace string }

func (p place) String() string { return p.app + " in " + p.workspace }

// flags choose the place.
func (p place) flags(more ...string) []string {
	return append([]string{"--app=" + p.app, "--workspace=" + p.workspace}, more...)
}

// push makes a run of a new commit some hours after the last one.
func (l *life) push(verb string, flags ...string) errand {
	time.Sleep(5 * time.Hour)
	l.begin()
	return errand{run: l.id(), attempt: 1, head: l.head, job: "deploy", inputs: asks(verb, flags...)}
}

// at says at GitHub how far a run is.
func (l *life) at(e errand, status, conclusion string) {
	l.github.AddRun(githubfake.Run{
		ID: e.run, Attempt: e.attempt, HeadSHA: e.head, HeadBranch: "main", Event: "push", Status: status, Conclusion: conclusion,
	})
}

// goes is a run that must go well.
func (l *life) goes(e errand) {
	l.t.Helper()
	environ := l.environ(l.t, l.t.TempDir(), e)
	for _, name := range []string{"deploy-action", "deploy-action-post"} {
		if status, log := l.step(l.t.Context(), name, environ, l.line()); status != 0 {
			l.t.Fatalf("run %d, %q: %s ended with %d\n%s", e.run, e.inputs, name, status, log)
		}
	}
	l.at(e, "completed", "success")
}

// cancelled is a run that is told to stop in the middle of a call.
func (l *life) cancelled(e errand, at string) {
	l.t.Helper()
	environ := l.environ(l.t, l.t.TempDir(), e)
	ctx, stop := context.WithCancel(l.t.Context())
	defer stop()
	l.cutAt, l.cut = at, func(ctx context.Context) error { stop(); <-ctx.Done(); return context.Cause(ctx) }
	if status, log := l.step(ctx, "deploy-action", environ, l.line()); status != 130 {
		l.t.Fatalf("run %d was cancelled, and ended with %d\n%s", e.run, status, log)
	}
	l.cutAt = ""
	l.post(environ)
	l.at(e, "completed", "cancelled")
}

// post is the post step of a job.
func (l *life) post(environ []string) {
	l.t.Helper()
	if status, log := l.step(l.t.Context(), "deploy-action-post", environ, l.line()); status != 0 {
		l.t.Fatalf("the post step ended with %d\n%s", status, log)
	}
}

// mortal is the way to GitHub of a machine that may be lost.
type mortal struct {
	http.RoundTripper
	lost atomic.Bool
}

func (m *mortal) RoundTrip(r *http.Request) (*http.Response, error) {
	if m.lost.Load() {
		<-r.Context().Done() // nobody is there to ask
		return nil, context.Cause(r.Context())
	}
	return m.RoundTripper.RoundTrip(r)
}

// killed is a run whose main step is killed in the middle of a call. With its
// machine is lost what was in its journal, and no post step follows.
func (l *life) killed(e errand, at string, machineToo bool) {
	l.t.Helper()
	environ := l.environ(l.t, l.t.TempDir(), e)
	ctx, stop := context.WithCancel(l.t.Context())
	line, arrived, let, ended := &mortal{RoundTripper: l.line()}, make(chan struct{}), make(chan struct{}), make(chan struct{})
	l.cutAt, l.cut = at, func(context.Context) error { close(arrived); <-let; return context.Canceled }
	go func() {
		defer close(ended)
		l.step(ctx, "deploy-action", environ, line)
	}()
	<-arrived
	l.cutAt = ""
	line.lost.Store(true)
	if !machineToo {
		l.post(environ)
	}
	l.at(e, "completed", "failure")
	stop() // nothing of it goes on when the test ends
	close(let)
	<-ended
}

// again is the next attempt of a run, on another machine. It builds the same.
func (l *life) again(e errand) errand {
	time.Sleep(time.Hour)
	e.attempt++
	l.content--
	l.at(e, "in_progress", "")
	return e
}

// atOnce are two runs that begin in the same moment.
func (l *life) atOnce(a, b errand) {
	var both sync.WaitGroup
	for _, e := range []errand{a, b} {
		both.Go(func() { l.goes(e) })
	}
	both.Wait()
}

// forget loses the newest state artifact of a place.
func (l *life) forget(p place) {
	l.t.Helper()
	for _, a := range slices.Backward(l.github.Artifacts()) {
		if strings.HasPrefix(a.Name, "deploy-action.shop."+p.app+"."+p.workspace) && a.Expires.After(time.Now()) {
			l.github.Expire(a.ID)
			return
		}
	}
	l.t.Fatalf("there is no state of %s to lose", p)
}

// is checks that `state show` tells of a place what the platform holds, and what
// users get there.
func (l *life) is(p place, when string) {
	l.t.Helper()
	e := errand{run: 900, attempt: 1, head: l.commit, job: "deploy", inputs: asks("state", append([]string{"show", "--all", "--json"}, p.flags()...)...)}
	status, out := l.step(l.t.Context(), "deploy-action", l.environ(l.t, l.t.TempDir(), e), l.line())
	var records []state.Record
	start := strings.Index(out, "[")
	if status != 0 || start < 0 {
		l.t.Fatalf("%s, state show of %s ended with %d\n%s", when, p, status, out)
	}
	if err := json.NewDecoder(strings.NewReader(out[start:])).Decode(&records); err != nil {
		l.t.Fatalf("%s, reading what state show printed: %v\n%s", when, err, out)
	}
	type known struct {
		Deployments []string
		Serving     string
	}
	var told, real known
	for _, r := range records {
		switch {
		case r.Operation == "deploy" && r.Status == state.Succeeded:
			told.Deployments = append(told.Deployments, r.Deployment)
		case r.Operation == "release" && r.Status == state.Succeeded && told.Serving == "":
			told.Serving = r.Deployment
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, b := range l.berths {
		if b.app == p.app && b.workspace == p.workspace {
			real.Deployments = append(real.Deployments, id)
		}
	}
	real.Serving = l.traffic[p.app+"."+p.workspace]
	if len(l.outages) > 0 {
		l.t.Errorf("%s, deployments were destroyed that users were sent to: %v", when, l.outages)
		l.outages = nil
	}
	slices.Sort(told.Deployments)
	told.Deployments = slices.Compact(told.Deployments) // one may have been made in several attempts
	slices.Sort(real.Deployments)
	if diff := cmp.Diff(told, real); diff != "" {
		l.t.Errorf("%s, %s (-state +platform):\n%s", when, p, diff)
	}
}

// A week in the life of a repository: whatever happens to its runs and to what
// they leave, the state is what the platform holds; and with all of it lost one
// command goes back.
func TestWeek(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		for _, workspace := range weekWorkspaces {
			l.up("first runs", workspace)
		}
		l.cutShort()
		l.runAgain()
		l.compete()
		l.lose()
		l.goBack()
		l.rest()
		l.goBackFromNothing()
		if l.runs < 30 {
			t.Errorf("a week of %d runs", l.runs)
		}
	})
}

// up deploys all apps to a workspace.
func (l *life) up(when, workspace string) {
	l.t.Helper()
	l.goes(l.push("up", "--workspace="+workspace))
	for _, app := range weekApps {
		l.is(place{app, workspace}, when)
	}
}

// cutShort has runs that do not come to their end, and what follows.
func (l *life) cutShort() {
	web, api, jobs := place{"web", "production"}, place{"api", "production"}, place{"jobs", "staging"}
	l.cancelled(l.push("up", web.flags()...), "deploy")
	l.goes(l.push("up", web.flags()...))
	l.is(web, "after a cancelled run")
	l.cancelled(l.push("up", web.flags()...), "release")
	l.killed(l.push("up", web.flags()...), "release", true)
	l.goes(l.push("up", web.flags()...))
	l.is(web, "after runs that may have released")
	l.killed(l.push("up", api.flags()...), "deploy", false)
	l.goes(l.push("up", api.flags()...))
	l.is(api, "after a killed run")
	l.killed(l.push("up", jobs.flags()...), "deploy", true)
	l.goes(l.push("up", jobs.flags()...))
	l.is(jobs, "after a lost machine")
}

// runAgain has runs that are run again.
func (l *life) runAgain() {
	web, api, jobs := place{"web", "production"}, place{"api", "staging"}, place{"jobs", "production"}
	killed := l.push("up", web.flags()...)
	l.killed(killed, "deploy", false)
	l.goes(l.again(killed))
	l.is(web, "after a killed run was run again")
	lost := l.push("up", api.flags()...)
	l.killed(lost, "deploy", true)
	l.goes(l.again(lost))
	l.is(api, "after the run of a lost machine was run again")
	back := l.push("rollback", jobs.flags("--deployment=1")...)
	l.goes(back)
	l.goes(l.push("up", jobs.flags()...))
	serving := l.serves(jobs)
	l.goes(l.again(back))
	l.goes(l.push("rollback", jobs.flags()...))
	l.is(jobs, "after a rollback was run again, and undone")
	if got := l.serves(jobs); got != serving {
		l.t.Errorf("after a rollback was run again, and undone, %s serves, want %s", got, serving)
	}
}

// compete has runs that are at work at once.
func (l *life) compete() {
	web, api := place{"web", "staging"}, place{"api", "staging"}
	l.atOnce(l.push("up", web.flags()...), l.push("up", web.flags()...))
	l.is(web, "after two runs at once")
	l.atOnce(l.push("up", web.flags()...), l.push("up", api.flags()...))
	l.is(web, "after runs of two apps at once")
	l.is(api, "after runs of two apps at once")
	l.atOnce(l.push("rollback", web.flags()...), l.push("up", web.flags()...))
	l.is(web, "after a rollback and a run at once")
}

// lose has artifacts that are lost.
func (l *life) lose() {
	web, api, jobs := place{"web", "production"}, place{"api", "production"}, place{"jobs", "staging"}
	killed := l.push("up", web.flags()...)
	l.killed(killed, "deploy", false)
	l.goes(l.again(killed))
	l.forget(web)
	l.goes(l.push("up", web.flags()...))
	l.is(web, "after the state of a second attempt was lost")
	l.cancelled(l.push("up", web.flags()...), "release")
	l.forget(web)
	l.goes(l.push("up", web.flags()...))
	l.is(web, "after the state of a run was lost that may have released")
	l.goes(l.push("up", api.flags()...))
	serving := l.serves(api)
	l.goes(l.push("up", api.flags()...))
	l.forget(api)
	l.goes(l.push("rollback", api.flags()...))
	l.is(api, "after the state before a rollback was lost")
	if got := l.serves(api); got != serving {
		l.t.Errorf("after a rollback %s serves, want %s", got, serving)
	}
	l.forget(api)
	l.goes(l.push("up", api.flags()...))
	l.is(api, "after the state of a rollback was lost")
	l.goes(l.push("destroy", jobs.flags()...))
	l.is(jobs, "after a destroy")
	l.forget(jobs)
	l.goes(l.push("up", jobs.flags()...))
	l.is(jobs, "after the state of a destroy was lost")
}

// serves returns what users get in a place.
func (l *life) serves(p place) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.traffic[p.app+"."+p.workspace]
}

// goBack goes back and forth.
func (l *life) goBack() {
	web := place{"web", "production"}
	before := l.serves(web)
	l.goes(l.push("rollback", web.flags()...))
	l.goes(l.push("rollback", web.flags()...))
	if got := l.serves(web); got != before {
		l.t.Errorf("after going back twice %s serves, want %s", got, before)
	}
	l.is(web, "after two rollbacks")
}

// rest has nobody at work for longer than artifacts are kept.
func (l *life) rest() {
	time.Sleep(100 * 24 * time.Hour)
	web := place{"web", "staging"}
	l.goes(l.push("rollback", web.flags()...))
	l.is(web, "after all artifacts had expired")
}

// goBackFromNothing loses all artifacts, and goes back with one command.
func (l *life) goBackFromNothing() {
	before := map[place]string{}
	for _, workspace := range weekWorkspaces {
		for _, app := range weekApps {
			before[place{app, workspace}] = l.serves(place{app, workspace})
		}
		l.up("after the last run", workspace)
	}
	l.fleet.lose()
	for _, workspace := range weekWorkspaces {
		l.goes(l.push("rollback", "--workspace="+workspace))
	}
	for p, want := range before {
		l.is(p, "after a rollback without artifacts")
		if got := l.serves(p); got != want {
			l.t.Errorf("after a rollback without artifacts users of %s get %s, want %s", p, got, want)
		}
	}
}
