package docker

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"

	"github.com/deploy-action/deploy-action/internal/testkit/plugintest"
)

// fakeEngine is a Docker engine of API 1.41 in memory: the requests that the
// platform sends, and no other. What a container does once it starts is up to
// the test.
type fakeEngine struct {
	t     *testing.T
	calls *plugintest.Calls // counts requests; nil where nobody does

	// run is called when a container starts, and sets what comes of it. Nil is
	// a container whose health check passes at once.
	run func(*fakeContainer)

	// refuse answers a request with an error, by "METHOD path".
	refuse map[string]int

	mu         sync.Mutex
	images     map[string]string // IDs by the names they are known by
	registry   map[string]string // what a pull finds, likewise
	containers map[string]*fakeContainer
	execs      map[string]container.ExecCreateRequest
	made       int
	pulls      []string // logins, encoded, of the pulls
}

// fakeContainer is one container of a [fakeEngine].
type fakeContainer struct {
	container.CreateRequest
	id, name string
	created  time.Time
	state    container.State
	port     int        // where the engine publishes its first port
	address  netip.Addr // of its own
	logs     []string   // odd ones to stderr
	files    []byte     // the archive copied into it
	networks []string   // connected to
}

// newFakeEngine starts an engine that has one image, "registry.test/web:v1".
func newFakeEngine(t *testing.T, calls *plugintest.Calls) (f *fakeEngine, host string) {
	t.Helper()
	f = &fakeEngine{
		t: t, calls: calls, refuse: map[string]int{},
		images:     map[string]string{"registry.test/web:v1": "sha256:1111"},
		registry:   map[string]string{},
		containers: map[string]*fakeContainer{},
		execs:      map[string]container.ExecCreateRequest{},
	}
	routes := f.routes()
	versioned := http.StripPrefix("/v1.41", routes)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/_ping" { // asked before there is a version to agree on
			routes.ServeHTTP(w, r)
			return
		}
		versioned.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return f, "tcp://" + server.Listener.Addr().String()
}

func (f *fakeEngine) routes() http.Handler {
	mux := http.NewServeMux()
	for pattern, handle := range map[string]func(http.ResponseWriter, *http.Request) error{
		"/_ping":                        f.ping,
		"GET /containers/json":          f.list,
		"POST /containers/create":       f.create,
		"GET /containers/{id}/json":     f.on(f.inspect),
		"POST /containers/{id}/start":   f.on(f.start),
		"POST /containers/{id}/stop":    f.on(f.stop),
		"DELETE /containers/{id}":       f.on(f.remove),
		"GET /containers/{id}/logs":     f.on(f.readLogs),
		"PUT /containers/{id}/archive":  f.on(f.copyTo),
		"POST /containers/{id}/exec":    f.on(f.exec),
		"POST /exec/{id}/start":         f.execStart,
		"GET /exec/{id}/json":           f.execInspect,
		"GET /networks/{name}":          f.networkInspect,
		"POST /networks/{name}/connect": f.connect,
		"GET /images/{name...}":         f.imageInspect,
		"POST /images/create":           f.pull,
		"POST /images/load":             f.load,
	} {
		mux.HandleFunc(pattern, f.counted(handle))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		f.t.Errorf("unexpected request %s %s", r.Method, r.URL)
		http.Error(w, "unexpected", http.StatusInternalServerError)
	})
	return mux
}

// statusError is an answer of the engine that is no success.
type statusError int

// Error implements error.
func (s statusError) Error() string { return http.StatusText(int(s)) }

// counted counts a request, breaks the connection where it is to go wrong, and
// makes an answer of its error.
func (f *fakeEngine) counted(handle func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		name := r.Method + " " + r.URL.Path
		answer := func() error {
			err := error(nil)
			if status, refused := f.refuse[name]; refused {
				err = statusError(status)
			} else {
				err = handle(w, r)
			}
			if status, ok := err.(statusError); ok {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(int(status))
				_ = json.NewEncoder(w).Encode(map[string]string{"message": "fake: " + status.Error()})
				return nil
			}
			return err
		}
		count := func(_ string, answer func() error) error { return answer() }
		if f.calls != nil {
			count = func(name string, answer func() error) error { return f.calls.Write(r.Context(), name, answer) }
			if r.Method == http.MethodGet || r.Method == http.MethodHead {
				count = func(name string, answer func() error) error { return f.calls.Read(r.Context(), name, answer) }
			}
		}
		if err := count(name, answer); err != nil {
			panic(http.ErrAbortHandler)
		}
	}
}

