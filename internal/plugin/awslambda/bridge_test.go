//go:build servers

package awslambda

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/deploy-action/deploy-action/internal/testkit/servers"
)

// bridge stands before moto: it counts what is asked, refuses some of it, and
// gives some answers the states that moto lacks.
type bridge struct {
	mu     sync.Mutex
	rules  []*rule
	asked  []string
	bodies map[string]string // the last one by what was asked
}

// rule changes what is answered to some requests.
type rule struct {
	asks  string // such as "PUT configuration": method and end of the path
	times int    // how often; 0 for always

	code, message string               // what is refused, and in which words
	edit          func(map[string]any) // or changes an answer
}

// RoundTrip implements [http.RoundTripper].
func (b *bridge) RoundTrip(r *http.Request) (*http.Response, error) {
	asks := r.Method + " " + r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	if operation := servers.AWSOperation(r); operation != "" {
		asks = operation
	}
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body) // a request of the test's own
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	found := b.note(asks, string(body))
	if found != nil && found.code != "" {
		return refusal(r, found), nil
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || found == nil || response.StatusCode >= 300 {
		return response, err
	}
	return edited(response, found.edit)
}

// note remembers a request and returns the rule for it.
func (b *bridge) note(asks, body string) *rule {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = append(b.asked, asks)
	if b.bodies == nil {
		b.bodies = map[string]string{}
	}
	b.bodies[asks] = body
	for i, r := range b.rules {
		if r.asks != asks {
			continue
		}
		if r.times--; r.times == 0 {
			b.rules = append(b.rules[:i:i], b.rules[i+1:]...)
		}
		return r
	}
	return nil
}

// calls returns what was asked since the last time.
func (b *bridge) calls() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	asked := b.asked
	b.asked = nil
	return asked
}

func refusal(r *http.Request, found *rule) *http.Response {
	status := map[string]int{"ResourceConflictException": 409, "PreconditionFailedException": 412, "TooManyRequestsException": 429}[found.code]
	return &http.Response{
		StatusCode: max(status, 400), Header: http.Header{"X-Amzn-Errortype": {found.code}, "Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(fmt.Sprintf(`{"Type":"User","message":%q}`, found.message))), Request: r,
	}
}

func edited(response *http.Response, edit func(map[string]any)) (*http.Response, error) {
	defer response.Body.Close()
	answer := map[string]any{}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return nil, err
	}
	edit(answer)
	text, err := json.Marshal(answer)
	if err != nil {
		return nil, err
	}
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	response.Header.Del("Content-Length")
	response.Header.Del("X-Amz-Crc32")
	return response, nil
}
