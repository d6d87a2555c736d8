package local_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/plugin/local"
	"github.com/deploy-action/deploy-action/internal/secret"
)

// describe is an error with all that a user would see of it.
func describe(err error) string {
	if problem, ok := errors.AsType[*diag.Problem](err); ok {
		return err.Error() + "\n" + problem.Detail
	}
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestLifeCycle(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := r.platform(local.PlatformConfig{HealthPath: "/healthz"})
	req := r.request("web-1", 1, r.image("one", "/app"))

	plan, err := p.Plan(t.Context(), req)
	if err != nil || len(plan.Changes) != 1 || plan.Changes[0].Action != component.Create {
		t.Fatalf("Plan before = %+v, %v, want one to create", plan, err)
	}
	if found, err := p.Find(t.Context(), r.app); err != nil || len(found) != 0 {
		t.Fatalf("Find after Plan = %v, %v, want none: a plan changes nothing", found, err)
	}
	first, err := p.Deploy(t.Context(), req)
	if err != nil {
		t.Fatal(describe(err))
	}
	if got := r.get(first.URL()); got != "one" {
		t.Errorf("the deployment answers %q, want %q", got, "one")
	}
	pid := r.appProcess("web-1")
	second, err := p.Deploy(t.Context(), req)
	if err != nil {
		t.Fatal(describe(err))
	}
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("deploying the same ID again differs (-first +second):\n%s", diff)
	}
	if got := r.appProcess("web-1"); got != pid {
		t.Errorf("deploying the same ID again started process %d in place of %d", got, pid)
	}
	other, err := p.Deploy(t.Context(), r.request("web-1", 1, r.image("two", "/app")))
	if err != nil {
		t.Fatal(describe(err))
	}
	if got := r.get(other.URL()); got != "two" {
		t.Errorf("deploying another image with the same ID left %q to answer", got)
	}
	pid = r.appProcess("web-1")
	target := r.target("web-1", other)
	if health, err := p.Status(t.Context(), target); err != nil || health.State != component.Ready {
		t.Errorf("Status = %+v, %v, want ready", health, err)
	}
	for range 2 {
		if err := p.Destroy(t.Context(), target); err != nil {
			t.Fatal(err)
		}
	}
	if running(pid) {
		t.Errorf("process %d runs after Destroy", pid)
	}
	if health, err := p.Status(t.Context(), target); err != nil || health.State != component.Missing {
		t.Errorf("Status after Destroy = %+v, %v, want missing", health, err)
	}
}

func TestProcessIsAsTheImageSays(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := r.platform(local.PlatformConfig{
		Command:           []string{"/app"},
		StaticEnvironment: map[string]secret.Text{"STATIC": "static", "BOTH": "static", "FROM": "static"},
	})
	req := r.request("web-1", 1, r.image("one"))
	req.Env = map[string]component.Setting{"BOTH": {Text: "config"}}
	req.Files = map[string]component.Setting{"settings.ini": {Text: "key=value", Sensitive: true}}
	d, err := p.Deploy(t.Context(), req)
	if err != nil {
		t.Fatal(describe(err))
	}
	for path, want := range map[string]string{
		"/env?name=STATIC":                 "static",
		"/env?name=BOTH":                   "config",
		"/env?name=FROM":                   "static",
		"/env?name=HOME":                   "/home/web",
		"/env?name=PATH":                   "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"/file?path=/srv/web/settings.ini": "key=value",
		"/ids":                             "1234 1235 /srv/web",
	} {
		if got := r.get(d.URL() + path); got != want {
			t.Errorf("GET %s = %q, want %q", path, got, want)
		}
	}
}

