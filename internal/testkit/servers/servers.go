// Package servers starts real servers for tests, [Docker], [BuildKit],
// [Registry], [Azurite], [Vault] and [Moto], makes a builder of [Lifecycle], and finds
// [Act], [Buildah], [Debian], [Packer] and [ArtifactClient].
//
// It installs nothing: testdata/servers/NAME/install.sh does that. A server
// that cannot be had skips the test with the reason on a developer's machine,
// and fails it where the variable CI is "true". Tests that use this package
// have the build tag "servers"; packages are tested one after the other.
package servers

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/deploy-action/deploy-action/internal/retry"
)

const (
	// startTime is how long a server may take to answer, and stopTime to end.
	startTime = time.Minute
	stopTime  = 20 * time.Second

	pollInterval = 50 * time.Millisecond
)

// unavailable ends the test, since name cannot be had.
func unavailable(t *testing.T, name, reason string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("no %s: %s", name, reason)
	}
	t.Skipf("no %s: %s", name, reason)
}

// program returns the path of a server's program, or ends the test.
func program(t *testing.T, server, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		unavailable(t, server, fmt.Sprintf("%v; testdata/servers/%s/install.sh installs it", err, server))
	}
	return path
}

// process is a server that runs until its test ends.
type process struct {
	output bytes.Buffer // read it only after ended is closed
	ended  chan struct{}
}

// start starts a server. It ends with the test, and also when the test is
// killed.
func start(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &p.output, &p.output
	cmd.SysProcAttr = attributes()
	started := make(chan error)
	go func() {
		// The signal is sent when the thread ends that started the process: it
		// must live as long.
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // a server that is told to stop has any status
		}
		close(p.ended)
	}()
	if err := <-started; err != nil {
		t.Fatalf("starting %s: %v", cmd.Path, err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
		select {
		case <-p.ended:
		case <-time.After(stopTime):
			_ = cmd.Process.Kill()
			<-p.ended
		}
		if t.Failed() {
			t.Logf("output of %s:\n%s", cmd.Path, p.output.Bytes())
		}
	})
	return p
}

// await polls until a server answers. A server that ended instead ends the
// test with its output.
func (p *process) await(t *testing.T, server string, answers func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTime)
	defer cancel()
	var last error
	err := retry.Poll(ctx, pollInterval, func(ctx context.Context) (bool, error) {
		select {
		case <-p.ended:
			return false, fmt.Errorf("it ended: %s", bytes.TrimSpace(p.output.Bytes()))
		default:
		}
		last = answers(ctx)
		return last == nil, nil
	})
	if err != nil {
		unavailable(t, server, fmt.Sprintf("%v (%v)", err, last))
	}
}
