// Package transfer sends to a repository of a registry, and reads from it, over
// connections that fail: what can be asked again is asked again, and a blob goes
// on where it stopped. It sends as few requests as the protocol allows.
//
// It knows neither images nor logins: what a blob is, where it is read from, and
// how one signs in, is told by package oci.
package transfer

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/deploy-action/deploy-action/internal/retry"
)

// Transport repeats requests that failed for reasons that pass, unless they
// have a body that cannot be read again. A registry that says how long to wait
// is obeyed within reason. Answers that are larger are read to their end, also
// over several connections.
type Transport struct {
	Base http.RoundTripper
}

var _ http.RoundTripper = Transport{}

const (
	longestWait = 2 * time.Minute // a service that wants more is not waited for
	drained     = 64 << 10        // how much of an unwanted answer is read, to keep the connection
)

// errRefused marks an answer that asks for another try.
var errRefused = errors.New("the service is busy")

// RoundTrip implements [http.RoundTripper].
func (t Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.repeat(req)
	if err == nil && resumable(req, resp) {
		resp.Body = &body{from: resp.Body, size: resp.ContentLength, request: req, transport: t}
	}
	return resp, err
}

func (t Transport) repeat(req *http.Request) (resp *http.Response, err error) {
	hasBody := req.Body != nil && req.Body != http.NoBody
	if hasBody && req.GetBody == nil {
		return t.Base.RoundTrip(req)
	}
	first := true
	err = retry.Do(req.Context(), func(ctx context.Context) error {
		if resp != nil {
			discard(resp)
			resp = nil
		}
		try := req
		if !first {
			try = req.Clone(ctx)
			if hasBody {
				if try.Body, err = req.GetBody(); err != nil {
					return err
				}
			}
		}
		first = false
		if resp, err = t.Base.RoundTrip(try); err != nil {
			return again(err)
		}
		return busy(resp)
	})
	if ended := context.Cause(req.Context()); ended != nil && err != nil {
		if resp != nil {
			discard(resp)
		}
		return nil, ended
	}
	if resp != nil {
		return resp, nil // a refusal, too, is for the caller to read
	}
	return nil, err
}

// busy marks an answer that asks for another try.
func busy(resp *http.Response) error {
	if !passes(resp.StatusCode) {
		return nil
	}
	wait := hint(resp.Header.Get("Retry-After"))
	if wait > longestWait {
		return nil
	}
	return retry.After(errRefused, wait)
}

// passes reports whether a status may be another one next time.
func passes(status int) bool {
	return slices.Contains([]int{
		http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
	}, status)
}

// hint reads the header Retry-After: seconds or a date. It is zero for none.
func hint(text string) time.Duration {
	if seconds, err := strconv.Atoi(text); err == nil && seconds >= 0 {
		return time.Duration(min(seconds, 1<<30)) * time.Second
	}
	if date, err := http.ParseTime(text); err == nil {
		return max(0, time.Until(date))
	}
	return 0
}

// again marks errors of connections that may not come again.
func again(err error) error {
	if Broken(err) {
		return retry.Transient(err)
	}
	return err
}

// Broken reports whether an error is that of a connection that was good before,
// or that takes too long.
func Broken(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	for _, lost := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE, syscall.ETIMEDOUT} {
		if errors.Is(err, lost) {
			return true
		}
	}
	failure, ok := errors.AsType[net.Error](err)
	return ok && failure.Timeout()
}

// discard ends an answer that nobody reads.
func discard(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, drained) // only the connection is lost
	resp.Body.Close()
}
