package app_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// No request fails while a new version takes over, nor while an earlier one
// comes back.
func TestUnderLoad(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.succeeds("up")
	url := urlOf(t, s.succeeds("up"))
	s.load = newLoad(url, 8, time.Millisecond)
	for _, verb := range []string{"up", "rollback", "up"} {
		if got := urlOf(t, s.succeeds(verb)); got != url {
			t.Errorf("%s moved the front from %s to %s", verb, url, got)
		}
		s.load.check(t, verb)
	}
	s.destroy()
}

// load is a number of clients that ask a URL all the time.
type load struct {
	url   string
	stop  func() // ends the clients and waits for them
	mu    sync.Mutex
	count int      // of requests since the last check
	wrong []string // answers since the last check that were not the app's
}

// newLoad starts clients. Half of their requests come over connections that are
// kept, half over new ones.
func newLoad(url string, clients int, pause time.Duration) *load {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	l := &load{url: url, stop: func() { cancel(); running.Wait() }}
	for range clients {
		running.Go(func() { l.ask(ctx, pause) })
	}
	return l
}

// ask asks until ctx ends.
func (l *load) ask(ctx context.Context, pause time.Duration) {
	kept, fresh := &http.Transport{}, &http.Transport{DisableKeepAlives: true}
	defer kept.CloseIdleConnections()
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for n := 0; ; n++ {
		client := &http.Client{Transport: kept}
		if n%2 == 1 {
			client.Transport = fresh
		}
		err := l.once(ctx, client)
		if ctx.Err() != nil {
			return
		}
		l.mu.Lock()
		l.count++
		if err != nil {
			l.wrong = append(l.wrong, err.Error())
		}
		l.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// once sends a request and returns what is wrong with the answer.
func (l *load) once(ctx context.Context, client *http.Client) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(string(body), "Hello") {
		return fmt.Errorf("%s: %s", resp.Status, body)
	}
	return nil
}

// check reports the requests that failed since the last check.
func (l *load) check(t *testing.T, what string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.wrong) > 0 {
		t.Errorf("%s: %d of %d requests failed, the first with: %s", what, len(l.wrong), l.count, l.wrong[0])
	}
	if l.count == 0 {
		t.Errorf("%s: no request was answered", what)
	}
	l.count, l.wrong = 0, nil
}
