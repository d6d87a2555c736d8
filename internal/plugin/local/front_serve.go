package local

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// frontHeader marks answers that a front gives itself.
const frontHeader = "Deploy-Action-Front"

const (
	headerLimit = 30 * time.Second // for a client to send its headers
	idleLimit   = 2 * time.Minute  // for a client's connection without requests

	// backendIdle is below what servers commonly allow (5 s), so that a
	// request rarely meets a connection that its server is just closing.
	backendIdle = 3 * time.Second
	backendConn = 256 // idle connections kept
)

// newBackend returns a backend with connections of its own: none is ever used
// for another deployment.
func newBackend(to route, events *logFile) *backend {
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(to.Port))
	var dialer net.Dialer
	transport := &http.Transport{
		DialContext:         dialer.DialContext,
		MaxIdleConnsPerHost: backendConn,
		IdleConnTimeout:     backendIdle,
		DisableCompression:  true, // the client decides
	}
	proxy := &httputil.ReverseProxy{
		Transport:     transport,
		FlushInterval: -1, // streams are passed on as they come
		ErrorLog:      log.New(&lineWriter{log: events}, "", 0),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: address})
			r.Out.Host = r.In.Host
			r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
			r.SetXForwarded()
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() == nil { // else it is the client that is gone
				events.event("%s %s: %v", r.Method, r.URL.Path, err)
			}
			answer(w, http.StatusBadGateway, "Deployment "+to.Deployment+" does not answer.")
		},
	}
	return &backend{route: to, proxy: proxy, release: transport.CloseIdleConnections}
}

// answer is what a front says itself.
func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set(frontHeader, strconv.Itoa(status))
	w.Header().Set("Retry-After", "1")
	http.Error(w, text, status)
}

// ServeHTTP implements [http.Handler].
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b := f.enter()
	if b == nil {
		answer(w, http.StatusServiceUnavailable, "No deployment is released here.")
		return
	}
	defer f.leave(b) // also when the proxy gives up a response half way by panicking
	b.proxy.ServeHTTP(w, r)
}

// serveHTTP serves until ctx ends, and then what is in flight.
func (f *front) serveHTTP(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler:           f,
		ReadHeaderTimeout: headerLimit,
		IdleTimeout:       idleLimit,
		ErrorLog:          log.New(&lineWriter{log: f.log}, "", 0),
	}
	done := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), frontGrace)
		defer cancel()
		done <- server.Shutdown(limited)
	})
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-done
}

// serveTCP forwards connections until ctx ends, and then those that are open.
func (f *front) serveTCP(ctx context.Context, listener net.Listener) error {
	stop := context.AfterFunc(ctx, func() { listener.Close() })
	defer stop()
	var open sync.WaitGroup
	for {
		client, err := listener.Accept()
		if ctx.Err() != nil {
			return waitLimited(&open, frontGrace)
		}
		if err != nil {
			return err
		}
		b := f.enter()
		if b == nil {
			client.Close() // TCP has no words for it
			continue
		}
		open.Go(func() {
			defer f.leave(b)
			defer client.Close()
			if err := forward(ctx, client, b.Port); err != nil {
				f.log.event("deployment %s does not answer: %v", b.Deployment, err)
			}
		})
	}
}

// waitLimited waits for all of group, but not for ever.
func waitLimited(group *sync.WaitGroup, limit time.Duration) error {
	done := make(chan struct{})
	go func() { group.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-time.After(limit):
		return errors.New("connections were cut off")
	}
}

// forward copies both ways between client and the local port until both have
// ended. It returns an error only where the port cannot be reached.
func forward(ctx context.Context, client net.Conn, port int) error {
	var dialer net.Dialer
	server, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return err
	}
	defer server.Close()
	var both sync.WaitGroup
	pipe := func(to, from net.Conn) {
		if _, err := io.Copy(to, from); err != nil {
			to.Close() // a side that broke takes the other with it
			from.Close()
			return
		}
		if half, ok := to.(*net.TCPConn); ok {
			half.CloseWrite() // the other direction may go on
		}
	}
	both.Go(func() { pipe(server, client) })
	both.Go(func() { pipe(client, server) })
	both.Wait()
	return nil
}