func TestEndsBeforeItServes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := r.platform(local.PlatformConfig{StaticEnvironment: map[string]secret.Text{"CRASH": "3"}})
	d, err := p.Deploy(t.Context(), r.request("web-1", 1, r.image("one", "/app")))
	if !strings.Contains(describe(err), "exit status 3") {
		t.Errorf("Deploy says %q, want the exit status in it", describe(err))
	}
	if d == nil {
		t.Fatal("Deploy returned nothing to destroy")
	}
	if output, _ := r.lines(r.target("web-1", d), component.LogRequest{}); !slices.Contains(output, "cannot reach the database") {
		t.Errorf("Logs yields %q, want the reason in it", output)
	}
	r.eventually("the supervisor ends", func() bool { return len(r.processes("supervise")) == 0 })
	health, err := p.Status(t.Context(), r.target("web-1", d))
	if err != nil || health.State != component.Down || !strings.Contains(health.Message, "exit status 3") {
		t.Errorf("Status = %+v, %v, want down with its exit status", health, err)
	}

	mended := r.platform(local.PlatformConfig{})
	if _, err := mended.Deploy(t.Context(), r.request("web-1", 1, r.image("one", "/app"))); err != nil {
		t.Errorf("deploying the same ID once it is mended: %s", describe(err))
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		config  local.PlatformConfig
		command string
		want    string
	}{
		"nothing to run":  {want: "Nothing to run"},
		"no such program": {command: "/missing", want: "no such file"},
		"not in PATH":     {command: "missing", want: "no program \"missing\" in the image's PATH"},
		"does not serve": {
			config:  local.PlatformConfig{HealthPath: "/healthz", HealthTimeout: "2s", StaticEnvironment: map[string]secret.Text{"UNHEALTHY": "1"}},
			command: "/app",
			want:    "503 Service Unavailable",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			var command []string
			if test.command != "" {
				command = []string{test.command}
			}
			_, err := r.platform(test.config).Deploy(t.Context(), r.request("web-1", 1, r.image("one", command...)))
			if !strings.Contains(describe(err), test.want) || err == nil {
				t.Errorf("Deploy says %q, want %q in it", describe(err), test.want)
			}
		})
	}
}

func TestServicePortInUse(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := r.deploy("web-1", 1, local.PlatformConfig{})
	port := first.Deployment.(local.Deployment).Port
	req := r.request("web-2", 2, r.image("two", "/app"))
	p := r.platform(local.PlatformConfig{ServicePort: port})
	_, planErr := p.Plan(t.Context(), req)
	d, err := p.Deploy(t.Context(), req)
	for verb, err := range map[string]error{"Plan": planErr, "Deploy": err} {
		problem, ok := errors.AsType[*diag.Problem](err)
		if !ok || problem.Attr != "service_port" || !strings.Contains(problem.Detail, "(app)") {
			t.Errorf("%s = %s, want a problem at service_port that names the process", verb, describe(err))
		}
	}
	if d != nil {
		t.Errorf("Deploy made %v", d)
	}
}

func TestCrashAfterItServed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	target := r.deploy("web-1", 1, local.PlatformConfig{})
	before := r.appProcess("web-1")
	_, _, err := fetch(t.Context(), &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, target.Deployment.URL()+"/exit")
	if err == nil {
		t.Fatal("the app answered its own end")
	}
	p := r.platform(local.PlatformConfig{})
	r.eventually("it serves again", func() bool {
		health, err := p.Status(t.Context(), target)
		return err == nil && health.State == component.Ready && r.appProcess("web-1") != before
	})
	events := r.events(target)
	if !strings.Contains(events, "exit status 7") {
		t.Errorf("events are %q, want the exit status among them", events)
	}
}

func TestKilledSupervisor(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	target := r.deploy("web-1", 1, local.PlatformConfig{})
	r.get(target.Deployment.URL() + "/child")
	pid := r.appProcess("web-1")
	r.kill(r.processes("supervise")...)
	r.eventually("the app ends with its supervisor", func() bool { return !running(pid) })
	p := r.platform(local.PlatformConfig{})
	r.eventually("the status is down", func() bool {
		health, err := p.Status(t.Context(), target)
		return err == nil && health.State == component.Down
	})
	found, err := p.Find(t.Context(), r.app)
	if diff := cmp.Diff([]component.Target[component.Deployment]{{App: r.app, ID: "web-1", Sequence: 1, Deployment: target.Deployment}}, found); diff != "" || err != nil {
		t.Errorf("Find: %v (-want +got):\n%s", err, diff)
	}
	// A release heals it: rollback to it after a restart of the machine.
	url := r.release(target, local.ReleaserConfig{})
	if got := r.get(url); got != "web-1" {
		t.Errorf("the front answers %q, want %q", got, "web-1")
	}
}

func TestFolderOfAnotherApp(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	target := r.deploy("web-1", 1, local.PlatformConfig{})
	other := r.app
	other.Project = "another"
	p := r.platform(local.PlatformConfig{})
	if found, err := p.Find(t.Context(), other); err != nil || len(found) != 0 {
		t.Errorf("Find(%+v) = %v, %v, want none", other, found, err)
	}
	stranger := target
	stranger.App = other
	if err := p.Destroy(t.Context(), stranger); err != nil {
		t.Error(err)
	}
	if health, err := p.Status(t.Context(), target); err != nil || health.State != component.Ready {
		t.Errorf("Status = %+v, %v, want ready: another project's destroy is none of its business", health, err)
	}
}
