// Package githubfake is the part of GitHub that the program talks to, in
// memory: commit statuses, workflow artifacts, the runner's artifact service
// and the blob storage behind it. All of them share one store, as on GitHub.
//
// It is stricter than GitHub where GitHub is vague: every REST request and
// answer is held against GitHub's own API description, and what breaks it is
// kept as a violation. It runs no workflow, knows no users, and grants or
// denies nothing by itself: a test that wants a refusal says so with
// [Fake.Refuse].
package githubfake

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Options sets up a [Fake]. The zero value answers for any repository and
// forgets everything with the process.
type Options struct {
	Repository    string           // owner/name; "" answers for any
	DefaultBranch string           // "" is main
	Dir           string           // where the store survives a restart; "" for memory only
	Now           func() time.Time // nil is the clock of the machine
}

// Fake is one GitHub with one repository. It is an [http.Handler] and, for
// tests without a socket, an [http.RoundTripper]. Safe for concurrent use.
type Fake struct {
	options Options
	mux     *http.ServeMux

	mu         sync.Mutex
	data       data
	calls      []Call
	violations []string
	refuse     func(*http.Request) *Refusal
}

// Call is one request that a [Fake] was asked.
type Call struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Query  string `json:"query,omitempty"` // without signatures
	Status int    `json:"status"`
}

// Refusal is an answer that takes the place of the real one.
type Refusal struct {
	Status int
	Header http.Header
	Body   string // JSON
}

// New returns a Fake, with what an earlier one left in Options.Dir.
func New(o Options) (*Fake, error) {
	if o.DefaultBranch == "" {
		o.DefaultBranch = "main"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	f := &Fake{options: o, mux: http.NewServeMux()}
	if err := f.load(); err != nil {
		return nil, err
	}
	if len(f.data.Key) == 0 {
		f.data.Key = []byte(rand.Text())
	}
	if _, err := describe(); err != nil {
		return nil, err
	}
	f.routeREST()
	f.routeResults()
	f.routeBlobs()
	f.routeControl()
	return f, nil
}

// Refuse makes f ask refuse before it answers anything. Where refuse returns
// nil the request is answered as always.
func (f *Fake) Refuse(refuse func(*http.Request) *Refusal) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refuse = refuse
}

// Calls returns what f was asked so far, oldest first.
func (f *Fake) Calls() []Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// Violations returns how requests, or answers of f itself, broke GitHub's API
// description. A test that ends with any has found a mistake.
func (f *Fake) Violations() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.violations)
}

// ServeHTTP implements [http.Handler].
func (f *Fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer := f.answer(r)
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	// The reader may have gone; there is nobody left to tell.
	_, _ = w.Write(answer.Body.Bytes())
}

// RoundTrip implements [http.RoundTripper] without a socket, which makes time
// in a synctest bubble usable.
func (f *Fake) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	served := r.Clone(r.Context())
	served.Host = r.URL.Host
	if served.Body == nil {
		served.Body = http.NoBody
	}
	response := f.answer(served).Result()
	response.Request = r
	return response, nil
}

// answer serves one request at a time, so that handlers need no locks.
func (f *Fake) answer(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return w
	}
	r.Body = io.NopCloser(bytes.NewReader(body))

	f.mu.Lock()
	defer f.mu.Unlock()
	switch refusal := f.refusal(r); {
	case refusal != nil:
		maps.Copy(w.Header(), refusal.Header)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(refusal.Status)
		fmt.Fprint(w, refusal.Body)
	case strings.HasPrefix(r.URL.Path, "/repos/"):
		f.serveDescribed(w, r)
	default:
		f.mux.ServeHTTP(w, r)
	}
	if err := f.save(r.Method); err != nil {
		f.violations = append(f.violations, err.Error())
	}
	f.calls = append(f.calls, Call{r.Method, r.URL.Path, withoutSignature(r.URL.Query()), w.Code})
	return w
}

func (f *Fake) refusal(r *http.Request) *Refusal {
	if f.refuse == nil {
		return nil
	}
	return f.refuse(r)
}

func withoutSignature(query url.Values) string {
	query.Del("sig")
	return query.Encode()
}
