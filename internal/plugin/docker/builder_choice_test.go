package docker

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deploy-action/deploy-action/internal/component"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/build"
	"github.com/deploy-action/deploy-action/internal/oci/build/sandbox"
)

// TestMain makes the test binary the helper that commands are started with.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == sandbox.Verb {
		os.Exit(sandbox.Helper(context.Background(), os.Args[2:]))
	}
	os.Exit(m.Run())
}

// testChoice has "auto" choose for a Dockerfile on one rung.
func testChoice(t *testing.T, dockerfile string, rung sandbox.Rung, env map[string]string) (choice, build.Request) {
	t.Helper()
	folder := t.TempDir()
	file := filepath.Join(folder, "Dockerfile")
	if err := os.WriteFile(file, []byte(dockerfile), 0o644); err != nil {
		t.Fatal(err)
	}
	layout, err := oci.OpenLayout(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	b := &builder{host: component.Host{Getenv: func(name string) string { return env[name] }}}
	req := build.Request{Root: folder, Context: folder, Dockerfile: file, Layout: layout, Work: t.TempDir(), Rung: rung}
	chosen, err := b.choose(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(chosen.close)
	req.Daemon = chosen.daemon
	return chosen, req
}

// TestAuto chooses where commands can run in no namespace: the last rung is the
// only one that is tried, and it is none here.
func TestAuto(t *testing.T) {
	t.Parallel()
	nobody := "unix://" + filepath.Join(t.TempDir(), "socket")
	const command, files = "FROM scratch\nRUN a\n", "FROM scratch\nCOPY a /\n"
	tests := map[string]struct {
		dockerfile string
		buildkit   string
		daemon     bool
		reason     string
	}{
		"a daemon for a command": {
			command, nobody, true,
			"The BuildKit that BUILDKIT_HOST names builds, since this machine permits no namespaces to run commands in",
		},
		"nothing to run":      {files, nobody, false, "The built-in engine builds: no command is to be run"},
		"no daemon":           {command, "", false, "The built-in engine builds: neither BUILDKIT_HOST nor a Docker engine is there"},
		"an unusable address": {command, "ftp://example.com", false, "The built-in engine builds: neither BUILDKIT_HOST nor a Docker engine is there"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := map[string]string{"BUILDKIT_HOST": test.buildkit, "DOCKER_HOST": nobody}
			chosen, _ := testChoice(t, test.dockerfile, sandbox.Swap, env)
			if (chosen.daemon != nil) != test.daemon || !strings.HasPrefix(chosen.reason, test.reason) {
				t.Errorf("a daemon: %v, because %q; want %v, %q", chosen.daemon != nil, chosen.reason, test.daemon, test.reason)
			}
		})
	}
}
