package app_test

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/app"
)

// gatedApp is deployed by the plugin of a gate.
const gatedApp = "project = \"shop\"\napp \"web\" {\n  build {\n    use \"gate\" {}\n  }\n  deploy {\n    use \"gate\" {}\n  }\n  release {\n    use \"gate\" {}\nCANARY\n  }\n}\n"

// withoutCanary and withCanary are the apps of [gatedApp].
var (
	withoutCanary = strings.ReplaceAll(gatedApp, "CANARY", "")
	withCanary    = strings.ReplaceAll(gatedApp, "CANARY", "    canary = [10, 100]\n    pause = \"1m\"")
)

// killedAfter is when a runner kills a step that it has told to stop.
const killedAfter = 10 * time.Second

// outcome is how a step ended.
type outcome struct {
	status int
	log    string
}

// start runs the program under a name with the plugin of a gate, over a
// transport, until it ends by itself.
func (j *job) start(ctx context.Context, name string, g *gate, transport http.RoundTripper) <-chan outcome {
	ended := make(chan outcome, 1)
	go func() {
		var out bytes.Buffer
		status := app.Main(ctx, app.Sys{
			Args: []string{name}, Dir: j.workspace, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Plugins: g.plugins(),
			HTTP: &http.Client{Transport: transport}, Environ: append(append(j.environ(), "INPUT_COMMAND=up"), j.inputs...),
		})
		ended <- outcome{status, out.String()}
	}()
	return ended
}

// finish is a whole run that nothing disturbs.
func (j *job) finish(t *testing.T, name string) {
	t.Helper()
	if o := <-j.start(t.Context(), name, newGate("", false), j.github); o.status != 0 {
		t.Fatalf("%s ended with %d\n%s", name, o.status, o.log)
	}
}

// cancel waits until the run is at its gate, cancels it, and checks that it ends
// before a runner would kill it.
func cancel(t *testing.T, g *gate, stop context.CancelFunc, ended <-chan outcome) string {
	t.Helper()
	<-g.arrived
	began := time.Now()
	stop()
	o := <-ended
	if took := time.Since(began); o.status != 130 || took >= killedAfter {
		t.Errorf("the run ended with %d after %v, want 130 within %v\n%s", o.status, took, killedAfter, o.log)
	}
	return o.log
}

// hanging is a transport whose requests to one host get no answer while it
// hangs.
type hanging struct {
	http.RoundTripper
	host string
	now  atomic.Bool
}

func (h *hanging) RoundTrip(r *http.Request) (*http.Response, error) {
	if h.now.Load() && r.URL.Host == h.host {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return h.RoundTripper.RoundTrip(r)
}

// lastTold is what the commit says in the end.
func (j *job) lastTold() string {
	told := j.told()
	if len(told) == 0 {
		return ""
	}
	return told[len(told)-1]
}

const cancelled = "deploy-action/web (default): error"

// A plugin that does not look at its context does not keep the run from saving
// the state, and can begin nothing more when it comes back.
func TestPluginThatIgnoresTheSignal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j, g := newJob(t, withoutCanary), newGate("deploy", true)
		ctx, stop := context.WithCancel(t.Context())
		log := cancel(t, g, stop, j.start(ctx, "deploy-action", g, j.github))
		if !strings.Contains(log, "what it was doing did not end") {
			t.Errorf("the log does not say why the run ends\n%s", log)
		}
		if n := len(j.github.Artifacts()); n != 1 || j.locked(t) || j.lastTold() != cancelled {
			t.Errorf("%d artifacts, locked: %v, status %q; want all in order", n, j.locked(t), j.lastTold())
		}
		before := len(j.github.Calls())
		close(g.let)
		synctest.Wait()
		if made := g.made(); slices.Contains(made, "release 100") || len(j.github.Calls()) != before {
			t.Errorf("after its end the run did more: %v, %v", made, j.github.Calls()[before:])
		}
	})
}

// Where GitHub answers nothing any more the state is uploaded all the same, and
// the post step does what was left once GitHub answers again.
func TestCancelledWhileGitHubHangs(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"build", "deploy", "release 100"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				j, g := newJob(t, withoutCanary), newGate(at, false)
				api := &hanging{RoundTripper: j.github, host: "api.example.test"}
				ctx, stop := context.WithCancel(t.Context())
				cancel(t, g, func() { api.now.Store(true); stop() }, j.start(ctx, "deploy-action", g, api))
				if n := len(j.github.Artifacts()); n != 1 {
					t.Errorf("%d artifacts were uploaded, want 1", n)
				}
				j.finish(t, "deploy-action-post")
				if n := len(j.github.Artifacts()); n != 1 || j.locked(t) || j.lastTold() != cancelled {
					t.Errorf("after the post step: %d artifacts, locked: %v, status %q; want all in order", n, j.locked(t), j.lastTold())
				}
				for _, d := range j.github.Deployments() {
					if d.State() != "inactive" {
						t.Errorf("the Deployment is %q, want it inactive", d.State())
					}
				}
			})
		})
	}
}

// An upload that takes longer than there is time is made by the post step.
func TestCancelledWhileUploadHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j, g := newJob(t, withoutCanary), newGate("deploy", false)
		storage := &hanging{RoundTripper: j.github, host: "results.example.test"}
		ctx, stop := context.WithCancel(t.Context())
		cancel(t, g, func() { storage.now.Store(true); stop() }, j.start(ctx, "deploy-action", g, storage))
		if n := len(j.github.Artifacts()); n != 0 || j.locked(t) || j.lastTold() != cancelled {
			t.Errorf("%d artifacts, locked: %v, status %q; want no artifact, and the rest in order", n, j.locked(t), j.lastTold())
		}
		j.finish(t, "deploy-action-post")
		if n := len(j.github.Artifacts()); n != 1 {
			t.Errorf("the post step left %d artifacts, want 1", n)
		}
	})
}

// Once the post step has begun, a main step that outlived its client ends and
// changes nothing more, wherever it was and whether its plugin listens or not.
func TestFence(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"build", "deploy", "release 10", "status", "release 100"} {
		for _, ignorant := range []bool{false, true} {
			name := at
			if ignorant {
				name += ", ignorant"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { fenced(t, at, ignorant) })
			})
		}
	}
}

func fenced(t *testing.T, at string, ignorant bool) {
	j, g := newJob(t, withCanary), newGate(at, ignorant)
	j.inputs = []string{withPost}
	j.finish(t, "deploy-action") // an earlier step, so that there is something to share traffic with
	ended := j.start(t.Context(), "deploy-action", g, j.github)
	<-g.arrived
	if o := <-j.start(t.Context(), "deploy-action-post", g, j.github); o.status != 0 || j.locked(t) || j.lastTold() != cancelled {
		t.Errorf("the post step ended with %d; locked: %v, status %q\n%s", o.status, j.locked(t), j.lastTold(), o.log)
	}
	calls, made, records := j.github.Calls(), g.made(), j.journaled(t)
	close(g.let)
	if o := <-ended; o.status != 130 {
		t.Errorf("the main step ended with %d, want 130\n%s", o.status, o.log)
	}
	if diff := cmp.Diff(calls, j.github.Calls()); diff != "" {
		t.Errorf("the main step told GitHub of more (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(made, g.made()); diff != "" {
		t.Errorf("the main step changed more (-before +after):\n%s", diff)
	}
	if after := j.journaled(t); after != records {
		t.Errorf("the main step wrote to the journal: %q, then %q", records, after)
	}
}

// journaled returns the journal's content.
func (j *job) journaled(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(j.temp, journal))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