// on finds the container that a request is about.
func (f *fakeEngine) on(handle func(http.ResponseWriter, *http.Request, *fakeContainer) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		f.mu.Lock()
		c := f.containers[r.PathValue("id")]
		f.mu.Unlock()
		if c == nil {
			return statusError(http.StatusNotFound)
		}
		return handle(w, r, c)
	}
}

// reply answers with JSON.
func reply(w http.ResponseWriter, status int, value any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(value)
}

func (f *fakeEngine) ping(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Api-Version", "1.41")
	w.Header().Set("Ostype", "linux")
	return nil
}

func (f *fakeEngine) list(w http.ResponseWriter, r *http.Request) error {
	var filters map[string]map[string]bool
	if err := json.Unmarshal([]byte(r.FormValue("filters")), &filters); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	items := []container.Summary{}
	for _, c := range f.containers {
		matches := true
		for want := range filters["label"] {
			name, value, _ := strings.Cut(want, "=")
			matches = matches && c.Labels[name] == value
		}
		if matches {
			items = append(items, container.Summary{
				ID: c.id, Names: []string{"/" + c.name}, Labels: c.Labels, Created: c.created.Unix(),
				Ports: []container.PortSummary{{PrivatePort: 3000, PublicPort: uint16(c.port), Type: "tcp"}},
			})
		}
	}
	return reply(w, http.StatusOK, items)
}

func (f *fakeEngine) create(w http.ResponseWriter, r *http.Request) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.containers {
		if c.name == r.FormValue("name") {
			return statusError(http.StatusConflict)
		}
	}
	f.made++
	c := &fakeContainer{id: fmt.Sprintf("c%d", f.made), name: r.FormValue("name"), created: time.Now()}
	if err := json.NewDecoder(r.Body).Decode(&c.CreateRequest); err != nil {
		return err
	}
	if !slices.Contains(slices.Collect(maps.Values(f.images)), c.Image) {
		return statusError(http.StatusNotFound)
	}
	c.Config.WorkingDir = "/srv"
	c.state = container.State{Status: container.StateCreated}
	f.containers[c.id] = c
	return reply(w, http.StatusCreated, container.CreateResponse{ID: c.id})
}

func (f *fakeEngine) inspect(w http.ResponseWriter, _ *http.Request, c *fakeContainer) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	ports := network.PortMap{}
	for port := range c.HostConfig.PortBindings {
		if c.state.Running {
			ports[port] = []network.PortBinding{{HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: strconv.Itoa(c.port)}}
		}
	}
	return reply(w, http.StatusOK, container.InspectResponse{
		ID: c.id, Name: "/" + c.name, State: &c.state, Config: c.Config,
		NetworkSettings: &container.NetworkSettings{
			Ports:    ports,
			Networks: map[string]*network.EndpointSettings{"bridge": {IPAddress: c.address}},
		},
	})
}

