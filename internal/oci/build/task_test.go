package build_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/diag"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/build"
	"github.com/deploy-action/deploy-action/internal/testkit/imagetree"
)

// pushImage puts an image of one layer into a registry in memory.
func pushImage(t *testing.T, config v1.Config, write func(context.Context, *tar.Writer) error) (name string, client oci.Client) {
	t.Helper()
	layout, err := oci.OpenLayout(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	layer, err := layout.AddLayer(t.Context(), write)
	if err != nil {
		t.Fatal(err)
	}
	platform, err := oci.ParsePlatform("")
	if err != nil {
		t.Fatal(err)
	}
	digest, err := layout.AddImage(oci.NewImage{
		Config: v1.ConfigFile{OS: "linux", Architecture: platform.Architecture, Config: config}, Layers: []oci.Layer{layer},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	client = oci.Client{HTTP: server.Client()}
	repository := strings.TrimPrefix(server.URL, "http://") + "/acme/tools"
	_, err = client.Push(t.Context(), oci.PushRequest{
		Image: artifact.Image{Layout: layout.Dir(), Digest: digest}, To: artifact.Repository{Name: repository}, Tag: "v1",
	})
	if err != nil {
		t.Fatal(err)
	}
	return repository + ":v1", client
}

// newTask is a command in an image with busybox, and a checkout with a folder.
func newTask(t *testing.T, script string) (task build.Task, output *bytes.Buffer) {
	t.Helper()
	checkout := runDir(t, map[string]string{
		".git/config": "extraheader = secret\n", ".git/HEAD": "ref: refs/heads/main\n", "app/a.txt": "A",
	})
	image, client := pushImage(t, v1.Config{Env: []string{"PATH=/bin", "FROM=image", "KEPT=1"}}, func(_ context.Context, archive *tar.Writer) error {
		return imagetree.AddFile(archive, "/bin/busybox", "bin/sh")
	})
	output = &bytes.Buffer{}
	return build.Task{
		Image: image, Args: []string{"sh", "-c", script}, Env: build.TaskEnv([]string{"PATH=/nowhere", "FROM=job", "GITHUB_SHA=abc"}),
		Dir: filepath.Join(checkout, "app"), Client: client, Work: filepath.Join(t.TempDir(), "work"), Output: output,
	}, output
}

// TestRunTask runs a command in a checkout, which keeps what it writes.
func TestRunTask(t *testing.T) {
	t.Parallel()
	task, output := newTask(t, `
echo "$FROM $KEPT $PATH $GITHUB_SHA $PWD"; read -r line < ../.git/config; echo "git: $line"; echo made > b.txt; echo x > /in-the-image; read -r a < a.txt; echo $a`)
	if err := build.RunTask(t.Context(), task); err != nil {
		t.Fatalf("RunTask: %v\n%s", err, output)
	}
	want := "job 1 /bin abc " + task.Dir + "\ngit: \nA\n"
	if output.String() != want {
		t.Errorf("the command writes %q, want %q", output, want)
	}
	if made, err := os.ReadFile(filepath.Join(task.Dir, "b.txt")); err != nil || string(made) != "made\n" {
		t.Errorf("what it made is %q, %v", made, err)
	}
	if settings, err := os.ReadFile(filepath.Join(task.Dir, "../.git/config")); err != nil || string(settings) != "extraheader = secret\n" {
		t.Errorf("git's settings are %q, %v", settings, err)
	}
	if left, err := os.ReadDir(task.Work); err != nil || len(left) > 0 {
		t.Errorf("the folder for work has %v, %v", left, err)
	}
}

// TestRunTaskFails has commands that do not succeed, and one that is not there.
func TestRunTaskFails(t *testing.T) {
	t.Parallel()
	task, _ := newTask(t, "exit 3")
	exit, ok := errors.AsType[*build.TaskError](build.RunTask(t.Context(), task))
	if !ok || exit.Code != 3 {
		t.Errorf("RunTask = %v, want exit status 3", exit)
	}
	task.Args = []string{"no-such-program"}
	err := build.RunTask(t.Context(), task)
	if problem, ok := errors.AsType[*diag.Problem](err); !ok || problem.Summary != `No program "no-such-program" in the image` {
		t.Errorf("RunTask = %v, want a problem", err)
	}
	task.Image = "A bad name"
	if _, ok := errors.AsType[*diag.Problem](build.RunTask(t.Context(), task)); !ok {
		t.Error("an image of a bad name is no problem")
	}
}
