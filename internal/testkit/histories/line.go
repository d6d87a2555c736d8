package histories

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/deploy-action/deploy-action/internal/retry"
)

// badLine is the line of one process: it loses requests and answers, and goes
// dead with its process.
type badLine struct {
	mu     sync.Mutex // the store asks for two things at once
	hub    http.RoundTripper
	random *rand.Rand
	kill   func()
	left   int // requests until the process is killed
}

var errLine = errors.New("the line is dead")

// RoundTrip implements [http.RoundTripper].
func (b *badLine) RoundTrip(r *http.Request) (*http.Response, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left--; b.left < 0 {
		b.kill()
		return nil, errLine
	}
	switch b.random.IntN(40) {
	case 0, 1:
		return refusal(r, http.StatusServiceUnavailable, http.Header{}), nil
	case 2:
		return refusal(r, http.StatusTooManyRequests, http.Header{"Retry-After": {"2"}}), nil
	case 3:
		return nil, errLine
	case 4, 5: // done, but the answer is lost
		answer, err := b.hub.RoundTrip(r)
		if err == nil {
			answer.Body.Close()
		}
		return nil, errLine
	case 6: // done, but the answer breaks off, or takes its time
		answer, err := b.hub.RoundTrip(r)
		if err == nil {
			answer.Body = &brokenBody{answer.Body, r.Context(), 1 + b.random.IntN(200)}
		}
		return answer, err
	}
	return b.hub.RoundTrip(r)
}

func refusal(r *http.Request, status int, header http.Header) *http.Response {
	return &http.Response{
		StatusCode: status, Status: fmt.Sprintf("%d %s", status, http.StatusText(status)), Header: header, Request: r,
		Body: io.NopCloser(strings.NewReader(`{}`)),
	}
}

// brokenBody is an answer that comes slowly and ends too soon.
type brokenBody struct {
	io.ReadCloser
	ctx  context.Context // of the request
	left int
}

// Read implements [io.Reader].
func (b *brokenBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, errLine
	}
	if err := retry.Sleep(b.ctx, time.Second); err != nil {
		return 0, err
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