func (f *fakeEngine) start(w http.ResponseWriter, _ *http.Request, c *fakeContainer) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	c.port = 40000 + f.made
	c.state = container.State{Status: container.StateRunning, Running: true, Health: &container.Health{Status: container.Healthy}}
	c.logs = []string{"started", "a warning"}
	if f.run != nil {
		f.run(c)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (f *fakeEngine) stop(w http.ResponseWriter, _ *http.Request, c *fakeContainer) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	c.state = container.State{Status: container.StateExited}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (f *fakeEngine) remove(w http.ResponseWriter, _ *http.Request, c *fakeContainer) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.containers, c.id)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (f *fakeEngine) readLogs(w http.ResponseWriter, r *http.Request, c *fakeContainer) error {
	lines := c.logs
	if tail, err := strconv.Atoi(r.FormValue("tail")); err == nil {
		lines = lines[max(0, len(lines)-tail):]
	}
	for i, line := range lines {
		stream := stdcopy.Stdout
		if i%2 == 1 {
			stream = stdcopy.Stderr
		}
		text := fmt.Sprintf("2026-01-02T03:04:%02d.000000000Z %s\n", i, line)
		header := [8]byte{0: byte(stream), 7: byte(len(text))}
		if _, err := w.Write(append(header[:], text...)); err != nil {
			return err
		}
	}
	if r.FormValue("follow") != "" {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	return nil
}

func (f *fakeEngine) copyTo(_ http.ResponseWriter, r *http.Request, c *fakeContainer) (err error) {
	c.files, err = io.ReadAll(r.Body)
	return err
}

func (f *fakeEngine) exec(w http.ResponseWriter, r *http.Request, _ *fakeContainer) error {
	var req container.ExecCreateRequest
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	id := fmt.Sprintf("e%d", len(f.execs))
	f.execs[id] = req
	return reply(w, http.StatusCreated, container.ExecCreateResponse{ID: id})
}

// execStart writes the command back on stdout.
func (f *fakeEngine) execStart(w http.ResponseWriter, r *http.Request) error {
	f.mu.Lock()
	command := f.execs[r.PathValue("id")]
	text := strings.Join(command.Cmd, " ")
	f.mu.Unlock()
	w.Header().Set("Connection", "Upgrade")
	w.Header().Set("Upgrade", "tcp")
	w.WriteHeader(http.StatusSwitchingProtocols)
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return err
	}
	defer conn.Close()
	header := [8]byte{0: byte(stdcopy.Stdout), 7: byte(len(text))}
	if _, err := conn.Write(append(header[:], text...)); err != nil || !command.AttachStdin {
		return err
	}
	_, err = io.Copy(io.Discard, conn) // closing on unread input would reset the connection
	return err
}

// execInspect ends "false" with 1 and everything else with 0.
func (f *fakeEngine) execInspect(w http.ResponseWriter, r *http.Request) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	status := 0
	if slices.Equal(f.execs[r.PathValue("id")].Cmd, []string{"false"}) {
		status = 1
	}
	return reply(w, http.StatusOK, container.ExecInspectResponse{ExitCode: &status})
}

// networkInspect knows every network but "nowhere".
func (f *fakeEngine) networkInspect(w http.ResponseWriter, r *http.Request) error {
	if r.PathValue("name") == "nowhere" {
		return statusError(http.StatusNotFound)
	}
	return reply(w, http.StatusOK, map[string]string{"Name": r.PathValue("name")})
}

func (f *fakeEngine) connect(w http.ResponseWriter, r *http.Request) error {
	var req network.ConnectRequest
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.containers[req.Container]
	c.networks = append(c.networks, r.PathValue("name"))
	return nil
}

func (f *fakeEngine) imageInspect(w http.ResponseWriter, r *http.Request) error {
	named := strings.TrimSuffix(r.PathValue("name"), "/json")
	f.mu.Lock()
	defer f.mu.Unlock()
	for known, id := range f.images {
		if named == known || named == id {
			return reply(w, http.StatusOK, map[string]string{"Id": id})
		}
	}
	return statusError(http.StatusNotFound)
}

func (f *fakeEngine) pull(w http.ResponseWriter, r *http.Request) error {
	separator := ":"
	if strings.Contains(r.FormValue("tag"), ":") {
		separator = "@"
	}
	named := r.FormValue("fromImage") + separator + r.FormValue("tag")
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pulls = append(f.pulls, r.Header.Get("X-Registry-Auth"))
	id, found := f.registry[named]
	if !found {
		return statusError(http.StatusNotFound)
	}
	f.images[named] = id
	return reply(w, http.StatusOK, map[string]string{"status": "done"})
}

// load reads an archive as docker save writes it, only for its name.
func (f *fakeEngine) load(w http.ResponseWriter, r *http.Request) error {
	named, id, err := readArchive(r.Body)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.images[named] = id
	return reply(w, http.StatusOK, map[string]string{"stream": "Loaded image: " + named})
}

// names returns the containers there are.
func (f *fakeEngine) names() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var names []string
	for _, c := range f.containers {
		names = append(names, c.name)
	}
	return names
}

// only returns the one container there is.
func (f *fakeEngine) only() *fakeContainer {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.containers) != 1 {
		f.t.Fatalf("the engine has %d containers, want 1", len(f.containers))
	}
	return slices.Collect(maps.Values(f.containers))[0]
}
