package container_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
)

// fakeEngine is a Docker engine of API 1.44 in memory, for one command: the
// requests that the package sends, and no other.
type fakeEngine struct {
	output string         // of the command, to stderr; at most 255 characters
	status int64          // with which it ends
	runs   func()         // the command itself; nil for one that ends at once
	refuse map[string]int // answers with an error, by path without version and names

	known map[string]container.InspectResponse // containers that run already, by ID

	mu     sync.Mutex
	live   map[string]bool // containers by name
	made   []container.CreateRequest
	logins []string

	begun, ended chan struct{}
}

// newFakeEngine starts an engine and returns its address.
func newFakeEngine(t *testing.T) (f *fakeEngine, host string) {
	t.Helper()
	f = &fakeEngine{refuse: map[string]int{}, live: map[string]bool{}, begun: make(chan struct{}), ended: make(chan struct{})}
	mux := http.NewServeMux()
	for pattern, handle := range map[string]http.HandlerFunc{
		"/_ping":                       func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Api-Version", "1.44") },
		"POST /containers/create":      f.create,
		"POST /containers/{id}/attach": f.attach,
		"POST /containers/{id}/wait":   f.wait,
		"POST /containers/{id}/start":  f.start,
		"DELETE /containers/{id}":      f.remove,
		"GET /containers/{id}/json":    f.inspect,
		"POST /images/create":          f.pull,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if status, refused := f.refuse[pattern]; refused {
				answer(w, status, map[string]string{"message": "fake: refused"})
				return
			}
			handle(w, r)
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("unexpected request %s %s", r.Method, r.URL)
		answer(w, http.StatusInternalServerError, map[string]string{"message": "unexpected"})
	})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/_ping" { // asked before there is a version to agree on
			mux.ServeHTTP(w, r)
			return
		}
		http.StripPrefix("/v1.44", mux).ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return f, "tcp://" + server.Listener.Addr().String()
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that is gone needs no answer
}

func (f *fakeEngine) create(w http.ResponseWriter, r *http.Request) {
	var request container.CreateRequest
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		answer(w, http.StatusBadRequest, map[string]string{"message": err.Error()})
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.live[r.FormValue("name")] = true
	f.made = append(f.made, request)
	answer(w, http.StatusCreated, map[string]string{"Id": "0123"})
}

// attach is the command's output, from its start to its end.
func (f *fakeEngine) attach(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Connection", "Upgrade")
	w.Header().Set("Upgrade", "tcp")
	w.WriteHeader(http.StatusSwitchingProtocols)
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	defer close(f.ended)
	<-f.begun
	header := [8]byte{0: byte(stdcopy.Stderr), 7: byte(len(f.output))}
	_, _ = conn.Write(append(header[:], f.output...)) // a client that is gone hears nothing
	if f.runs != nil {
		f.runs()
	}
}

func (f *fakeEngine) start(w http.ResponseWriter, _ *http.Request) {
	close(f.begun)
	w.WriteHeader(http.StatusNoContent)
}

// wait answers when the command has ended and its container is gone.
func (f *fakeEngine) wait(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush()
	select {
	case <-f.ended:
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.live, r.PathValue("id"))
		_ = json.NewEncoder(w).Encode(container.WaitResponse{StatusCode: f.status})
	case <-r.Context().Done():
	}
}

func (f *fakeEngine) remove(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.live[r.PathValue("id")] {
		answer(w, http.StatusNotFound, map[string]string{"message": "fake: no such container"})
		return
	}
	delete(f.live, r.PathValue("id"))
	w.WriteHeader(http.StatusNoContent)
}

func (f *fakeEngine) inspect(w http.ResponseWriter, r *http.Request) {
	if found, ok := f.known[r.PathValue("id")]; ok {
		answer(w, http.StatusOK, found)
		return
	}
	answer(w, http.StatusNotFound, map[string]string{"message": "fake: no such container"})
}

func (f *fakeEngine) pull(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.logins = append(f.logins, r.Header.Get("X-Registry-Auth"))
	answer(w, http.StatusOK, map[string]string{"status": "done"})
}
