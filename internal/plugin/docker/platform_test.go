package docker

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/moby/moby/api/types/container"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/testkit/plugintest"
)

func TestPlatform(t *testing.T) {
	t.Parallel()
	plugintest.Platform(t, plugintest.PlatformCase{
		Plugin: Plugin,
		New: func(t *testing.T, calls *plugintest.Calls) plugintest.World {
			engine, host := newFakeEngine(t, calls)
			return plugintest.World{
				Host:     component.Host{Getenv: env("DOCKER_HOST", host)},
				Config:   "plaintext_secrets = true",
				Artifact: artifact.Image{Repository: "registry.test/web", Tag: "v1"},
				Exists:   engine.names,
				Command:  []string{"true"},
			}
		},
		RealTime: true,
	})
}

// env is an environment of one variable.
func env(name, value string) func(string) string {
	return func(asked string) string {
		if asked == name {
			return value
		}
		return ""
	}
}

// quiet is progress that nobody watches.
type quiet struct{}

// Step implements [component.Progress].
func (quiet) Step(ctx context.Context, _ string, fn func(context.Context, component.Step) error) error {
	return fn(ctx, quiet{})
}
func (quiet) Update(string, ...any) {}
func (quiet) Output() io.Writer     { return io.Discard }

// trial is a fake engine and the platform on it.
type trial struct {
	engine   *fakeEngine
	platform component.AnyPlatform
	request  component.DeployRequest[artifact.Artifact]
}

// newTrial opens the platform on body.
func newTrial(t *testing.T, body string) *trial {
	t.Helper()
	engine, host := newFakeEngine(t, nil)
	tr := &trial{engine: engine, platform: openAt(t, host, body)}
	tr.request.Artifact = artifact.Image{Repository: "registry.test/web", Tag: "v1"}
	tr.request.App = component.App{Project: "shop", Name: "web", Workspace: "default"}
	tr.request.ID, tr.request.Sequence = "web-a", 3
	return tr
}

// openAt opens the platform on body for the engine at host.
func openAt(t *testing.T, host, body string) component.AnyPlatform {
	t.Helper()
	platform, err := tryOpenAt(t, host, body)
	if err != nil {
		t.Fatal(err)
	}
	return platform
}

func tryOpenAt(t *testing.T, host, body string) (component.AnyPlatform, error) {
	t.Helper()
	file, diags := hclparse.NewParser().ParseHCL([]byte(body), "waypoint.hcl")
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	h := component.Host{Progress: quiet{}, HTTP: &http.Client{Transport: http.NewFileTransport(http.Dir(t.TempDir()))}, Getenv: env("DOCKER_HOST", host)}
	platform, diags, err := Plugin.Platform.Open(h, func(into any) hcl.Diagnostics {
		return gohcl.DecodeBody(file.Body, nil, into)
	})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return platform, err
}

// target is the deployment of the trial's request.
func (tr *trial) target(d component.Deployment) component.Target[component.Deployment] {
	return component.Target[component.Deployment]{App: tr.request.App, ID: tr.request.ID, Sequence: tr.request.Sequence, Deployment: d}
}

// deploy deploys, which must work.
func (tr *trial) deploy(t *testing.T) component.Deployment {
	t.Helper()
	d, err := tr.platform.Deploy(t.Context(), tr.request)
	if err != nil {
		t.Fatalf("Deploy() = %v", err)
	}
	return d
}

// wantProblem checks an error's problem.
func wantProblem(t *testing.T, err error, summary, attr, detail string) {
	t.Helper()
	problem, ok := errors.AsType[*diag.Problem](err)
	if !ok || problem.Summary != summary || problem.Attr != attr || !strings.Contains(problem.Detail, detail) {
		t.Errorf("got %#v (%v), want %q at %q with %q", err, err, summary, attr, detail)
	}
}

