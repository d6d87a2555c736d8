package local_test

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/plugin/local"
)

// frontState returns what the front says of itself.
func (r *rig) frontState() string {
	data, _ := os.ReadFile(r.path("_front", "state.json")) // "" until there is one
	return string(data)
}

// upVariables carry what a run that is killed has to do; see TestUpOnce.
const (
	upData  = "LOCAL_TEST_DATA"
	upImage = "LOCAL_TEST_IMAGE"
	upID    = "LOCAL_TEST_ID"
)

// TestUpOnce deploys and releases once. It is no test by itself, but the
// process that TestKilledAtAnyMoment kills.
func TestUpOnce(t *testing.T) {
	if os.Getenv(upData) == "" {
		t.Skip("runs in a process of its own, for TestKilledAtAnyMoment")
	}
	r := &rig{t: t, host: newHost(os.Getenv(upData)), app: testApp}
	var image artifact.Image
	if err := json.Unmarshal([]byte(os.Getenv(upImage)), &image); err != nil {
		t.Fatal(err)
	}
	d, err := r.platform(local.PlatformConfig{}).Deploy(t.Context(), r.request(os.Getenv(upID), 1, image))
	if err != nil {
		t.Fatal(describe(err))
	}
	r.release(r.target(os.Getenv(upID), d), local.ReleaserConfig{})
}

// A run that is killed at any moment leaves nothing that Find and Destroy do
// not remove, and the next run works.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	image := r.image("one", "/app")
	encoded, err := json.Marshal(image)
	if err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	p := r.platform(local.PlatformConfig{})
	whole := long // how long a run takes that nobody kills: the first one
	for n := range 21 {
		id := "web-" + strconv.Itoa(n)
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestUpOnce$")
		cmd.Env = append(os.Environ(), upData+"="+r.host.DataDir, upImage+"="+string(encoded), upID+"="+id)
		started := time.Now()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		moment := whole
		if n > 0 {
			moment = time.Duration(random.Int64N(int64(whole)))
		}
		death := time.AfterFunc(moment, func() { cmd.Process.Kill() })
		err := cmd.Wait()
		if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.Exited() {
			t.Fatalf("run %d was to be killed, but failed by itself: %v", n, err)
		}
		death.Stop()
		if n == 0 {
			whole = time.Since(started)
		}
		if n%4 == 0 {
			// The next run adopts what there is.
			if _, err := p.Deploy(t.Context(), r.request(id, 1, image)); err != nil {
				t.Fatalf("run %d, killed, then deployed again: %s", n, describe(err))
			}
		}
		r.destroyAll(p)
		// One that was only just starting ends by itself.
		r.eventually("no supervisor is left", func() bool { return len(r.processes("supervise")) == 0 })
	}
	url := r.release(r.deploy("web-last", 2, local.PlatformConfig{}), local.ReleaserConfig{})
	if got := r.get(url); got != "web-last" {
		t.Errorf("after all this %q answers, want %q", got, "web-last")
	}
}

// destroyAll destroys every deployment that Find finds.
func (r *rig) destroyAll(p component.AnyPlatform) {
	r.t.Helper()
	found, err := p.Find(r.t.Context(), r.app)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, target := range found {
		if err := p.Destroy(r.t.Context(), target); err != nil {
			r.t.Fatal(err)
		}
	}
}

// The ID of a process that ended may belong to another one by now.
func TestReusedProcessID(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	target := r.deploy("web-1", 1, local.PlatformConfig{})
	r.kill(r.processes("supervise")...)
	path, err := compileApp()
	if err != nil {
		t.Fatal(err)
	}
	stranger := exec.CommandContext(t.Context(), path, "sleep")
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	state, err := json.Marshal(map[string]any{"phase": "running", "pid": stranger.Process.Pid})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(r.path("web-1", "state.json"), state, 0o600); err != nil {
		t.Fatal(err)
	}
	p := r.platform(local.PlatformConfig{})
	r.eventually("the status is down", func() bool {
		health, err := p.Status(t.Context(), target)
		return err == nil && health.State == component.Down
	})
	if err := p.Destroy(t.Context(), target); err != nil {
		t.Fatal(err)
	}
	if !running(stranger.Process.Pid) {
		t.Error("Destroy killed a process that is not the deployment's")
	}
	if err := stranger.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = stranger.Wait() // killed
}

// Whoever removes the folder by hand leaves no process behind that nobody could
// find any more.
func TestNothingOutlivesItsFolder(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.release(r.deploy("web-1", 1, local.PlatformConfig{}), local.ReleaserConfig{})
	app := r.appProcess("web-1")
	if err := os.RemoveAll(filepath.Join(r.host.DataDir, "shop")); err != nil {
		t.Fatal(err)
	}
	r.eventually("supervisor and front end", func() bool {
		return len(r.processes("supervise"))+len(r.processes("front")) == 0
	})
	r.eventually("the app ends", func() bool { return !running(app) })
}
