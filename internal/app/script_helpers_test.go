package app_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// buildHello compiles the app that scripts deploy, once for all of them. It is
// static, for it runs alone in its image.
var buildHello = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "hello-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "hello")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", path, ".")
	cmd.Dir = "../../testdata/hello"
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("compiling testdata/hello: %w: %s", err, out)
	}
	return path, nil
})

// get asks for the URL that a line "APP: URL" of the last output names, and
// makes the answer the output: get [APP].
func get(ts *testscript.TestScript, neg bool, args []string) {
	app := "web"
	if len(args) > 0 {
		app = args[0]
	}
	url := ""
	for line := range strings.Lines(ts.ReadFile("stdout")) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), app+": http"); ok {
			url = "http" + rest
		}
	}
	if url == "" {
		url = strings.TrimSpace(ts.Getenv("URL"))
	}
	ts.Setenv("URL", url)
	response, err := http.Get(url)
	if neg {
		if err == nil && response.StatusCode == http.StatusOK {
			ts.Fatalf("%s answers, want that it does not", url)
		}
		return
	}
	ts.Check(err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	ts.Check(err)
	if response.StatusCode != http.StatusOK {
		ts.Fatalf("%s answers %s: %s", url, response.Status, body)
	}
	_, err = ts.Stdout().Write(body)
	ts.Check(err)
}

// killBelow ends every process that runs in or from a folder, so that none
// outlives its script.
func killBelow(t *testing.T, folder string) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Logf("looking for processes: %v", err)
		return
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		cwd, _ := os.Readlink(filepath.Join("/proc", e.Name(), "cwd"))
		command, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if strings.HasPrefix(cwd, folder) || strings.Contains(string(command), folder) {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended by itself
		}
	}
}