func TestDeployCreatesTheContainer(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, `
		command            = ["serve"]
		service_port       = 8080
		extra_ports        = [9090]
		static_environment = { A = "static", B = "static" }
		binds              = ["/srv/data:/data"]
		labels             = { team = "blue", "deploy-action.dev/app" = "mine" }
		networks           = ["front"]
		resources          = { memory = "64m", cpu = "512" }
		scratch_path       = "/scratch"`)
	tr.request.Env = map[string]component.Setting{"B": {Text: "config"}}
	d := tr.deploy(t)
	c := tr.engine.only()
	if want := "http://127.0.0.1:40001"; d.URL() != want {
		t.Errorf("URL() = %q, want %q", d.URL(), want)
	}
	if c.name != "web-a" || c.Image != "sha256:1111" {
		t.Errorf("the container is %q of %q, want %q of %q", c.name, c.Image, "web-a", "sha256:1111")
	}
	if diff := cmp.Diff([]string{"A=static", "B=config", "PORT=8080"}, c.Env); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
	wantLabels := map[string]string{
		"team": "blue", "deploy-action.dev/managed-by": "deploy-action", "deploy-action.dev/project": "shop", "deploy-action.dev/app": "web",
		"deploy-action.dev/workspace": "default", "deploy-action.dev/deployment": "web-a", "deploy-action.dev/sequence": "3",
	}
	if diff := cmp.Diff(wantLabels, c.Labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	var published []string
	for port, bindings := range c.HostConfig.PortBindings {
		published = append(published, port.String()+" at "+bindings[0].HostIP.String())
	}
	slices.Sort(published)
	if diff := cmp.Diff([]string{"8080/tcp at 127.0.0.1", "9090/tcp at 127.0.0.1"}, published); diff != "" {
		t.Errorf("published ports (-want +got):\n%s", diff)
	}
	rest := map[string]any{
		"command": c.Cmd, "binds": c.HostConfig.Binds, "memory": c.HostConfig.Memory, "cpu": c.HostConfig.CPUShares,
		"volumes": c.Volumes, "networks": c.networks,
	}
	want := map[string]any{
		"command": []string{"serve"}, "binds": []string{"/srv/data:/data"}, "memory": int64(64 << 20), "cpu": int64(512),
		"volumes": map[string]struct{}{"/scratch": {}}, "networks": []string{"front"},
	}
	if diff := cmp.Diff(want, rest); diff != "" {
		t.Errorf("the rest (-want +got):\n%s", diff)
	}
}

func TestSensitiveValuesNeedConsent(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, "")
	tr.request.Env = map[string]component.Setting{"TOKEN": {Text: "s3cr3t", Sensitive: true}}
	_, err := tr.platform.Plan(t.Context(), tr.request)
	wantProblem(t, err, "Sensitive values for a container", "plaintext_secrets", `"TOKEN"`)
	if d, err := tr.platform.Deploy(t.Context(), tr.request); err == nil || d != nil || len(tr.engine.names()) > 0 {
		t.Errorf("Deploy() = %v, %v, and the engine has %v; want nothing made", d, err, tr.engine.names())
	}
}

func TestFilesAreCopied(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, "")
	tr.request.Files = map[string]component.Setting{"/etc/app.conf": {Text: "a"}, "rel/b": {Text: "b"}}
	tr.deploy(t)
	if diff := cmp.Diff(map[string]string{"etc/app.conf": "a", "srv/rel/b": "b"}, untar(t, tr.engine.only().files)); diff != "" {
		t.Errorf("files in the container (-want +got):\n%s", diff)
	}
}

func TestDeployHeals(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		state container.State
		same  bool // the container is kept
	}{
		"running":       {container.State{Status: container.StateRunning, Running: true, Health: &container.Health{Status: container.Healthy}}, true},
		"never started": {container.State{Status: container.StateCreated}, false},
		"ended":         {container.State{Status: container.StateExited, ExitCode: 1}, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTrial(t, "")
			tr.deploy(t)
			before := tr.engine.only()
			before.state = c.state
			tr.deploy(t)
			if same := tr.engine.only().id == before.id; same != c.same {
				t.Errorf("the container is the same: %t, want %t", same, c.same)
			}
		})
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		body    string
		run     func(*fakeContainer)
		refuse  string // a request that is answered with 500
		summary string
		attr    string
		detail  string
		made    bool // a deployment comes with the error
	}{
		"exits": {
			run: func(c *fakeContainer) {
				c.state = container.State{Status: container.StateExited, ExitCode: 137, OOMKilled: true}
			},
			summary: "Container stopped", detail: "ended with status 137, out of memory. It must keep running. Give it more memory with resources.", made: true,
		},
		"unhealthy": {
			run: func(c *fakeContainer) {
				c.state.Health = &container.Health{Status: container.Unhealthy, Log: []*container.HealthcheckResult{{ExitCode: 1, Output: "no answer\n"}}}
			},
			summary: "Container is not healthy", detail: "Its last result was status 1:\n  no answer", made: true,
		},
		"does not start":     {body: `command = ["nonsense"]`, refuse: "POST /containers/c1/start", summary: "Container cannot be started", attr: "command", made: true},
		"network missing":    {body: `networks = ["nowhere"]`, summary: "No such network", attr: "networks", detail: `no network "nowhere"`},
		"network refuses":    {body: `networks = ["front"]`, refuse: "POST /networks/front/connect", summary: "Container cannot be started", attr: "networks", detail: `the network "front"`, made: true},
		"pull fails":         {body: `force_pull = true`, summary: "Image cannot be pulled", attr: "auth", detail: "given no login"},
		"login refused":      {body: "force_pull = true\nauth {\n username = \"u\"\n password = \"p\"\n}", summary: "Image cannot be pulled", attr: "auth", detail: "given a login"},
		"unknown resource":   {body: `resources = { memori = "1g" }`, summary: "Unknown resource", attr: "resources", detail: `Did you mean "memory"?`},
		"resource no number": {body: `resources = { memory = "much" }`, summary: "Unreadable resource", attr: "resources", detail: `"much"`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTrial(t, c.body)
			tr.engine.run = c.run
			tr.engine.refuse[c.refuse] = http.StatusInternalServerError
			d, err := tr.platform.Deploy(t.Context(), tr.request)
			wantProblem(t, err, c.summary, c.attr, c.detail)
			if made := d != nil; made != c.made {
				t.Errorf("Deploy() returns a deployment: %t, want %t", made, c.made)
			}
		})
	}
}

