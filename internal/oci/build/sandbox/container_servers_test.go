//go:build servers && linux

package sandbox_test

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/moby/moby/client"

	"github.com/deploy-action/deploy-action/internal/oci/build/sandbox"
	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

// The tests of this package run in containers as jobs have them: a default one,
// where nothing can be mounted, and one that may make user namespaces.
func TestInContainer(t *testing.T) {
	if os.Getenv("SANDBOX_RUNG") != "" {
		t.Skip("this is the container")
	}
	docker := servers.Docker(t)
	image := importImage(t, docker)
	cases := map[string]struct {
		rung sandbox.Rung
		args []string
	}{
		"default": {sandbox.Swap, nil},
		"unconfined": {
			sandbox.UserNamespace,
			[]string{"--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			args := append([]string{
				"run", "--rm", "--network", "none", "--env", "SANDBOX_RUNG=" + strconv.Itoa(int(c.rung)),
				"--env", "TMPDIR=" + own + "/tmp", "--env", "SANDBOX_HOSTILE=" + own + "/bin/hostile",
			}, c.args...)
			args = append(args, image, "/sandbox.test", "-test.v", "-test.parallel=1", "-test.timeout=3m")
			cmd := exec.CommandContext(t.Context(), "docker", args...)
			cmd.Env = append(os.Environ(), "DOCKER_HOST="+docker.Host)
			output, err := cmd.CombinedOutput()
			if err != nil || !bytes.Contains(output, []byte("--- PASS: TestSystem")) {
				t.Errorf("%v\n%s", err, output)
			}
			t.Logf("%d tests passed", bytes.Count(output, []byte("--- PASS")))
		})
	}
}

// importImage makes an image like that of the action: all files in one folder,
// and links into it.
func importImage(t *testing.T, docker *servers.DockerEngine) string {
	t.Helper()
	const name = "local/sandbox-test:1"
	archive := &bytes.Buffer{}
	root := tar.NewWriter(archive)
	add := func(header tar.Header, content []byte) {
		header.Size = int64(len(content))
		if err := root.WriteHeader(&header); err != nil {
			t.Fatal(err)
		}
		if _, err := root.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	ours := strings.TrimPrefix(own, "/")
	for _, dir := range []string{ours, ours + "/bin", ours + "/etc", ours + "/tmp", "etc", "usr", "tmp", "root"} {
		add(tar.Header{Name: dir, Typeflag: tar.TypeDir, Mode: 0o755}, nil)
	}
	for file, content := range programs(t) {
		add(tar.Header{Name: ours + "/bin/" + file, Mode: 0o755}, content)
	}
	add(tar.Header{Name: ours + "/etc/passwd", Mode: 0o644}, []byte("root:x:0:0:root:/root:/bin/sh\n"))
	for link, to := range map[string]string{
		"bin": ours + "/bin", "usr/bin": "../" + ours + "/bin", "etc/passwd": "../" + ours + "/etc/passwd",
		"sandbox.test": ours + "/bin/sandbox.test", ours + "/bin/sh": "busybox",
	} {
		add(tar.Header{Name: link, Typeflag: tar.TypeSymlink, Linkname: to}, nil)
	}
	if err := root.Close(); err != nil {
		t.Fatal(err)
	}
	result, err := docker.Client.ImageImport(t.Context(), client.ImageImportSource{Source: archive, SourceName: "-"}, name, client.ImageImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer result.Close()
	if _, err := io.Copy(io.Discard, result); err != nil {
		t.Fatal(err)
	}
	return name
}

// programs builds what runs in the container.
func programs(t *testing.T) map[string][]byte {
	t.Helper()
	dir := t.TempDir()
	for target, args := range map[string][]string{
		"sandbox.test": {"test", "-c", "-tags", "servers", "."},
		"hostile":      {"build", "-buildvcs=false", "./testdata/hostile"},
	} {
		build := exec.CommandContext(t.Context(), "go", append([]string{args[0], "-o", filepath.Join(dir, target)}, args[1:]...)...)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if output, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, output)
		}
	}
	found := map[string][]byte{}
	for _, path := range []string{filepath.Join(dir, "sandbox.test"), filepath.Join(dir, "hostile"), "/bin/busybox"} {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		found[filepath.Base(path)] = content
	}
	return found
}
