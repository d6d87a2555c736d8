//go:build servers

package app_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/moby/moby/api/types/build"
	"github.com/moby/moby/api/types/jsonstream"
	"github.com/moby/moby/client"

	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

// repositoryRoot is this repository, from the folder of this package.
const repositoryRoot = "../.."

// releaseAction does what the release workflow does: it builds the action's
// image from a clone of the working tree, pushes it to a registry, names it by
// its digest in the clone's action.yml, and tags that v1. It returns the clone.
func releaseAction(t *testing.T, engine *servers.DockerEngine, registry string) string {
	t.Helper()
	clone := t.TempDir()
	for path := range strings.SplitSeq(strings.Trim(git(t, repositoryRoot, "ls-files", "-z", "--cached", "--others", "--exclude-standard"), "\x00"), "\x00") {
		copyFile(t, filepath.Join(repositoryRoot, path), filepath.Join(clone, path))
	}
	git(t, clone, "init", "--quiet", "--initial-branch=main")
	git(t, clone, "add", "--all")

	const builder = "local/builder:1"
	buildImage(t, engine, builder, prebuilt(t), nil)
	image := registry + "/deploy-action:v1"
	buildImage(t, engine, image, clone, map[string]string{"BUILDER": builder})
	pinned := pushImage(t, engine, image)

	path := filepath.Join(clone, "action.yml")
	definition := read(t, path)
	released := strings.Replace(definition, "image: Dockerfile\n", "image: docker://"+pinned+"\n", 1)
	if released == definition {
		t.Fatalf("action.yml does not say `image: Dockerfile`:\n%s", definition)
	}
	write(t, path, released)
	git(t, clone, "commit", "--quiet", "--all", "--message", "release v1")
	git(t, clone, "tag", "v1")
	return clone
}

// prebuilt makes the context of an image that has all that the Dockerfile would
// otherwise download or compile: no test can pull a base image.
func prebuilt(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	write(t, filepath.Join(folder, "Dockerfile"), "FROM "+servers.Busybox+"\nCOPY prebuilt /prebuilt\n")
	copyFile(t, "/bin/busybox", filepath.Join(folder, "prebuilt/busybox"))
	copyFile(t, "/etc/ssl/certs/ca-certificates.crt", filepath.Join(folder, "prebuilt/ca-certificates.crt"))
	compile := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", filepath.Join(folder, "prebuilt/deploy-action"), "./cmd/deploy-action")
	compile.Dir, compile.Env = repositoryRoot, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("compiling the program: %v\n%s", err, out)
	}
	return folder
}

// buildImage builds an image from a folder as `docker build` does.
func buildImage(t *testing.T, engine *servers.DockerEngine, image, folder string, args map[string]string) {
	t.Helper()
	var context bytes.Buffer
	archive := tar.NewWriter(&context)
	if err := errors.Join(archive.AddFS(os.DirFS(folder)), archive.Close()); err != nil {
		t.Fatal(err)
	}
	options := client.ImageBuildOptions{
		Tags: []string{image}, Version: build.BuilderV1, Remove: true, NetworkMode: "none", BuildArgs: map[string]*string{},
	}
	for name, value := range args {
		options.BuildArgs[name] = &value
	}
	result, err := engine.Client.ImageBuild(t.Context(), &context, options)
	if err != nil {
		t.Fatalf("building %s: %v", image, err)
	}
	defer result.Body.Close()
	var output strings.Builder
	for decoder := json.NewDecoder(result.Body); ; {
		var message jsonstream.Message
		err := decoder.Decode(&message)
		if errors.Is(err, io.EOF) {
			return
		}
		if err == nil && message.Error != nil {
			err = message.Error
		}
		if err != nil {
			t.Fatalf("building %s: %v\n%s", image, err, &output)
		}
		output.WriteString(message.Stream)
	}
}

// pushImage pushes an image, removes it from the engine, so that it must be
// pulled, and returns its name with its digest.
func pushImage(t *testing.T, engine *servers.DockerEngine, image string) string {
	t.Helper()
	const nobody = "e30=" // an empty login, which the engine insists on
	push, err := engine.Client.ImagePush(t.Context(), image, client.ImagePushOptions{RegistryAuth: nobody})
	if err == nil {
		err = push.Wait(t.Context())
	}
	if err != nil {
		t.Fatalf("pushing %s: %v", image, err)
	}
	if _, err := engine.Client.ImageRemove(t.Context(), image, client.ImageRemoveOptions{PruneChildren: true}); err != nil {
		t.Fatalf("removing %s: %v", image, err)
	}
	tag, err := name.NewTag(image)
	if err != nil {
		t.Fatal(err)
	}
	pushed, err := remote.Image(tag, remote.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	digest, err := pushed.Digest()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the image of the action is %.1f MB compressed", float64(compressed(t, pushed))/1e6)
	return tag.Context().Digest(digest.String()).Name()
}

// compressed returns how much a runner downloads of an image.
func compressed(t *testing.T, image v1.Image) (size int64) {
	t.Helper()
	manifest, err := image.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	for _, layer := range manifest.Layers {
		size += layer.Size
	}
	return size
}

// git runs git in a folder, with nobody's settings, and returns its output.
func git(t *testing.T, folder string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-C", folder, "-c", "user.name=Tester", "-c", "user.email=tester@example.com"}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git %s: %v", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out))
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// copyFile copies one file with its mode.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	info, err := os.Stat(from)
	if err != nil {
		t.Fatal(err)
	}
	write(t, to, read(t, from))
	if err := os.Chmod(to, info.Mode().Perm()); err != nil {
		t.Fatal(err)
	}
}