func TestConfigurationProblems(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ body, summary, attr string }{
		"port":       {`service_port = 70000`, "No such port", "service_port"},
		"extra port": {`extra_ports = [0]`, "No such port", "extra_ports"},
		"scheme":     {"client_config {\n host = \"ssh://somewhere\"\n}", "Unusable address of a Docker engine", "client_config.host"},
		"certs":      {"client_config {\n host = \"tcp://x:1\"\n cert_path = \"/nowhere\"\n}", "Unusable settings of a Docker engine", "client_config"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := tryOpenAt(t, "", c.body)
			wantProblem(t, err, c.summary, c.attr, "")
		})
	}
}

func TestEngineIsNotThere(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "docker.sock")
	closed := filepath.Join(t.TempDir(), "docker.sock")
	listener, err := net.Listen("unix", closed)
	if err != nil {
		t.Fatal(err)
	}
	listener.(*net.UnixListener).SetUnlinkOnClose(false)
	listener.Close()
	cases := map[string]struct{ host, detail string }{
		"no socket":      {"unix://" + missing, "There is no socket at"},
		"dead socket":    {"unix://" + closed, "Nothing answers at"},
		"nobody listens": {"tcp://127.0.0.1:1", "Nothing answers at"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTrial(t, "")
			_, err := openAt(t, c.host, "").Plan(t.Context(), tr.request)
			wantProblem(t, err, "Docker engine not reachable", "client_config.host", c.detail)
		})
	}
}

func TestNameTakenMakesNothing(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, "")
	tr.engine.containers["other"] = &fakeContainer{id: "other", name: "web-a", CreateRequest: container.CreateRequest{Config: &container.Config{}}}
	d, err := tr.platform.Deploy(t.Context(), tr.request)
	wantProblem(t, err, "Container name taken", "", `"web-a"`)
	if d != nil {
		t.Errorf("Deploy() = %v, want no deployment: nothing was made", d)
	}
	if err := tr.platform.Destroy(t.Context(), tr.target(nil)); err != nil || len(tr.engine.names()) != 1 {
		t.Errorf("Destroy() = %v and leaves %v, want the other container untouched", err, tr.engine.names())
	}
}

func TestServingByPort(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	addr := netip.MustParseAddrPort(listener.Addr().String())
	cases := map[string]func(*fakeContainer){
		"published":   func(c *fakeContainer) { c.port = int(addr.Port()) },
		"own address": func(c *fakeContainer) { c.address = addr.Addr(); c.port = 1 },
	}
	for name, run := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTrial(t, "service_port = "+strings.TrimPrefix(addr.String(), "127.0.0.1:"))
			tr.engine.run = func(c *fakeContainer) {
				c.state.Health = nil
				run(c)
			}
			tr.deploy(t)
		})
	}
}

func TestDial(t *testing.T) {
	t.Parallel()
	open, dropping, dead := serve(t, false), serve(t, true), serve(t, false)
	dead.Close()
	cases := map[string]struct {
		listener          net.Listener
		published, remote bool
		want              reach
	}{
		"open, published":       {open, true, false, serving},
		"open, own":             {open, false, false, serving},
		"dropping, published":   {dropping, true, false, closed},
		"refused, published":    {dead, true, false, unseen},
		"refused, own":          {dead, false, false, closed},
		"refused, other engine": {dead, true, true, closed},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := dial(t.Context(), c.listener.Addr().String(), c.published, c.remote); got != c.want {
				t.Errorf("dial() = %v, want %v", got, c.want)
			}
		})
	}
}

// serve listens. A dropping listener closes what it accepts, as the engine's
// proxy does when nothing is behind it.
func serve(t *testing.T, dropping bool) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for dropping {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	return listener
}

