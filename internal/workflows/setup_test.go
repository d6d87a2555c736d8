package workflows_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// stub is a program that can stand in for a released one.
const stub = "#!/bin/sh\necho v1.2.3\n"

// The setup action installs what has the checksum of the release, and nothing
// else, wherever it comes from.
func TestSetup(t *testing.T) {
	t.Parallel()
	name := "deploy-action-" + runtime.GOOS + "-" + runtime.GOARCH
	other := fmt.Sprintf("%x", sha256.Sum256([]byte("another program")))
	for title, c := range map[string]struct {
		release string // the file beside the script; in it, URL is the server's address
		mirror  string
		tools   map[string]string // programs that go before those of this machine
		said    string            // on failure
	}{
		"from the release": {release: "from URL/v1.2.3\n" + checksum(stub) + "  " + name + "\n"},
		"from a mirror": {
			release: "from http://127.0.0.1:1/v1.2.3\n" + checksum(stub) + "  " + name + "\n",
			mirror:  "URL/v1.2.3/",
		},
		"other content": {
			release: "from URL/v1.2.3\n" + other + "  " + name + "\n",
			said:    "is not the program of the release: its SHA-256 is " + checksum(stub) + ", not " + other,
		},
		"not there": {
			release: "from URL/v9.9.9\n" + checksum(stub) + "  " + name + "\n",
			said:    name + " cannot be downloaded from URL/v9.9.9; the input url names a mirror",
		},
		"another system": {
			release: "from URL/v1.2.3\n",
			tools:   map[string]string{"uname": "#!/bin/sh\necho Plan9\n"},
			said:    "there is no program for Plan9: use a job on Linux or macOS",
		},
		"a platform that the release lacks": {
			release: "from URL/v1.2.3\n" + other + "  deploy-action-plan9-mips\n",
			said:    "the release has no " + name,
		},
		"a branch": {
			tools: map[string]string{"go": `#!/bin/sh
until [ "$1" = -o ]; do shift; done
printf '#!/bin/sh\necho v1.2.3\n' >"$2"
chmod +x "$2"
`},
		},
		"a branch, without Go": {said: "this is no release, and Go is missing"},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/v1.2.3/"+name {
					http.NotFound(w, r)
					return
				}
				fmt.Fprint(w, stub)
			}))
			defer server.Close()
			s := newSetup(t, strings.ReplaceAll(c.release, "URL", server.URL))
			log, err := s.run(t, strings.ReplaceAll(c.mirror, "URL", server.URL), c.tools)
			_, missing := os.Stat(filepath.Join(s.temp, "deploy-action", "deploy-action"))
			if c.said != "" {
				want := "::error title=deploy-action cannot be installed::"
				if said := strings.ReplaceAll(c.said, "URL", server.URL); err == nil || !strings.Contains(log, want) || !strings.Contains(log, said) {
					t.Errorf("the step ended with %v and wrote\n%swant a failure that says\n%s%s", err, log, want, said)
				}
				if missing == nil {
					t.Error("a program is installed all the same")
				}
				return
			}
			if err != nil || missing != nil {
				t.Fatalf("the step ended with %v, %v:\n%s", err, missing, log)
			}
			folder := filepath.Join(s.temp, "deploy-action")
			if got := read(t, filepath.Join(s.temp, "path")); got != folder+"\n" {
				t.Errorf("the PATH gets %q, want %s", got, folder)
			}
			if got, want := read(t, filepath.Join(s.temp, "output")), "path="+folder+"/deploy-action\nversion=v1.2.3\n"; got != want {
				t.Errorf("the outputs are %q, want %q", got, want)
			}
		})
	}
}

func checksum(content string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(content))) }

// setupFolder is the setup action as a runner has it.
type setupFolder struct {
	action string // its folder
	temp   string // RUNNER_TEMP
}

// newSetup makes the folder with what the release workflow adds to it; on a
// branch, that is nothing.
func newSetup(t *testing.T, release string) setupFolder {
	t.Helper()
	s := setupFolder{filepath.Join(t.TempDir(), ".github/actions/setup"), t.TempDir()}
	write(t, filepath.Join(s.action, "install"), read(t, root+"/.github/actions/setup/install"), 0o755)
	if release != "" {
		write(t, filepath.Join(s.action, "release"), release, 0o644)
	}
	return s
}

// needed are the tools of this machine that the step may call.
var needed = []string{"sh", "uname", "curl", "wget", "sha256sum", "shasum", "cat", "chmod", "cut", "dirname", "mkdir", "mv", "rm", "sed"}

// run runs the step, with tools of the test's own beside or in place of those
// of this machine.
func (s setupFolder) run(t *testing.T, mirror string, tools map[string]string) (log string, err error) {
	t.Helper()
	path := t.TempDir()
	for name, content := range tools {
		write(t, filepath.Join(path, name), content, 0o755)
	}
	for _, name := range needed {
		if tool, err := exec.LookPath(name); err == nil && tools[name] == "" {
			if err := os.Symlink(tool, filepath.Join(path, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	cmd := exec.CommandContext(t.Context(), "sh", filepath.Join(s.action, "install"))
	cmd.Env = []string{
		"PATH=" + path, "RUNNER_TEMP=" + s.temp, "MIRROR=" + mirror,
		"GITHUB_PATH=" + filepath.Join(s.temp, "path"), "GITHUB_OUTPUT=" + filepath.Join(s.temp, "output"),
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}
