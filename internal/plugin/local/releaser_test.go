package local_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/plugin/local"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// load sends requests to url from several clients until stop is called, which
// returns how many there were and the first that failed.
func (r *rig) load(url string) (sent *atomic.Int64, stop func() error) {
	ctx, cancel := context.WithCancel(r.t.Context())
	sent = new(atomic.Int64)
	failed := make(chan error, 1)
	var clients sync.WaitGroup
	for n := range 8 {
		// Half of the clients keep their connections.
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: n%2 == 0}}
		clients.Go(func() {
			for ctx.Err() == nil {
				body, status, err := fetch(ctx, client, url)
				if ctx.Err() != nil {
					return
				}
				if err != nil || status != http.StatusOK {
					select {
					case failed <- fmt.Errorf("request %d: status %d, %q, %w", sent.Load(), status, body, err):
					default:
					}
				}
				sent.Add(1)
			}
		})
	}
	return sent, func() error {
		cancel()
		clients.Wait()
		close(failed)
		return <-failed
	}
}

func TestSwitchUnderLoad(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := r.platform(local.PlatformConfig{})
	former := r.deploy("web-0", 1, local.PlatformConfig{})
	url := r.release(former, local.ReleaserConfig{})
	sent, stop := r.load(url)
	for n := range 3 {
		next := r.deploy(fmt.Sprintf("web-%d", n+1), n+2, local.PlatformConfig{})
		if got := r.release(next, local.ReleaserConfig{}); got != url {
			t.Fatalf("the front moved from %s to %s", url, got)
		}
		if err := p.Destroy(t.Context(), former); err != nil {
			t.Fatal(err)
		}
		before := sent.Load()
		r.eventually("requests go on", func() bool { return sent.Load() > before+100 })
		if got := r.get(url); got != next.ID {
			t.Errorf("after the release %q answers, want %q", got, next.ID)
		}
		former = next
	}
	if err := stop(); err != nil {
		t.Errorf("of %d requests: %v", sent.Load(), err)
	}
}

func TestDestroyWaitsForRequests(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	former := r.deploy("web-1", 1, local.PlatformConfig{})
	url := r.release(former, local.ReleaserConfig{})
	held := make(chan string, 1)
	go func() {
		body, status, err := fetch(t.Context(), r.host.HTTP, url+"/hold")
		held <- fmt.Sprint(status, " ", body, " ", err)
	}()
	r.eventually("the request is in flight", func() bool { return strings.Contains(r.frontState(), `"web-1": 1`) })
	r.release(r.deploy("web-2", 2, local.PlatformConfig{}), local.ReleaserConfig{})
	if got := r.get(url); got != "web-2" {
		t.Errorf("a new request is answered by %q, want %q", got, "web-2")
	}

	destroyed := make(chan error, 1)
	go func() { destroyed <- r.platform(local.PlatformConfig{}).Destroy(t.Context(), former) }()
	select {
	case err := <-destroyed:
		t.Fatalf("Destroy = %v while a request is in flight", err)
	case answer := <-held:
		t.Fatalf("the held request was answered %q", answer)
	default:
	}
	r.get(former.Deployment.URL() + "/release")
	if got, want := <-held, "200 held by web-1 <nil>"; got != want {
		t.Errorf("the held request got %q, want %q", got, want)
	}
	if err := <-destroyed; err != nil {
		t.Error(err)
	}
}

func TestDestroyOfTheReleased(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	target := r.deploy("web-1", 1, local.PlatformConfig{})
	url := r.release(target, local.ReleaserConfig{})
	if err := r.platform(local.PlatformConfig{}).Destroy(t.Context(), target); err != nil {
		t.Fatal(err)
	}
	body, status, err := fetch(t.Context(), r.host.HTTP, url)
	if err != nil || status != http.StatusServiceUnavailable || !strings.Contains(body, "No deployment is released") {
		t.Errorf("GET = %d %q %v, want 503 and why", status, body, err)
	}
}

func TestKilledFront(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	target := r.deploy("web-1", 1, local.PlatformConfig{})
	url := r.release(target, local.ReleaserConfig{})
	r.kill(r.processes("front")...)
	p := r.platform(local.PlatformConfig{})
	r.eventually("the status is degraded", func() bool {
		health, err := p.Status(t.Context(), target)
		return err == nil && health.State == component.Degraded
	})
	if got := r.release(target, local.ReleaserConfig{}); got != url {
		t.Errorf("the front came back at %s, want %s", got, url)
	}
	if got := r.get(url); got != "web-1" {
		t.Errorf("the front answers %q, want %q", got, "web-1")
	}
}

func TestFrontPortInUse(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	target := r.deploy("web-1", 1, local.PlatformConfig{})
	port := listener.Addr().(*net.TCPAddr).Port
	_, err = r.releaser(local.ReleaserConfig{FrontPort: port}).Release(t.Context(), component.ReleaseRequest[component.Deployment]{Target: target, Percent: 100})
	problem, ok := errors.AsType[*diag.Problem](err)
	if !ok || problem.Attr != "front_port" || !strings.Contains(problem.Detail, "local.test") {
		t.Errorf("Release = %s, want a problem at front_port that names this process", describe(err))
	}
}

func TestReleasePlan(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	one, two := r.deploy("web-1", 1, local.PlatformConfig{}), r.deploy("web-2", 2, local.PlatformConfig{})
	expect := func(target component.Target[component.Deployment], c local.ReleaserConfig, want component.Action) {
		t.Helper()
		plan, err := r.releaser(c).Plan(t.Context(), component.ReleaseRequest[component.Deployment]{Target: target, Percent: 100})
		if err != nil || len(plan.Changes) != 1 || plan.Changes[0].Action != want {
			t.Errorf("Plan(%q) = %+v, %v, want one to %s", target.ID, plan, err, want)
		}
	}
	expect(one, local.ReleaserConfig{}, component.Create)
	r.release(one, local.ReleaserConfig{})
	expect(one, local.ReleaserConfig{}, component.Keep)
	expect(two, local.ReleaserConfig{}, component.Update)
	expect(one, local.ReleaserConfig{Protocol: "tcp"}, component.Replace)

	_, err := r.releaser(local.ReleaserConfig{}).Plan(t.Context(), component.ReleaseRequest[component.Deployment]{Target: two, Percent: 10})
	if !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Plan of 10%% = %v, want that it is unsupported", err)
	}
}

func TestTCP(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	target := r.deploy("web-1", 1, local.PlatformConfig{Protocol: "tcp", StaticEnvironment: map[string]secret.Text{"ECHO": "1"}})
	url := r.release(target, local.ReleaserConfig{Protocol: "tcp"})
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "tcp://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintln(conn, "hello")
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || line != "hello\n" {
		t.Errorf("the echo is %q, %v, want %q", line, err, "hello\n")
	}
}

func TestReleaserDestroy(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	target := r.deploy("web-1", 1, local.PlatformConfig{})
	url := r.release(target, local.ReleaserConfig{})
	for range 2 {
		if err := r.releaser(local.ReleaserConfig{}).Destroy(t.Context(), r.app, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := fetch(t.Context(), r.host.HTTP, url); err == nil {
		t.Error("the front answers after it was destroyed")
	}
	if got := r.get(target.Deployment.URL()); got != "web-1" {
		t.Errorf("the deployment answers %q, want %q: only the front is gone", got, "web-1")
	}
}