func TestStatus(t *testing.T) {
	t.Parallel()
	running := func(health container.HealthStatus) container.State {
		return container.State{Status: container.StateRunning, Running: true, Health: &container.Health{Status: health}}
	}
	cases := map[string]struct {
		state   container.State
		want    component.HealthState
		message string
	}{
		"healthy":    {running(container.Healthy), component.Ready, "running"},
		"no check":   {container.State{Status: container.StateRunning, Running: true}, component.Ready, "running"},
		"starting":   {running(container.Starting), component.Starting, "its health check has not passed yet"},
		"unhealthy":  {running(container.Unhealthy), component.Degraded, "runs, but its health check fails"},
		"paused":     {container.State{Status: container.StatePaused, Running: true, Paused: true}, component.Down, "paused"},
		"restarting": {container.State{Status: container.StateRestarting, Running: true, Restarting: true}, component.Degraded, "restarts again and again"},
		"created":    {container.State{Status: container.StateCreated}, component.Starting, "created, but not started"},
		"ended":      {container.State{Status: container.StateExited, ExitCode: 2}, component.Down, "ended with status 2"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTrial(t, "")
			d := tr.deploy(t)
			tr.engine.only().state = c.state
			got, err := tr.platform.Status(t.Context(), tr.target(d))
			if diff := cmp.Diff(component.Health{State: c.want, Message: c.message}, got); err != nil || diff != "" {
				t.Errorf("Status() error %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestStatusShowsAnotherPort(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, "")
	d := tr.deploy(t)
	tr.engine.only().port = 50000
	got, err := tr.platform.Status(t.Context(), tr.target(d))
	if err != nil || len(got.Drift) != 1 || !strings.Contains(got.Drift[0].Reason, `"127.0.0.1:50000"`) {
		t.Errorf("Status() = %+v, %v, want the new port as drift", got, err)
	}
}

func TestLogsAndExec(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, "")
	target := tr.target(tr.deploy(t))
	tr.engine.only().state = container.State{Status: container.StateExited, ExitCode: 2, FinishedAt: "2026-01-02T04:00:00Z"}
	var got []string
	for line, err := range tr.platform.Logs(t.Context(), target, component.LogRequest{}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, line.Time.Format("15:04:05")+" ["+line.Instance+"] "+line.Text)
	}
	want := []string{"03:04:00 [web-a] started", "03:04:01 [web-a] a warning", "04:00:00 [] container ended with status 2"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Logs() (-want +got):\n%s", diff)
	}

	var out strings.Builder
	status, err := tr.platform.Exec(t.Context(), target, component.ExecRequest{Command: []string{"echo", "hi"}, Stdin: strings.NewReader("input"), Stdout: &out, Stderr: &out})
	if err != nil || status != 0 || out.String() != "echo hi" {
		t.Errorf("Exec() = %d, %v and writes %q, want 0 and %q", status, err, out.String(), "echo hi")
	}
	if status, err := tr.platform.Exec(t.Context(), target, component.ExecRequest{Command: []string{"false"}, Stdout: &out, Stderr: &out}); err != nil || status != 1 {
		t.Errorf("Exec(false) = %d, %v, want 1", status, err)
	}
	_, err = tr.platform.Exec(t.Context(), target, component.ExecRequest{Instance: "other"})
	wantProblem(t, err, "No such instance", "", `"web-a"`)
}

func TestRemoteEngine(t *testing.T) {
	t.Parallel()
	docker, err := openEngine(env("DOCKER_HOST", "tcp://build.example.com:2375"), ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	p := &platform{engine: docker}
	_, published := p.ports()
	for port, bindings := range published {
		if bindings[0].HostIP.IsValid() {
			t.Errorf("port %s is published at %s only, which nobody else reaches", port, bindings[0].HostIP)
		}
	}
	if got := p.publishedAt(8080); got != "build.example.com:8080" {
		t.Errorf("publishedAt(8080) = %q, want the engine's host", got)
	}
	tr := newTrial(t, "")
	err = tr.platform.Destroy(t.Context(), tr.target(Deployment{Name: "web-a", Engine: "build.example.com"}))
	wantProblem(t, err, "Deployed to another Docker engine", "client_config.host", "build.example.com")
}

func TestFindIsNewestFirst(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, "")
	for i, id := range []string{"web-a", "web-b", "web-c"} {
		tr.request.ID, tr.request.Sequence = id, i+1
		tr.deploy(t)
	}
	found, err := tr.platform.Find(t.Context(), tr.request.App)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, target := range found {
		ids = append(ids, target.ID+" "+target.Deployment.URL())
	}
	want := []string{"web-c http://127.0.0.1:40003", "web-b http://127.0.0.1:40002", "web-a http://127.0.0.1:40001"}
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Errorf("Find() (-want +got):\n%s", diff)
	}
}

// login is a repository whose login is known.
func login(name string) *artifact.Repository {
	return &artifact.Repository{Name: name, Login: func(context.Context) (string, secret.Text, error) { return "robot", "token", nil }}
}
