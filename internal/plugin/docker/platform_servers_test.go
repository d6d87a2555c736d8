//go:build servers

package docker

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/moby/moby/client"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

// serveAfter returns the attribute for a command that runs a shell script and then
// serves /www. A shell is around it because process 1 of a container ignores
// the stop signal unless it asks for it.
func serveAfter(script string) string {
	return fmt.Sprintf("command = [\"sh\", \"-c\", %q]\n", "trap 'exit 0' TERM; "+script+" httpd -f -p $PORT -h /www & wait")
}

// TestRealEngine runs the whole life of deployments on a real engine.
func TestRealEngine(t *testing.T) {
	t.Parallel()
	engine := servers.Docker(t)
	engine.ImportBusybox(t)
	base := artifact.Image{Repository: "local/busybox", Tag: "1.35", Daemon: true}
	cases := map[string]func(*testing.T, *servers.DockerEngine, artifact.Image){
		"life":            wholeLife,
		"a failing one":   failing,
		"health check":    healthCheck,
		"files":           deliveredFiles,
		"bad command":     badCommand,
		"networks":        networks,
		"late listener":   lateListener,
		"from a layout":   fromLayout,
		"from a registry": fromRegistry,
	}
	for name, run := range cases {
		t.Run(name, func(t *testing.T) { run(t, engine, base) })
	}
}

// newRealTrial opens the platform on body, for an app that is named for the
// test and removed after it.
func newRealTrial(t *testing.T, engine *servers.DockerEngine, image artifact.Image, body string) *trial {
	t.Helper()
	tr := &trial{platform: openAt(t, engine.Host, body)}
	app := component.Label(strings.ReplaceAll(t.Name(), "TestRealEngine/", ""), 19)
	tr.request.Artifact = image
	tr.request.App = component.App{Project: "servers-test", Name: app, Workspace: "default"}
	tr.request.ID, tr.request.Sequence = app+"-"+component.Label(time.Now().Format("150405.000"), 12), 1
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		found, err := tr.platform.Find(ctx, tr.request.App)
		if err != nil {
			t.Error(err)
		}
		for _, target := range found {
			if err := tr.platform.Destroy(ctx, target); err != nil {
				t.Error(err)
			}
		}
	})
	return tr
}

// get returns what answers at a URL.
func get(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func wholeLife(t *testing.T, engine *servers.DockerEngine, image artifact.Image) {
	tr := newRealTrial(t, engine, image, serveAfter("echo hello; echo oops >&2;"))
	plan, err := tr.platform.Plan(t.Context(), tr.request)
	if err != nil || len(plan.Changes) != 2 || plan.Changes[0].Action != component.Keep {
		t.Errorf("Plan() = %v, %v, want to keep the image and create a container", plan, err)
	}
	d := tr.deploy(t)
	if got := get(t, d.URL()); got != "hello from busybox\n" {
		t.Errorf("the deployment answers %q", got)
	}
	if again := tr.deploy(t); again.URL() != d.URL() {
		t.Errorf("deploying again moves it from %q to %q", d.URL(), again.URL())
	}
	target := tr.target(d)
	if health, err := tr.platform.Status(t.Context(), target); err != nil || health.State != component.Ready || health.Drift != nil {
		t.Errorf("Status() = %+v, %v, want ready", health, err)
	}
	found, err := tr.platform.Find(t.Context(), tr.request.App)
	if err != nil || len(found) != 1 || found[0].ID != tr.request.ID || found[0].Deployment.URL() != d.URL() {
		t.Errorf("Find() = %+v, %v, want the deployment", found, err)
	}
	texts := map[string]bool{}
	for line, err := range tr.platform.Logs(t.Context(), target, component.LogRequest{Tail: 10}) {
		if err != nil {
			t.Fatal(err)
		}
		texts[line.Text] = !line.Time.IsZero()
	}
	if !texts["hello"] || !texts["oops"] {
		t.Errorf("Logs() = %v, want both streams with times", texts)
	}
	executeInside(t, tr, target)
	for range 2 {
		if err := tr.platform.Destroy(t.Context(), target); err != nil {
			t.Errorf("Destroy() = %v", err)
		}
	}
	if health, err := tr.platform.Status(t.Context(), target); err != nil || health.State != component.Missing {
		t.Errorf("Status() = %+v, %v, want missing", health, err)
	}
}

// executeInside runs commands in a container.
func executeInside(t *testing.T, tr *trial, target component.Target[component.Deployment]) {
	t.Helper()
	var out, errs bytes.Buffer
	status, err := tr.platform.Exec(t.Context(), target, component.ExecRequest{
		Command: []string{"sh", "-c", "cat; echo err >&2; exit 7"}, Stdin: strings.NewReader("input"), Stdout: &out, Stderr: &errs,
	})
	if err != nil || status != 7 || out.String() != "input" || errs.String() != "err\n" {
		t.Errorf("Exec() = %d, %v, writes %q and %q, want 7, %q and %q", status, err, out.String(), errs.String(), "input", "err\n")
	}
	out.Reset()
	status, err = tr.platform.Exec(t.Context(), target, component.ExecRequest{Command: []string{"tty"}, TTY: true, Stdout: &out, Stderr: &out})
	if err != nil || status != 0 || !strings.HasPrefix(out.String(), "/dev/") {
		t.Errorf("Exec(tty) = %d, %v, writes %q, want the name of a terminal", status, err, out.String())
	}
}

func failing(t *testing.T, engine *servers.DockerEngine, image artifact.Image) {
	tr := newRealTrial(t, engine, image, `command = ["sh", "-c", "echo the reason; exit 3"]`)
	d, err := tr.platform.Deploy(t.Context(), tr.request)
	wantProblem(t, err, "Container stopped", "", "status 3")
	if d == nil {
		t.Fatal("Deploy() returns no deployment beside the error")
	}
	health, err := tr.platform.Status(t.Context(), tr.target(d))
	if err != nil || health.State != component.Down || health.Message != "ended with status 3" {
		t.Errorf("Status() = %+v, %v, want down with status 3", health, err)
	}
}

func healthCheck(t *testing.T, engine *servers.DockerEngine, _ artifact.Image) {
	img := rebuild(t, engine, func(c v1.Config) v1.Config {
		c.Healthcheck = &v1.HealthConfig{Test: []string{"CMD", "test", "-e", "/healthy"}, Interval: time.Second, Retries: 3}
		return c
	})
	image := load(t, engine, img, "local/checked:1")
	newRealTrial(t, engine, image, serveAfter("sleep 1; touch /healthy; PORT=1234")).deploy(t)
	sick := newRealTrial(t, engine, image, serveAfter(""))
	_, err := sick.platform.Deploy(t.Context(), sick.request)
	wantProblem(t, err, "Container is not healthy", "", "status 1")
}

func deliveredFiles(t *testing.T, engine *servers.DockerEngine, image artifact.Image) {
	tr := newRealTrial(t, engine, image, serveAfter(""))
	tr.request.Files = map[string]component.Setting{"/www/deep/config": {Text: "delivered"}}
	if got := get(t, tr.deploy(t).URL()+"/deep/config"); got != "delivered" {
		t.Errorf("the container serves %q, want %q", got, "delivered")
	}
}

func badCommand(t *testing.T, engine *servers.DockerEngine, image artifact.Image) {
	tr := newRealTrial(t, engine, image, `command = ["/no/such/program"]`)
	_, err := tr.platform.Deploy(t.Context(), tr.request)
	wantProblem(t, err, "Container cannot be started", "command", "")
}

// networks connects a container to a network that exists, and names one that
// does not.
func networks(t *testing.T, engine *servers.DockerEngine, image artifact.Image) {
	const network = "deploy-action-test"
	if _, err := engine.Client.NetworkCreate(t.Context(), network, client.NetworkCreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := engine.Client.NetworkRemove(context.WithoutCancel(t.Context()), network, client.NetworkRemoveOptions{}); err != nil {
			t.Error(err)
		}
	})
	tr := newRealTrial(t, engine, image, serveAfter("")+`networks = ["`+network+`"]`)
	tr.deploy(t)
	c, err := engine.Client.ContainerInspect(t.Context(), tr.request.ID, client.ContainerInspectOptions{})
	if err != nil || c.Container.NetworkSettings.Networks[network] == nil {
		t.Errorf("the container is not in the network (%v)", err)
	}
	tr = newRealTrial(t, engine, image, serveAfter("")+`networks = ["no-such-network"]`)
	_, err = tr.platform.Plan(t.Context(), tr.request)
	wantProblem(t, err, "No such network", "networks", "no-such-network")
}

