package local_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/hashicorp/hcl/v2"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/plugin/local"
	"github.com/deploy-action/deploy-action/internal/retry"
)

// helperArg makes the test binary a helper process of the plugin.
const helperArg = "run-local-helper"

// long is when a test gives up waiting for what must happen.
const long = 30 * time.Second

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == helperArg {
		if err := local.Plugin.Helper(context.Background(), os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	status := m.Run()
	os.RemoveAll(filepath.Dir(appPath))
	os.Exit(status)
}

// appPath is the compiled test app, once it is needed.
var appPath string

// compileApp builds testdata/app as a static program, once for all tests.
var compileApp = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "local-app-")
	if err != nil {
		return "", err
	}
	appPath = filepath.Join(dir, "app")
	cmd := exec.Command("go", "build", "-buildvcs=false", "-ldflags=-s -w", "-o", appPath, "./testdata/app")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, output)
	}
	return appPath, nil
})

// image makes an image from scratch with the test app and a user named web.
// The command is left to configuration where it is empty.
func (r *rig) image(version string, command ...string) artifact.Image {
	t := r.t
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("runs programs for Linux, and looks for them in /proc")
	}
	path, err := compileApp()
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	layout, err := oci.OpenLayout(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	layer, err := layout.AddLayer(t.Context(), func(_ context.Context, w *tar.Writer) error {
		for _, file := range []struct {
			name, content string
			mode          int64
		}{
			{"app", string(binary), 0o755},
			{"etc/passwd", "root:x:0:0:root:/root:/bin/sh\nweb:x:1234:1235::/home/web:/bin/sh\n", 0o644},
			{"etc/group", "root:x:0:\nweb:x:1235:\n", 0o644},
		} {
			header := &tar.Header{Name: file.name, Mode: file.mode, Size: int64(len(file.content)), Typeflag: tar.TypeReg}
			if err := w.WriteHeader(header); err != nil {
				return err
			}
			if _, err := io.WriteString(w, file.content); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	digest, err := layout.AddImage(oci.NewImage{
		Config: v1.ConfigFile{
			Architecture: runtime.GOARCH, OS: "linux",
			Config: v1.Config{Entrypoint: command, Env: []string{"VERSION=" + version, "FROM=image", "RIG=" + r.host.DataDir}, User: "web", WorkingDir: "/srv/web"},
		},
		Layers: []oci.Layer{layer},
	})
	if err != nil {
		t.Fatal(err)
	}
	return artifact.Image{Repository: "example.test/web", Tag: version, Digest: digest, Layout: layout.Dir()}
}

// rig is a data folder with a host around it.
type rig struct {
	t    *testing.T
	host component.Host
	app  component.App
}

// newRig returns a rig whose processes are gone when the test ends; the test
// fails if any is left after all was destroyed.
func newRig(t *testing.T) *rig {
	t.Helper()
	data := t.TempDir()
	r := &rig{t: t, host: newHost(data), app: testApp}
	t.Cleanup(func() {
		ctx := context.Background()
		p := r.platform(local.PlatformConfig{})
		targets, err := p.Find(ctx, r.app)
		if err != nil {
			t.Error(err)
		}
		for _, target := range targets {
			if err := p.Destroy(ctx, target); err != nil {
				t.Error(err)
			}
		}
		if err := p.DestroyShared(ctx, r.app); err != nil {
			t.Error(err)
		}
		// One that was only just starting ends by itself.
		limited, cancel := context.WithTimeout(ctx, long)
		defer cancel()
		var left []int
		err = retry.Poll(limited, 10*time.Millisecond, func(context.Context) (bool, error) {
			left = r.processes("")
			return len(left) == 0, nil
		})
		if err != nil {
			t.Errorf("processes %v are left", left)
			r.kill(left...)
		}
		if entries, _ := os.ReadDir(data); len(entries) > 0 {
			t.Errorf("%v is left in the data folder", entries)
		}
	})
	return r
}

var testApp = component.App{Project: "shop", Name: "web", Workspace: "default"}

func newHost(data string) component.Host {
	return component.Host{
		Progress: progress{},
		Log:      slog.New(slog.DiscardHandler),
		HTTP:     &http.Client{Transport: &http.Transport{}},
		Getenv:   func(string) string { return "" },
		Environ:  func() []string { return nil },
		DataDir:  data,
		Helper: func(ctx context.Context, args ...string) *exec.Cmd {
			return exec.CommandContext(ctx, os.Args[0], append([]string{helperArg}, args...)...)
		},
	}
}

// decode fills in a configuration as if it had been read from a file.
func decode[C any](c C) component.Decode {
	return func(into any) hcl.Diagnostics {
		*into.(*C) = c
		return nil
	}
}

func (r *rig) platform(c local.PlatformConfig) component.AnyPlatform {
	r.t.Helper()
	p, diags, err := local.Plugin.Platform.Open(r.host, decode(c))
	if err != nil || diags.HasErrors() {
		r.t.Fatal(err, diags)
	}
	return p
}

func (r *rig) releaser(c local.ReleaserConfig) component.AnyReleaser {
	r.t.Helper()
	p, diags, err := local.Plugin.Releaser.Open(r.host, decode(c))
	if err != nil || diags.HasErrors() {
		r.t.Fatal(err, diags)
	}
	return p
}

// request asks for a deployment of image.
func (r *rig) request(id string, sequence int, image artifact.Image) component.DeployRequest[artifact.Artifact] {
	return component.DeployRequest[artifact.Artifact]{
		Artifact:    image,
		DeployInput: component.DeployInput{App: r.app, ID: id, Sequence: sequence},
	}
}

func (r *rig) target(id string, d component.Deployment) component.Target[component.Deployment] {
	return component.Target[component.Deployment]{App: r.app, ID: id, Deployment: d}
}

// deploy deploys a new version of the app, which must serve then.
func (r *rig) deploy(id string, sequence int, c local.PlatformConfig) component.Target[component.Deployment] {
	r.t.Helper()
	d, err := r.platform(c).Deploy(r.t.Context(), r.request(id, sequence, r.image(id, "/app")))
	if err != nil {
		r.t.Fatalf("Deploy(%q): %v", id, describe(err))
	}
	return r.target(id, d)
}

// release releases a deployment and returns the front's URL.
func (r *rig) release(target component.Target[component.Deployment], c local.ReleaserConfig) string {
	r.t.Helper()
	released, err := r.releaser(c).Release(r.t.Context(), component.ReleaseRequest[component.Deployment]{Target: target, Percent: 100})
	if err != nil {
		r.t.Fatalf("Release(%q): %v", target.ID, describe(err))
	}
	return released.URL()
}

// path returns a file in the folder of a deployment, or of the front.
func (r *rig) path(elem ...string) string {
	return filepath.Join(append([]string{r.host.DataDir, "shop", "default", "web"}, elem...)...)
}

// processes returns the processes that have the data folder in their command
// line or environment, and the word, which may be empty, in the former.
func (r *rig) processes(word string) []int {
	var found []int
	names, _ := filepath.Glob("/proc/[0-9]*")
	for _, name := range names {
		pid, _ := strconv.Atoi(filepath.Base(name))
		command, _ := os.ReadFile(name + "/cmdline")
		environ, _ := os.ReadFile(name + "/environ")
		known := bytes.Contains(append(command, environ...), []byte(r.host.DataDir))
		if pid != os.Getpid() && known && bytes.Contains(command, []byte(word)) {
			found = append(found, pid)
		}
	}
	return found
}

// appProcess returns the process of a deployment's app.
func (r *rig) appProcess(id string) int {
	r.t.Helper()
	var state struct {
		PID int `json:"pid"`
	}
	data, err := os.ReadFile(r.path(id, "state.json"))
	if err == nil {
		err = json.Unmarshal(data, &state)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	return state.PID
}

// kill ends processes as nobody can prevent, and waits until they have ended.
func (r *rig) kill(pids ...int) {
	r.t.Helper()
	if len(pids) == 0 {
		r.t.Fatal("no process to kill")
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			r.t.Fatalf("killing %d: %v", pid, err)
		}
	}
	r.eventually("the killed processes are gone, and their ports free", func() bool { return !slices.ContainsFunc(pids, running) })
}

// running reports whether a process exists and is no zombie.
func running(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(data), ") ")
	return !strings.HasPrefix(rest, "Z")
}

// eventually waits until what becomes so.
func (r *rig) eventually(what string, so func() bool) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), long)
	defer cancel()
	if retry.Poll(ctx, 10*time.Millisecond, func(context.Context) (bool, error) { return so(), nil }) != nil {
		r.t.Fatalf("never came true: %s", what)
	}
}

// get returns the body that url answers with status 200.
func (r *rig) get(url string) string {
	r.t.Helper()
	body, status, err := fetch(r.t.Context(), r.host.HTTP, url)
	if err != nil || status != http.StatusOK {
		r.t.Fatalf("GET %s: %d %s %v", url, status, body, err)
	}
	return body
}

func fetch(ctx context.Context, client *http.Client, url string) (body string, status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", 0, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", 0, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return string(data), resp.StatusCode, err
}

// progress runs steps without showing them.
type progress struct{}

func (progress) Step(ctx context.Context, _ string, fn func(context.Context, component.Step) error) error {
	return fn(ctx, step{})
}

type step struct{}

func (step) Update(string, ...any) {}
func (step) Output() io.Writer     { return io.Discard }
