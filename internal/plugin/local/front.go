package local

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// frontCard is front.json: whose front it is and where it listens.
type frontCard struct {
	owner
	Port     int    `json:"port"`
	Protocol string `json:"protocol"`
}

// route is route.json: where a front sends what comes in. The zero route
// answers that there is nothing.
type route struct {
	Deployment string `json:"deployment,omitempty"`
	Port       int    `json:"port,omitempty"`
}

// frontState is state.json of a front: what it does by now.
type frontState struct {
	Listening bool           `json:"listening"`
	Route     route          `json:"route"`
	InFlight  map[string]int `json:"in_flight,omitempty"` // requests, by deployment
	Problem   string         `json:"problem,omitempty"`
	PortTaken bool           `json:"port_taken,omitempty"`
}

// frontPoll is how often a front looks for a new route.
const frontPoll = 50 * time.Millisecond

// frontGrace is how long a front that is told to end lets requests go on.
const frontGrace = 5 * time.Second

// front is the process behind the stable port of an app. A new route applies to
// requests that come in from then on; those in flight end where they began.
type front struct {
	dir   string
	log   *logFile
	state frontState  // as last written
	read  os.FileInfo // of route.json, as last read

	mu       sync.Mutex
	current  *backend            // nil without a route
	backends map[string]*backend // the current one, and others with requests in flight; by deployment
}

// backend is a deployment that a front forwards to.
type backend struct {
	route
	proxy    http.Handler
	inFlight int    // guarded by the front's mutex
	release  func() // closes idle connections
}

// runFront is the helper verb front.
func runFront(ctx context.Context, dir string) error {
	err := daemon{dir}.become()
	if errors.Is(err, errStopped) {
		return nil
	}
	if err != nil {
		return err
	}
	f := &front{dir: dir, backends: map[string]*backend{}}
	var card frontCard
	if err := readJSON(filepath.Join(dir, frontFile), &card); err != nil {
		return err
	}
	if f.log, err = openLog(filepath.Join(dir, logName)); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(card.Port)))
	if err != nil {
		problem := frontState{Problem: err.Error(), PortTaken: errors.Is(err, syscall.EADDRINUSE)}
		return errors.Join(err, writeJSON(filepath.Join(dir, stateFile), problem))
	}
	ctx = while(ctx, filepath.Join(dir, frontFile))
	f.log.event("listening on port %d (%s)", card.Port, card.Protocol)
	f.update()
	ended := make(chan error, 1)
	if card.Protocol == protocolTCP {
		go func() { ended <- f.serveTCP(ctx, listener) }()
	} else {
		go func() { ended <- f.serveHTTP(ctx, listener) }()
	}
	tick := time.NewTicker(frontPoll)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			f.log.event("ended: %v", err)
			return err
		case <-tick.C:
			f.update()
		}
	}
}

// update follows route.json and says what is so by now.
func (f *front) update() {
	now := frontState{Listening: true}
	if err := f.follow(); err != nil {
		now.Problem = err.Error() // and the old route stays
	}
	f.mu.Lock()
	if f.current != nil {
		now.Route = f.current.route
	}
	for id, b := range f.backends {
		if b.inFlight > 0 {
			if now.InFlight == nil {
				now.InFlight = map[string]int{}
			}
			now.InFlight[id] = b.inFlight
		}
	}
	f.mu.Unlock()
	if now.Listening == f.state.Listening && now.Route == f.state.Route && now.Problem == f.state.Problem &&
		maps.Equal(now.InFlight, f.state.InFlight) {
		return
	}
	if err := writeJSON(filepath.Join(f.dir, stateFile), now); err != nil {
		f.log.event("not known outside: %v", err)
		return
	}
	f.state = now
}

// follow reads route.json if it was replaced.
func (f *front) follow() error {
	path := filepath.Join(f.dir, routeFile)
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if f.read != nil && os.SameFile(info, f.read) && info.ModTime().Equal(f.read.ModTime()) {
		return nil
	}
	var wanted route
	if err := readJSON(path, &wanted); err != nil {
		return err
	}
	// If the file was replaced since it was looked at, it is read once more.
	f.read = info
	f.turn(wanted)
	return nil
}

// turn sends what comes in from now on to another deployment.
func (f *front) turn(to route) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.current == nil && to == (route{}) || f.current != nil && f.current.route == to {
		return
	}
	former := f.current
	f.current = nil
	if to != (route{}) {
		f.current = f.backends[to.Deployment]
		if f.current == nil || f.current.route != to {
			f.current = newBackend(to, f.log)
			f.backends[to.Deployment] = f.current
		}
	}
	if former != nil {
		f.settle(former)
	}
	f.log.event("forwarding to %s", to)
}

// String names the route for people.
func (r route) String() string {
	if r == (route{}) {
		return "nothing"
	}
	return fmt.Sprintf("deployment %s at port %d", r.Deployment, r.Port)
}

// enter returns where a request goes, and counts it there; nil where there is
// nothing. Who enters must leave.
func (f *front) enter() *backend {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.current != nil {
		f.current.inFlight++
	}
	return f.current
}

// leave ends what enter began.
func (f *front) leave(b *backend) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b.inFlight--
	f.settle(b)
}

// settle forgets a backend that gets no requests any more, once it has none.
func (f *front) settle(b *backend) {
	if b == f.current {
		return
	}
	b.release()
	if b.inFlight == 0 && f.backends[b.Deployment] == b {
		delete(f.backends, b.Deployment)
	}
}
