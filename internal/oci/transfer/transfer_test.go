package transfer_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deploy-action/deploy-action/internal/oci/transfer"
)

// script answers requests one after the other.
type script struct {
	t       *testing.T
	answers []func(*http.Request) (*http.Response, error)
	asked   []string
}

// RoundTrip implements [http.RoundTripper].
func (s *script) RoundTrip(req *http.Request) (*http.Response, error) {
	s.asked = append(s.asked, req.Method+" "+req.URL.Path)
	if len(s.asked) > len(s.answers) {
		s.t.Errorf("there is one request too many: %s", s.asked[len(s.asked)-1])
		return nil, errors.New("no answer")
	}
	return s.answers[len(s.asked)-1](req)
}

// status returns an answer with a header, written as NAME: VALUE.
func status(code int, headers ...string) func(*http.Request) (*http.Response, error) {
	return func(req *http.Request) (*http.Response, error) {
		if req.Body != nil {
			if _, err := io.Copy(io.Discard, req.Body); err != nil {
				return nil, err
			}
			req.Body.Close()
		}
		resp := &http.Response{StatusCode: code, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("")), Request: req}
		for _, header := range headers {
			name, value, _ := strings.Cut(header, ": ")
			resp.Header.Set(name, value)
		}
		return resp, nil
	}
}

// fails returns a connection that ends with an error.
func fails(err error) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

// hangs takes the body and then says nothing.
func hangs(req *http.Request) (*http.Response, error) {
	if _, err := io.Copy(io.Discard, req.Body); err != nil {
		return nil, err
	}
	<-req.Context().Done()
	return nil, context.Cause(req.Context())
}

func (s *script) repository() *transfer.Repository {
	return transfer.Open("registry.test", "web", func(context.Context) (http.RoundTripper, error) {
		return transfer.Transport{Base: s}, nil
	})
}

// blob is small enough to be sent anew.
func blob() transfer.Blob {
	return transfer.Blob{Digest: "sha256:00", Size: 4, New: true, Open: func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader("blob")), nil
	}}
}

var session = status(http.StatusAccepted, "Location: /v2/web/blobs/uploads/1?state=a")

// TestStalledUpload has a registry that takes a blob and never answers.
func TestStalledUpload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{t: t, answers: []func(*http.Request) (*http.Response, error){
			session, hangs, status(http.StatusNotFound), session, status(http.StatusCreated),
		}}
		began := time.Now()
		if err := s.repository().Send(t.Context(), blob()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took < 3*time.Minute || took > 4*time.Minute {
			t.Errorf("it took %v to send the blob again, want 3 minutes", took)
		}
	})
}

// TestBusyService waits as long as it is told, but not for hours.
func TestBusyService(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		answers []func(*http.Request) (*http.Response, error)
		waits   time.Duration // at least, and at most a second more
		want    int
	}{
		"seconds":    {[]func(*http.Request) (*http.Response, error){status(429, "Retry-After: 70"), status(200)}, 70 * time.Second, 200},
		"no hint":    {[]func(*http.Request) (*http.Response, error){status(503), status(200)}, 125 * time.Millisecond, 200},
		"an hour":    {[]func(*http.Request) (*http.Response, error){status(429, "Retry-After: 3600")}, 0, 429},
		"a reset":    {[]func(*http.Request) (*http.Response, error){fails(syscall.ECONNRESET), status(200)}, 125 * time.Millisecond, 200},
		"a refusal":  {[]func(*http.Request) (*http.Response, error){status(403)}, 0, 403},
		"not a word": {[]func(*http.Request) (*http.Response, error){fails(io.EOF), fails(io.EOF), status(204)}, 375 * time.Millisecond, 204},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{t: t, answers: test.answers}
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://registry.test/v2/", nil)
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				resp, err := transfer.Transport{Base: s}.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				if took := time.Since(began); resp.StatusCode != test.want || took < test.waits || took > test.waits+time.Second {
					t.Errorf("it took %v until %d, want %v until %d", took, resp.StatusCode, test.waits, test.want)
				}
				if len(s.asked) != len(test.answers) {
					t.Errorf("there were %d requests, want %d", len(s.asked), len(test.answers))
				}
			})
		})
	}
}

// TestPauseEndsWithContext is cancelled while it waits.
func TestPauseEndsWithContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		over := errors.New("over")
		time.AfterFunc(time.Second, func() { cancel(over) })
		s := &script{t: t, answers: []func(*http.Request) (*http.Response, error){session, status(503, "Retry-After: 60")}}
		began := time.Now()
		if err := s.repository().Send(ctx, blob()); err == nil {
			t.Error("Send succeeded")
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("it took %v to end, want a second", took)
		}
	})
}

func TestBroken(t *testing.T) {
	t.Parallel()
	tests := []struct {
		err  error
		want bool
	}{
		{io.ErrUnexpectedEOF, true},
		{fmt.Errorf("reading: %w", syscall.ECONNRESET), true},
		{&net.DNSError{IsTimeout: true}, true},
		{&net.DNSError{IsNotFound: true}, false},
		{syscall.ECONNREFUSED, false},
		{context.Canceled, false},
		{context.DeadlineExceeded, false},
	}
	for _, test := range tests {
		if got := transfer.Broken(test.err); got != test.want {
			t.Errorf("Broken(%v) = %v, want %v", test.err, got, test.want)
		}
	}
}
