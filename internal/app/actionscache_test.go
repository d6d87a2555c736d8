package app_test

import (
	"bytes"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/deploy-action/deploy-action/internal/app"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// besideRegistry answers for GitHub and for a registry.
type besideRegistry struct {
	github   http.RoundTripper
	registry http.Handler
}

func (b besideRegistry) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != "registry.example.test" {
		return b.github.RoundTrip(r)
	}
	served := r.Clone(r.Context())
	if served.Body == nil {
		served.Body = http.NoBody
	}
	served.Host = r.URL.Host
	w := httptest.NewRecorder()
	b.registry.ServeHTTP(w, served)
	response := w.Result()
	response.Request = r
	return response, nil
}

// TestActionsCache builds in two jobs that share nothing but GitHub, and a
// registry.
func TestActionsCache(t *testing.T) {
	t.Parallel()
	transport := besideRegistry{registry: registry.New(registry.Logger(log.New(io.Discard, "", 0)))}
	github := newJob(t, "").github
	// up runs the verb in a job of its own.
	up := func() string {
		t.Helper()
		j := newJob(t, `
project = "shop"
app "web" {
  build {
    use "docker" { cache_actions = true }
    registry {
      use "docker" {
        image = "registry.example.test/acme/web"
        tag   = "v1"
      }
    }
  }
  deploy {
    use "null" {}
  }
}
`)
		j.github, transport.github = github, github
		for name, content := range map[string]string{"Dockerfile": "FROM scratch\nCOPY a /a\n", "a": "A"} {
			if err := os.WriteFile(filepath.Join(j.workspace, name), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		var out bytes.Buffer
		status := app.Main(t.Context(), app.Sys{
			Args: []string{"deploy-action"}, Dir: j.workspace, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out,
			HTTP:    &http.Client{Transport: transport},
			Environ: append(j.environ(), "INPUT_COMMAND=up", "INPUT_LOCK=off", "GITHUB_EVENT_NAME=push", "GITHUB_REF=refs/heads/main"),
		})
		if status != 0 {
			t.Fatalf("status %d\n%s", status, out.String())
		}
		return out.String()
	}
	const taken = "1 of 1 steps were taken from the cache"
	first := up()
	if got := len(github.Caches()); got != 2 || strings.Contains(first, taken) {
		t.Errorf("GitHub's cache has %d entries, want a layer and a list; the log is\n%s", got, first)
	}
	github.AddRun(githubfake.Run{ID: oneRun, HeadSHA: commit, Ref: "refs/heads/main", Attempt: 2})
	if second := up(); len(github.Caches()) != 2 || !strings.Contains(second, taken) {
		t.Errorf("GitHub's cache has %d entries, want no more; the log is\n%s", len(github.Caches()), second)
	}
}
