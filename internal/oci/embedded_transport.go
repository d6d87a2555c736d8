package oci

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
)

// inProcess calls the registry's handler for its hosts.
type inProcess struct {
	registry *Embedded
	base     http.RoundTripper
}

// RoundTrip implements [http.RoundTripper]. The body of the answer is written
// while it is read.
func (t inProcess) RoundTrip(req *http.Request) (*http.Response, error) {
	if !t.registry.Serves(req.URL.Host) {
		return t.base.RoundTrip(req)
	}
	served := req.Clone(req.Context())
	served.Host, served.RequestURI = req.URL.Host, req.URL.RequestURI()
	if served.Body == nil {
		served.Body = http.NoBody
	}
	reader, writer := io.Pipe()
	answer := &pipedResponse{
		header: http.Header{}, body: writer, started: make(chan struct{}),
		response: &http.Response{Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: reader, Request: req, ContentLength: -1},
	}
	// Ends a transfer that nobody reads any more.
	stop := context.AfterFunc(req.Context(), func() { writer.CloseWithError(context.Cause(req.Context())) })
	go func() {
		defer stop()
		defer writer.Close()
		defer served.Body.Close()
		t.registry.handler.ServeHTTP(answer, served)
		answer.WriteHeader(http.StatusOK) // if the handler wrote nothing
	}()
	select {
	case <-answer.started:
		return answer.response, nil
	case <-req.Context().Done():
		return nil, context.Cause(req.Context())
	}
}

// pipedResponse is an [http.ResponseWriter] whose response can be read while
// it is written.
type pipedResponse struct {
	header   http.Header
	body     *io.PipeWriter
	response *http.Response
	started  chan struct{}
	once     sync.Once
}

// Header implements [http.ResponseWriter].
func (r *pipedResponse) Header() http.Header { return r.header }

// WriteHeader implements [http.ResponseWriter].
func (r *pipedResponse) WriteHeader(status int) {
	r.once.Do(func() {
		r.response.StatusCode = status
		r.response.Status = fmt.Sprintf("%d %s", status, http.StatusText(status))
		r.response.Header = r.header.Clone()
		if length, err := strconv.ParseInt(r.header.Get("Content-Length"), 10, 64); err == nil {
			r.response.ContentLength = length
		}
		if r.response.Request.Method == http.MethodHead {
			r.response.Body = http.NoBody
		}
		close(r.started)
	})
}

// Write implements [http.ResponseWriter].
func (r *pipedResponse) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	if r.response.Request.Method == http.MethodHead {
		return len(p), nil
	}
	return r.body.Write(p)
}