// lateListener shows that an open port of the engine's proxy is not taken for
// an app that listens.
func lateListener(t *testing.T, engine *servers.DockerEngine, image artifact.Image) {
	tr := newRealTrial(t, engine, image, serveAfter("sleep 2;"))
	if got := get(t, tr.deploy(t).URL()); got != "hello from busybox\n" {
		t.Errorf("the deployment answers %q", got)
	}
}

func fromLayout(t *testing.T, engine *servers.DockerEngine, _ artifact.Image) {
	img := rebuild(t, engine, func(c v1.Config) v1.Config {
		c.Labels = map[string]string{"kept": "in a layout"}
		return c
	})
	forget(t, engine, "local/layout:1")
	dir := t.TempDir()
	digest, config := store(t, dir, img)
	tr := newRealTrial(t, engine, artifact.Image{Repository: "local/layout", Tag: "1", Digest: digest, Layout: dir}, serveAfter(""))
	tr.deploy(t)
	loaded, err := engine.Client.ImageInspect(t.Context(), "local/layout:1")
	if err != nil || loaded.ID != config {
		t.Errorf("the engine has %q as local/layout:1 (%v), want %q", loaded.ID, err, config)
	}
}

func fromRegistry(t *testing.T, engine *servers.DockerEngine, _ artifact.Image) {
	registry := servers.Registry(t, servers.RegistryConfig{Username: "robot", Password: "token-of-robot"})
	img := rebuild(t, engine, func(c v1.Config) v1.Config {
		c.Labels = map[string]string{"kept": "in a registry at " + registry.Host}
		return c
	})
	repository := registry.Host + "/team/web"
	tag, err := name.NewTag(repository + ":v1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(tag, img, remote.WithContext(t.Context()), remote.WithAuth(basicAuth{})); err != nil {
		t.Fatal(err)
	}
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	forget(t, engine, repository+"@"+digest.String())
	tr := newRealTrial(t, engine, artifact.Image{Repository: repository, Tag: "v1", Digest: digest.String()}, serveAfter(""))
	d, err := tr.platform.Deploy(t.Context(), tr.request)
	wantProblem(t, err, "Image cannot be pulled", "auth", "given no login")
	if d != nil {
		t.Errorf("Deploy() = %v beside the error, want nothing made", d)
	}
	tr.request.Pull = &artifact.Repository{Name: repository, Login: func(context.Context) (string, secret.Text, error) {
		return "robot", "token-of-robot", nil
	}}
	tr.deploy(t)
}
