package oci

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Embedded is a registry in a folder, for terminals where no other is
// configured. This program reaches it in process through [Embedded.Transport];
// others, such as a container engine, through a port once [Embedded.Serve] was
// called. Several processes may open one folder at the same time.
//
// The host in its images' names is a loopback address whose port is kept in
// the folder, so that names stay good from run to run. If another program has
// taken the port, a new one is chosen, and names with the old one still
// resolve in process.
type Embedded struct {
	id      string // of the folder, which every answer carries
	ports   []int  // the present one first
	handler http.Handler

	mu     sync.Mutex
	server *http.Server // nil until served
}

// identityHeader tells this folder's registry from other programs on a port.
const identityHeader = "Deploy-Action-Registry"

// OpenEmbedded opens the registry in dir, which it makes if there is none. The
// caller closes it.
func OpenEmbedded(dir string) (*Embedded, error) {
	store, err := openStore(dir)
	if err != nil {
		return nil, fmt.Errorf("opening embedded registry: %w", err)
	}
	id, err := loadOnce(filepath.Join(dir, "id"), func() (string, error) { return rand.Text(), nil })
	if err != nil {
		return nil, fmt.Errorf("opening embedded registry: %w", err)
	}
	e := &Embedded{id: id}
	e.handler = identified(id, newAPI(store))
	if err := e.choosePort(filepath.Join(dir, "ports")); err != nil {
		return nil, fmt.Errorf("opening embedded registry: %w", err)
	}
	return e, nil
}

// Host returns the registry's part of image names, "127.0.0.1:PORT".
func (e *Embedded) Host() string { return hostOf(e.ports[0]) }

// Serves reports whether an image name's host is this registry, now or by one
// of its former ports.
func (e *Embedded) Serves(host string) bool {
	return slices.ContainsFunc(e.ports, func(port int) bool { return hostOf(port) == host })
}

// Transport answers requests to this registry in process, without a socket,
// and hands all others to base.
func (e *Embedded) Transport(base http.RoundTripper) http.RoundTripper {
	return inProcess{registry: e, base: base}
}

// Serve makes the registry reachable by other programs until Close. It returns
// once the port accepts connections; a second call changes nothing. Another
// process that serves the same folder will do as well.
func (e *Embedded) Serve() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.server != nil || e.answers(e.ports[0]) {
		return nil
	}
	listener, err := net.Listen("tcp", e.Host())
	if err != nil {
		return fmt.Errorf("serving embedded registry: %w", err)
	}
	e.server = &http.Server{Handler: e.handler, ReadHeaderTimeout: 10 * time.Second}
	go e.server.Serve(listener) // its error is that of Close
	return nil
}

// Close ends serving. Files stay.
func (e *Embedded) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.server == nil {
		return nil
	}
	err := e.server.Close()
	e.server = nil
	return err
}

// choosePort reads the folder's ports, newest first, and takes a new one in
// front if there is none that we can have.
func (e *Embedded) choosePort(path string) error {
	text, err := loadOnce(path, func() (string, error) {
		port, err := freePort()
		return strconv.Itoa(port), err
	})
	if err != nil {
		return err
	}
	for field := range strings.FieldsSeq(text) {
		port, err := strconv.Atoi(field)
		if err != nil {
			return fmt.Errorf("reading %s: %w", path, err)
		}
		e.ports = append(e.ports, port)
	}
	if len(e.ports) == 0 {
		return fmt.Errorf("reading %s: it names no port", path)
	}
	if e.available(e.ports[0]) {
		return nil
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	e.ports = append([]int{port}, e.ports...)
	return replaceFile(path, []byte(strconv.Itoa(port)+"\n"+text))
}

// available reports whether a port is free or held by this folder's registry.
func (e *Embedded) available(port int) bool {
	listener, err := net.Listen("tcp", hostOf(port))
	if err == nil {
		listener.Close()
		return true
	}
	return e.answers(port)
}

// answers reports whether this folder's registry is served on a port.
func (e *Embedded) answers(port int) bool {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 2 * time.Second}
	resp, err := client.Get("http://" + hostOf(port) + "/v2/")
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.Header.Get(identityHeader) == e.id
}

// identified adds the folder's identity to every answer.
func identified(id string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(identityHeader, id)
		next.ServeHTTP(w, r)
	})
}

func hostOf(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// freePort asks the system for a port that nobody has.
func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// loadOnce returns the content of a file that the first process to come here
// makes. A link can be made only once, and only of a whole file.
func loadOnce(path string, make func() (string, error)) (string, error) {
	content, err := os.ReadFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return strings.TrimSpace(string(content)), err
	}
	text, err := make()
	if err != nil {
		return "", err
	}
	temp := path + "." + rand.Text()
	if err := os.WriteFile(temp, []byte(text+"\n"), 0o644); err != nil {
		return "", err
	}
	defer os.Remove(temp)
	if err := os.Link(temp, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	content, err = os.ReadFile(path)
	return strings.TrimSpace(string(content)), err
}
