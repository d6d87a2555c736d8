// Package httpfake is an HTTP service of which a test expects certain requests
// and no others.
//
// It is for services that cannot be kept in memory as a true implementation;
// where one can, that is the better fake.
package httpfake

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// Exchange is a request that is expected once, and the answer to it.
type Exchange struct {
	Method string // "" is GET
	URL    string // a path with its query, or a whole URL
	Body   string // the request's body, without white space around it; "" is any
	Check  func(*http.Request) error

	Status int // 0 is 200
	Header http.Header
	Reply  string
	Err    error // instead of an answer: the connection fails
}

// matches reports whether a request with that body is the expected one.
func (e Exchange) matches(req *http.Request, body string) bool {
	method := e.Method
	if method == "" {
		method = http.MethodGet
	}
	if method != req.Method || (e.Body != "" && e.Body != strings.TrimSpace(body)) {
		return false
	}
	return e.URL == req.URL.RequestURI() || e.URL == req.URL.String()
}

// Fake answers expected requests. It is an [http.RoundTripper], safe for
// concurrent use.
type Fake struct {
	tb       testing.TB
	mu       sync.Mutex
	expected []Exchange
	reading  int // how many callers of ReadOnly have not ended it
}

// New returns a fake that expects each exchange once, in any order. The test
// fails when there is another request, and at its end when one of these was
// never sent.
func New(tb testing.TB, exchanges ...Exchange) *Fake {
	tb.Helper()
	f := &Fake{tb: tb}
	f.Expect(exchanges...)
	tb.Cleanup(f.reportUnused)
	return f
}

// Expect adds exchanges to those that are expected.
func (f *Fake) Expect(exchanges ...Exchange) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expected = append(f.expected, exchanges...)
}

// Client returns a client whose requests all go to the fake.
func (f *Fake) Client() *http.Client { return &http.Client{Transport: f} }

// ReadOnly makes requests that change something fail the test, expected or
// not, until end is called. A plan is tested inside it.
func (f *Fake) ReadOnly() (end func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reading++
	return sync.OnceFunc(func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.reading--
	})
}

// RoundTrip implements [http.RoundTripper].
func (f *Fake) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	body, err := readBody(req)
	if err != nil {
		return nil, err
	}
	exchange, err := f.take(req, body)
	if err != nil {
		f.tb.Error(err)
		return nil, err
	}
	if exchange.Check != nil {
		if err := exchange.Check(req); err != nil {
			f.tb.Errorf("httpfake: %s %s: %v", req.Method, req.URL, err)
		}
	}
	if exchange.Err != nil {
		return nil, exchange.Err
	}
	return answer(req, exchange), nil
}

// readBody reads the body of a request and closes it, as a transport must.
func readBody(req *http.Request) (string, error) {
	if req.Body == nil {
		return "", nil
	}
	text, err := io.ReadAll(req.Body)
	if closeErr := req.Body.Close(); err == nil {
		err = closeErr
	}
	return string(text), err
}

// take finds the exchange for a request and uses it up.
func (f *Fake) take(req *http.Request, body string) (Exchange, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.reading > 0 && req.Method != http.MethodGet && req.Method != http.MethodHead {
		return Exchange{}, fmt.Errorf("httpfake: %s %s changes something where only reads are allowed", req.Method, req.URL)
	}
	for i, e := range f.expected {
		if e.matches(req, body) {
			f.expected = append(f.expected[:i:i], f.expected[i+1:]...)
			return e, nil
		}
	}
	return Exchange{}, fmt.Errorf("httpfake: unexpected request %s %s with the body %q", req.Method, req.URL, body)
}

// answer makes the response of an exchange.
func answer(req *http.Request, e Exchange) *http.Response {
	status := e.Status
	if status == 0 {
		status = http.StatusOK
	}
	header := e.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{
		Status:        fmt.Sprintf("%d %s", status, http.StatusText(status)),
		StatusCode:    status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        header,
		Body:          io.NopCloser(strings.NewReader(e.Reply)),
		ContentLength: int64(len(e.Reply)),
		Request:       req,
	}
}

// reportUnused fails the test for each exchange that did not happen.
func (f *Fake) reportUnused() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.expected {
		f.tb.Errorf("httpfake: expected request %s %s was not sent", e.Method, e.URL)
	}
}
