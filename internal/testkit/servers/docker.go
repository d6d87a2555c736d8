package servers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/moby/moby/client"
)

// DockerEngine is a Docker engine that answers.
type DockerEngine struct {
	Host   string         // as in DOCKER_HOST
	Client *client.Client // of this engine
}

// Docker returns the engine of this machine, or one that it starts for the
// length of the test. Engines share the machine's network, so there is only one
// at a time: call it once in a test and hand the engine to subtests.
func Docker(t *testing.T) *DockerEngine {
	t.Helper()
	if host := os.Getenv("DOCKER_HOST"); host != "" {
		return connectDocker(t, host)
	}
	// The same address as the program's own default.
	if _, err := connect(t.Context(), client.DefaultDockerHost); err == nil {
		return connectDocker(t, client.DefaultDockerHost)
	}
	return startDocker(t)
}

// connect returns a client for an engine that answers.
func connect(ctx context.Context, host string) (*client.Client, error) {
	docker, err := client.New(client.WithHost(host))
	if err != nil {
		return nil, err
	}
	if _, err := docker.Ping(ctx, client.PingOptions{NegotiateAPIVersion: true}); err != nil {
		_ = docker.Close() // it was never connected
		return nil, err
	}
	return docker, nil
}

// connectDocker returns the engine at host, or ends the test.
func connectDocker(t *testing.T, host string) *DockerEngine {
	t.Helper()
	docker, err := connect(t.Context(), host)
	if err != nil {
		unavailable(t, "docker", err.Error())
	}
	t.Cleanup(func() { docker.Close() })
	return &DockerEngine{Host: host, Client: docker}
}

// startDocker starts an engine with everything that it keeps in a folder of its
// own.
func startDocker(t *testing.T) *DockerEngine {
	t.Helper()
	dockerd := program(t, "docker", "dockerd")
	if os.Geteuid() != 0 {
		unavailable(t, "docker", "none runs, and only root may start one")
	}
	lock(t, "docker")
	// Not t.TempDir, whose paths are too long for a socket. The engine is
	// stopped before its folder goes, since clean-up runs backwards.
	folder, err := os.MkdirTemp("", "dockerd-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		unmount(filepath.Join(folder, "exec"))
		if err := os.RemoveAll(folder); err != nil {
			t.Errorf("removing what the engine kept: %v", err)
		}
	})
	host := "unix://" + filepath.Join(folder, "docker.sock")
	engine := start(t, exec.Command(dockerd,
		"--host", host,
		"--data-root", filepath.Join(folder, "data"),
		"--exec-root", filepath.Join(folder, "exec"),
		"--pidfile", filepath.Join(folder, "pid"),
		"--log-level", "error",
	))
	engine.await(t, "docker", func(ctx context.Context) error {
		docker, err := connect(ctx, host)
		if err == nil {
			err = docker.Close()
		}
		return err
	})
	return connectDocker(t, host)
}

// lock waits for the right to start the only server of a name on this machine,
// and gives it up when the test ends.
func lock(t *testing.T, name string) {
	t.Helper()
	file, err := os.OpenFile(filepath.Join(os.TempDir(), fmt.Sprintf("deploy-action-%s-%d.lock", name, os.Geteuid())), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() }) // which unlocks it
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatalf("locking %q: %v", file.Name(), err)
	}
}
