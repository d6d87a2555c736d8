package app_test

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/deploy-action/deploy-action/internal/state"
)

// A registry that is of no use is named with the reason and the remedy. The
// failed push is recorded, and the next up goes on from there.
func TestRegistryInTrouble(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		registry http.Handler // nil for none
		want     []string
	}{
		"refuses the login": {
			registry: answering(http.StatusUnauthorized, "application/json", `{"errors":[{"code":"UNAUTHORIZED"}]}`),
			want:     []string{"Registry HOST refused access", "The credentials are missing, wrong, or not enough", "docker login HOST"},
		},
		"answers 500 always": {
			registry: answering(http.StatusInternalServerError, "text/plain", "out of order"),
			want:     []string{"Registry HOST is failing", "status 500", "run again once the registry is well"},
		},
		"is no registry": {
			registry: answering(http.StatusOK, "text/html", "<h1>Welcome</h1>"),
			want:     []string{"HOST is not a registry", "Check the host in the image's name"},
		},
		"is down": {
			want: []string{"Registry HOST cannot be reached", "Check that the registry runs"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			server := httptest.NewServer(test.registry)
			t.Cleanup(server.Close)
			if test.registry == nil {
				server.Close()
			}
			s.pushTo(server.Listener.Addr().String())
			status, output := s.run(nil, "up")
			if status != 1 {
				t.Errorf("exit status %d, want 1\n%s", status, output)
			}
			for _, words := range test.want {
				if words = strings.ReplaceAll(words, "HOST", server.Listener.Addr().String()); !strings.Contains(output, words) {
					t.Errorf("no %q in:\n%s", words, output)
				}
			}
			before := s.records()
			if s.newest("push").Status != state.Failed {
				t.Errorf("the push is recorded as %s, want it failed", s.newest("push").Status)
			}
			good := httptest.NewServer(healthyRegistry())
			t.Cleanup(good.Close)
			s.pushTo(good.Listener.Addr().String())
			s.succeeds("up")
			s.checkRecords(before, name)
		})
	}
}

// A registry that fails once, at whatever it is asked, is asked again.
func TestRegistryFailsOnce(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"GET", "HEAD", "POST", "PATCH", "PUT"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			server := httptest.NewServer(failingFirst(method, healthyRegistry()))
			t.Cleanup(server.Close)
			s.pushTo(server.Listener.Addr().String())
			s.succeeds("up")
		})
	}
}

// pushTo makes the site push to a registry, and deploy nothing real.
func (s *site) pushTo(host string) {
	s.t.Helper()
	s.write("waypoint.hcl", fmt.Sprintf(`project = "shop"

app "web" {
  build {
    use "docker" {}
    registry {
      use "docker" {
        image    = "%s/shop/web"
        tag      = "1"
        insecure = true
      }
    }
  }
  deploy {
    use "null" {}
  }
}
`, host))
}

// newest returns the newest record of an operation.
func (s *site) newest(operation string) state.Record {
	s.t.Helper()
	var newest state.Record
	for _, r := range s.records() {
		if r.Operation == operation && r.Sequence > newest.Sequence {
			newest = r
		}
	}
	return newest
}

func healthyRegistry() http.Handler { return registry.New(registry.Logger(log.New(io.Discard, "", 0))) }

// answering gives the same answer to everything.
func answering(status int, contentType, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	})
}

// failingFirst answers 500 to the first request of a method.
func failingFirst(method string, next http.Handler) http.Handler {
	var failed atomic.Bool
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == method && !failed.Swap(true) {
			http.Error(w, "try again", http.StatusInternalServerError)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// A front port that is taken is no reason to end what serves: the release
// fails, names who has the port, and the front before stays.
func TestPortInUse(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	port := strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
	taken := strings.Replace(siteConfig, "health_path", "front_port = "+port+"\n      health_path", 1)

	s.write("waypoint.hcl", taken)
	s.wantPortTaken(port)
	s.write("waypoint.hcl", siteConfig)
	s.steadyUp()

	s.write("waypoint.hcl", taken)
	s.wantPortTaken(port)
	s.load.check(t, "a release to a port in use")
	s.load.stop()
	s.load = nil

	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	if url := urlOf(t, s.succeeds("up")); url != "http://127.0.0.1:"+port {
		t.Errorf("released at %s, want port %s", url, port)
	}
	s.checkStanding("after the port was free")
	s.destroy()
}

// wantPortTaken runs up, which must say that the port is in use.
func (s *site) wantPortTaken(port string) {
	s.t.Helper()
	before := s.records()
	status, output := s.run(nil, "up")
	if status != 1 {
		s.t.Errorf("exit status %d, want 1", status)
	}
	for _, words := range []string{"Port " + port + " is in use", "front_port = " + port, "End that one, or set front_port to another port"} {
		if !strings.Contains(output, words) {
			s.t.Errorf("no %q in:\n%s", words, output)
		}
	}
	if r := s.newest("release"); r.Status != state.Failed {
		s.t.Errorf("the release is recorded as %s, want it failed", r.Status)
	}
	s.checkRecords(before, "a port in use")
	s.checkProcesses("a port in use")
}

// limitVariable makes the program unable to write files beyond a size: to it,
// a disk that is full.
const limitVariable = "TEST_FILE_LIMIT"

// limitFiles obeys limitVariable.
func limitFiles() {
	text := os.Getenv(limitVariable)
	if text == "" {
		return
	}
	size, err := strconv.ParseUint(text, 10, 64)
	if err == nil {
		err = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: size})
	}
	if err != nil {
		panic(err)
	}
}

// A disk that is full in the middle of any record, or before the first, loses
// none that was written, and with room again the next up goes on.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.write("waypoint.hcl", `project = "shop"

app "web" {
  build {
    use "null" {}
  }
  deploy {
    use "null" {}
  }
}
`)
	s.succeeds("up")
	s.succeeds("up")
	lines := len(s.journal())
	s.succeeds("up")
	appended := s.journal()[lines:]
	room := 0
	for n, line := range appended {
		what := fmt.Sprintf("no room for line %d of %d", n+1, len(appended))
		limit := len(strings.Join(s.journal(), "")) + room + len(line)/2
		room += len(line)
		s.upWithRoom(limit, what)
		s.succeeds("up")
	}
	s.upWithRoom(1, "no room for the lock")
}

// upWithRoom runs up with files limited to a size, which must fail and say why.
func (s *site) upWithRoom(limit int, what string) {
	s.t.Helper()
	before := s.records()
	status, output := s.run([]string{fmt.Sprintf("%s=%d", limitVariable, limit)}, "up")
	if status != 1 || strings.Count(output, "Make room there, then run the same command again") != 1 {
		s.t.Errorf("%s: exit status %d, want 1 and one problem\n%s", what, status, output)
	}
	if strings.Contains(output, "nothing is released") {
		s.t.Errorf("%s: what is released was not looked at, or forgotten:\n%s", what, output)
	}
	s.checkRecords(before, what)
}

// journal returns the lines of the state's journal.
func (s *site) journal() []string {
	s.t.Helper()
	raw, err := os.ReadFile(filepath.Join(s.dir, ".deploy-action", "state.journal"))
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.SplitAfter(strings.TrimSuffix(string(raw), "\n"), "\n")
}
