//go:build servers

package build_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/client"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/build"
	"github.com/deploy-action/deploy-action/internal/oci/build/buildkit"
	"github.com/deploy-action/deploy-action/internal/secret"
	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

// watch notes the titles and the output of a build's steps.
func watch(req *build.Request) func() string {
	var (
		mu   sync.Mutex
		seen strings.Builder
	)
	req.Progress = func(ctx context.Context, title string, fn func(context.Context, io.Writer) error) error {
		var output strings.Builder
		err := fn(ctx, &output)
		mu.Lock()
		defer mu.Unlock()
		seen.WriteString(title + "\n" + output.String())
		return err
	}
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		return seen.String()
	}
}

func TestDockerEngine(t *testing.T) {
	t.Parallel()
	engine := servers.Docker(t)
	testDaemon(t, buildkit.InDocker(engine.Client))
	t.Run("nothing is left", func(t *testing.T) {
		images, err := engine.Client.ImageList(t.Context(), client.ImageListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, image := range images.Items {
			for _, tag := range image.RepoTags {
				if strings.HasPrefix(tag, "deploy-action-build") {
					t.Errorf("the engine still has %s", tag)
				}
			}
		}
	})
}

func TestBuildKit(t *testing.T) {
	t.Parallel()
	registry := servers.Registry(t, servers.RegistryConfig{Username: "me", Password: "pw"})
	daemon, err := buildkit.At(servers.BuildKit(t, registry.Host).Address, "")
	if err != nil {
		t.Fatal(err)
	}
	testDaemon(t, daemon)
	t.Run("private base image", func(t *testing.T) {
		dir := t.TempDir()
		write(t, dir, map[string]string{"Dockerfile": "FROM scratch\nCOPY a /a\n", "a": "A"})
		req := newRequest(t, dir)
		result, err := build.Build(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		req.Client = oci.Client{HTTP: &http.Client{}, Credentials: oci.Credentials{
			Getenv: func(string) string { return "" },
			Logins: map[string]oci.Login{registry.Host: {Username: "me", Password: "pw"}},
		}}
		_, err = req.Client.Push(t.Context(), oci.PushRequest{
			Image: artifact.Image{Layout: req.Layout.Dir(), Digest: result.Digest}, To: artifact.Repository{Name: registry.Host + "/base"}, Tag: "v1",
		})
		if err != nil {
			t.Fatal(err)
		}
		write(t, dir, map[string]string{"Dockerfile": "FROM " + registry.Host + "/base:v1\nCOPY a /b\n"})
		req.Daemon = daemon
		if diff := cmp.Diff([]string{"644 0:0 a=A", "644 0:0 b=A"}, entries(t, buildImage(t, req))); diff != "" {
			t.Errorf("entries (-want +got):\n%s", diff)
		}
		req.Client.Credentials.Logins = nil
		if _, err := build.Build(t.Context(), req); err == nil {
			t.Error("without a login the base image was read, too")
		}
	})
}

// testDaemon checks all that a daemon is asked for.
func testDaemon(t *testing.T, daemon *buildkit.Daemon) {
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Skip(err)
	}
	newDaemonRequest := func(t *testing.T, dockerfile string) build.Request {
		dir := t.TempDir()
		write(t, dir, map[string]string{"Dockerfile": dockerfile, "busybox": string(busybox)})
		if err := os.Chmod(filepath.Join(dir, "busybox"), 0o755); err != nil {
			t.Fatal(err)
		}
		req := newRequest(t, dir)
		req.Daemon = daemon
		return req
	}
	t.Run("files", func(t *testing.T) { testDaemonFiles(t, daemon) })
	t.Run("a right", func(t *testing.T) {
		_, err := build.Build(t.Context(), newDaemonRequest(t, shell+"FROM shell\nRUN --network=host true\n"))
		problem, ok := errors.AsType[*diag.Problem](err)
		if !ok || !strings.Contains(problem.Detail, `use "docker-ref"`) {
			t.Fatalf("Build = %v (%+v), want a problem with a remedy", err, problem)
		}
		// Docker engine 20.10 knows no such right.
		if !strings.Contains(problem.Detail, "network.host is not allowed") && !strings.HasPrefix(problem.Detail, "Dockerfile:5: BuildKit says: Unknown flag: network.") {
			t.Errorf("detail is %q, want one with the right", problem.Detail)
		}
	})
	t.Run("commands", func(t *testing.T) {
		req := newDaemonRequest(t, shell+"FROM shell AS one\nARG V\nRUN --mount=type=secret,id=key echo says-$V && wc -c < /run/secrets/key > /size && echo $V > /made\n"+
			"FROM one AS two\nRUN false\n")
		req.NoCache = true // an engine of this machine's remembers
		req.Target, req.Args = "one", map[string]string{"V": "7"}
		req.Secrets = map[string]secret.Text{"key": "hidden"}
		seen := watch(&req)
		got := strings.Join(entries(t, buildImage(t, req)), "\n") + "\n"
		for _, want := range []string{"made=7\n", "size=6\n"} {
			if !strings.Contains(got, want) {
				t.Errorf("the image has no %q", want)
			}
		}
		if text := seen(); !strings.Contains(text, "RUN --mount=type=secret") || !strings.Contains(text, "says-7\n") || strings.Contains(text, "hidden") {
			t.Errorf("progress was:\n%s", text)
		}
	})
	t.Run("failing command", func(t *testing.T) {
		req := newDaemonRequest(t, shell+"\nRUN echo last words && \\\n exit 3\n")
		_, err := build.Build(t.Context(), req)
		problem, ok := errors.AsType[*diag.Problem](err)
		const want = "Dockerfile:5: RUN echo last words &&  exit 3 ended with exit code 3. The end of its output:\nlast words"
		if !ok || problem.Summary != "RUN failed" || problem.Detail != want {
			t.Errorf("error is %v (%+v), want %q", err, problem, want)
		}
	})
	t.Run("invalid Dockerfile", func(t *testing.T) {
		_, err := build.Build(t.Context(), newDaemonRequest(t, "FROM scratch\nFETCH x\n"))
		if problem, ok := errors.AsType[*diag.Problem](err); !ok || !strings.Contains(problem.Detail, "FETCH") {
			t.Errorf("error is %v (%+v), want a problem that names FETCH", err, problem)
		}
	})
	t.Run("missing secret", func(t *testing.T) {
		_, err := build.Build(t.Context(), newDaemonRequest(t, shell+"RUN --mount=type=secret,id=key,required cat /run/secrets/key\n"))
		if err == nil || !strings.Contains(fmt.Sprintf("%+v", err), "key") {
			t.Errorf("error is %v, want one that names the secret", err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		req := newDaemonRequest(t, shell+"RUN sleep 1000\n")
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		enough := errors.New("enough")
		req.Progress = func(ctx context.Context, title string, fn func(context.Context, io.Writer) error) error {
			if strings.Contains(title, "RUN sleep") {
				cancel(enough)
			}
			return fn(ctx, io.Discard)
		}
		if _, err := build.Build(ctx, req); !errors.Is(err, enough) {
			t.Errorf("error is %v, want the one it was cancelled with", err)
		}
	})
}

// testDaemonFiles compares what a daemon makes of files with what is made here.
func testDaemonFiles(t *testing.T, daemon *buildkit.Daemon) {
	dir := t.TempDir()
	files := map[string]string{
		"Dockerfile":    "FROM scratch\nARG NAME=none\nCOPY . /src\nCOPY --chown=5:6 a.txt /to/$NAME\nLABEL a=1\nENTRYPOINT [\"/src/a.txt\"]\n",
		".dockerignore": "*.log\nDockerfile\n", "a.txt": "A", "x.log": "no", "sub/deep/b.txt": strings.Repeat("b", 100_000), "sub/link": "→deep/b.txt",
		"sub.txt": "sorted after sub/", "empty": "",
	}
	for i := range 3000 { // more than wait to be asked for at a time
		files["many/"+strings.Repeat("n", 60)+string(rune('a'+i%26))+strings.Repeat("m", i/26)] = "x"
	}
	write(t, dir, files)
	req := newRequest(t, dir)
	req.Args, req.Labels = map[string]string{"NAME": "there"}, map[string]string{"b": "2"}
	want := buildImage(t, req)
	req.Daemon = daemon
	got := buildImage(t, req)
	if diff := cmp.Diff(entries(t, want), entries(t, got)); diff != "" {
		t.Errorf("entries (-built in +daemon):\n%s", diff)
	}
	wanted, err := want.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config, err := got.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config.Config.ArgsEscaped = wanted.Config.ArgsEscaped // older daemons leave it out
	if diff := cmp.Diff(wanted.Config, config.Config); diff != "" || !config.Created.Equal(wanted.Created.Time) {
		t.Errorf("made at %v, want %v; configuration (-built in +daemon):\n%s", config.Created, wanted.Created, diff)
	}
}
