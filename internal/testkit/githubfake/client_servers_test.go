//go:build servers

package githubfake_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

// TestOfficialClient runs the program githubfake and lets GitHub's own client
// upload to it, download from it, and see what it refuses.
func TestOfficialClient(t *testing.T) {
	t.Parallel()
	runClient(t, "artifacts.mjs", servers.ArtifactClient(t), "GITHUB_RETENTION_DAYS=90")
}

// TestOfficialCacheClient does so with that of the cache.
func TestOfficialCacheClient(t *testing.T) {
	t.Parallel()
	runClient(t, "caches.mjs", servers.CacheClient(t), "ACTIONS_CACHE_SERVICE_V2=1", "GITHUB_WORKSPACE=/")
}

// runClient runs a script with the client in a folder.
func runClient(t *testing.T, script, client string, environ ...string) {
	t.Helper()
	script, err := filepath.Abs(filepath.Join("testdata", script))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", script, client)
	// The client takes other hosts for GitHub Enterprise Server, which has no
	// such service.
	cmd.Env = append(os.Environ(), "GITHUB_SERVER_URL=https://github.com", "RUNNER_TEMP="+t.TempDir(), "TMPDIR="+t.TempDir(), "NO_PROXY=127.0.0.1")
	cmd.Env = append(append(cmd.Env, environ...), startProgram(t)...)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "all as on GitHub") {
		t.Errorf("the script ended with %v:\n%s", err, out)
	}
}

// startProgram starts githubfake and returns what it prints: the environment of
// a job.
func startProgram(t *testing.T) (environ []string) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "githubfake")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./cmd/githubfake").CombinedOutput(); err != nil {
		t.Fatalf("compiling: %v\n%s", err, out)
	}
	cmd := exec.Command(program, "-repository", "acme/shop", "-run", "42", "-seed", "one")
	output, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it keeps nothing
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		environ = append(environ, lines.Text())
		if strings.HasPrefix(lines.Text(), "GITHUB_RUN_ID=") { // the last one
			return environ
		}
	}
	t.Fatalf("githubfake printed only %q", environ)
	return nil
}
