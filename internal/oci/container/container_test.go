package container_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/container"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// environ is an environment with one variable.
func environ(name, value string) func(string) string {
	return func(asked string) string {
		if asked == name {
			return value
		}
		return ""
	}
}

// need is what the engine is for.
var need = container.Need{Summary: "Docker engine not reachable", Purpose: "This test needs a Docker engine", Instead: "skip it"}

func TestOpenSaysWhyThereIsNoEngine(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "no.sock")
	cases := map[string]struct{ host, summary, detail string }{
		"nobody listens": {"tcp://127.0.0.1:1", "Docker engine not reachable", `This test needs a Docker engine, and nothing answers at "tcp://127.0.0.1:1". Start the engine, name another one with the variable DOCKER_HOST, or skip it.`},
		"no socket":      {"unix://" + missing, "Docker engine not reachable", `there is no socket at "` + missing + `"`},
		"no address":     {"nonsense", "Unusable settings of a Docker engine", `The address is "nonsense".`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := container.Open(t.Context(), environ("DOCKER_HOST", c.host), oci.Credentials{}, need)
			problem, ok := errors.AsType[*diag.Problem](err)
			if !ok || problem.Summary != c.summary || !strings.Contains(problem.Detail, c.detail) {
				t.Errorf("Open(%q) = %v, want %q, which says %q", c.host, err, c.summary, c.detail)
			}
		})
	}
}

func TestOpenEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := container.Open(ctx, environ("DOCKER_HOST", "tcp://127.0.0.1:1"), oci.Credentials{}, need)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Open = %v, want that it was cancelled", err)
	}
}

// open connects to a fake engine.
func open(t *testing.T, host string, getenv func(string) string) *container.Engine {
	t.Helper()
	e, err := container.Open(t.Context(), environ("DOCKER_HOST", host), oci.Credentials{Getenv: getenv}, need)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() }) // nothing is under way any more
	return e
}

var task = container.Task{
	Image: "busybox", Command: []string{"lint", "--all"},
	Env: map[string]secret.Text{"B": "2", "A": "1"}, Labels: map[string]string{"x": "y"},
}

func TestRunReturnsOutputAndStatus(t *testing.T) {
	t.Parallel()
	f, host := newFakeEngine(t)
	f.output, f.status = "untidy\n", 3
	var out bytes.Buffer
	status, err := open(t, host, nil).Run(t.Context(), task, &out)
	if err != nil || status != 3 || out.String() != "untidy\n" {
		t.Errorf("Run = %d, %v, and wrote %q", status, err, out.String())
	}
	got := f.made[0]
	if diff := cmp.Diff([]string{"A=1", "B=2"}, got.Env); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
	if !slices.Equal(got.Entrypoint, []string{"lint"}) || !slices.Equal(got.Cmd, []string{"--all"}) || got.Labels["x"] != "y" {
		t.Errorf("container = %+v, want the command in place of the entry point", got.Config)
	}
	if !got.HostConfig.AutoRemove || len(got.HostConfig.Binds)+len(got.HostConfig.Mounts) > 0 {
		t.Errorf("host configuration = %+v, want one that removes itself and shares no files", got.HostConfig)
	}
}

func TestRunLeavesNoContainer(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"POST /containers/{id}/attach", "POST /containers/{id}/start"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			f, host := newFakeEngine(t)
			f.refuse[at] = http.StatusInternalServerError
			if at != "POST /containers/{id}/attach" {
				t.Cleanup(func() { close(f.begun) }) // it waits for its start
			}
			if _, err := open(t, host, nil).Run(t.Context(), task, io.Discard); err == nil {
				t.Error("Run succeeded, want a failure")
			}
			if len(f.made) != 1 || len(f.live) != 0 {
				t.Errorf("made %d, left %v, want one that is gone", len(f.made), f.live)
			}
		})
	}
}

func TestRunExplainsACommandThatCannotBeStarted(t *testing.T) {
	t.Parallel()
	f, host := newFakeEngine(t)
	t.Cleanup(func() { close(f.begun) })
	f.refuse["POST /containers/{id}/start"] = http.StatusBadRequest
	_, err := open(t, host, nil).Run(t.Context(), task, io.Discard)
	problem, ok := errors.AsType[*diag.Problem](err)
	if !ok || problem.Summary != `The command "lint" cannot be started` || !strings.Contains(problem.Detail, `must be a program in the image "busybox"`) {
		t.Errorf("Run = %v, want a problem", err)
	}
}

func TestRunIsKilledWithItsContext(t *testing.T) {
	t.Parallel()
	f, host := newFakeEngine(t)
	ctx, cancel := context.WithCancel(t.Context())
	f.runs = func() {
		cancel()
		<-t.Context().Done() // it would never end
	}
	_, err := open(t, host, nil).Run(ctx, task, io.Discard)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v, want that it was cancelled", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.live) != 0 {
		t.Errorf("left %v, want that the container is gone", f.live)
	}
}

// login is an environment with a login for one registry.
var login = environ("REGISTRY_AUTH", "registry.test=robot:t0ken")

func TestPullShowsTheLogin(t *testing.T) {
	t.Parallel()
	f, host := newFakeEngine(t)
	if err := open(t, host, login).Pull(t.Context(), "registry.test/lint:1"); err != nil {
		t.Fatal(err)
	}
	raw, err := base64.URLEncoding.DecodeString(f.logins[0])
	if err != nil || !strings.Contains(string(raw), `"username":"robot","password":"t0ken"`) {
		t.Errorf("the engine was given the login %s, %v", raw, err)
	}
}

func TestPullSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		image, detail string
		getenv        func(string) string
	}{
		"no login":  {"registry.test/lint:1", "It was given no login", nil},
		"a login":   {"registry.test/lint:1", "It was given a login, which must allow pulling", login},
		"no image":  {"Not An Image", "is not the name of an image", nil},
		"other one": {"elsewhere.test/lint", "It was given no login", login},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, host := newFakeEngine(t)
			f.refuse["POST /images/create"] = http.StatusNotFound
			err := open(t, host, c.getenv).Pull(t.Context(), c.image)
			problem, ok := errors.AsType[*diag.Problem](err)
			if !ok || !strings.Contains(problem.Detail, c.detail) {
				t.Errorf("Pull = %v, want a problem that says %q", err, c.detail)
			}
		})
	}
}
