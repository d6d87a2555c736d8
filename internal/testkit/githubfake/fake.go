// Package githubfake is the part of GitHub that the program talks to, in
// memory: commit statuses, Deployments, pull requests and their comments, git
// objects and refs, runs with their artifacts, the runner's services of artifacts
// and caches with the blob storage behind them, and Apps that sign in. All of
// them share one store, as on GitHub.
//
// It is stricter than GitHub where GitHub is vague: every request and
// answer is held against GitHub's own API description, that of GraphQL against
// its schema, and what breaks it is kept as a violation. It runs no workflow. A token may do everything unless
// [Fake.AddToken] says what it may do, and faults come from [Fake.Refuse].
package githubfake

import (
	"bytes"
	"cmp"
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
	"sync/atomic"
	"time"
)

// Options sets up a [Fake]. The zero value answers for any repository and
// forgets everything with the process.
type Options struct {
	Repository    string           // owner/name; "" answers for any
	DefaultBranch string           // "" is main
	Dir           string           // where the store survives a restart; "" for memory only
	Now           func() time.Time // nil is the clock of the machine
	Requests      int              // that all tokens have together in an hour; 0 is 1,000
	Seed          string           // that tokens and signatures are made from; "" makes new ones
	Lag           time.Duration    // until lists of artifacts show what was made or deleted
	Sample        int              // of so many requests one is held against the API description; 0 is each
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
	faults     []fault
	usage      usage

	atOnce atomic.Int32
}

// Call is one request that a [Fake] was asked.
type Call struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Query  string `json:"query,omitempty"` // without signatures
	Status int    `json:"status"`
}

// New returns a Fake, with what an earlier one left in Options.Dir.
func New(o Options) (*Fake, error) {
	if o.DefaultBranch == "" {
		o.DefaultBranch = "main"
	}
	if o.Requests == 0 {
		o.Requests = requestsAnHour
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	f := &Fake{options: o, mux: http.NewServeMux()}
	if err := f.load(); err != nil {
		return nil, err
	}
	if len(f.data.Key) == 0 {
		f.data.Key = []byte(cmp.Or(o.Seed, rand.Text()))
	}
	if _, err := describe(); err != nil {
		return nil, err
	}
	f.routeREST()
	f.routeResults()
	f.routeCaches()
	f.routeBlobs()
	f.routeControl()
	f.routeGraphQL()
	return f, nil
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
	answer, refusal := f.answer(r)
	maps.Copy(w.Header(), answer.Header())
	refusal.send(r.Context(), w, answer)
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
	answer, refusal := f.answer(served)
	if refusal != nil && refusal.Reset {
		return nil, errReset
	}
	response := answer.Result()
	response.Request = r
	response.Body = io.NopCloser(refusal.body(r.Context(), answer.Body.Bytes()))
	return response, nil
}

// answer serves one request at a time, so that handlers need no locks.
func (f *Fake) answer(r *http.Request) (*httptest.ResponseRecorder, *Refusal) {
	w := httptest.NewRecorder()
	w.Header().Set("Date", f.options.Now().UTC().Format(http.TimeFormat))
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return w, nil
	}
	r.Body = io.NopCloser(bytes.NewReader(body))

	f.atOnce.Add(1)
	f.mu.Lock()
	defer f.mu.Unlock()
	defer f.atOnce.Add(-1)
	refusal := f.refusal(r)
	if refusal == nil || refusal.Served || refusal.Status == 0 && !refusal.Reset {
		f.serve(w, r)
	}
	if refusal != nil && refusal.Status != 0 {
		w = httptest.NewRecorder()
		maps.Copy(w.Header(), refusal.Header)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(refusal.Status)
		fmt.Fprint(w, refusal.Body)
	}
	if err := f.save(r.Method); err != nil {
		f.violations = append(f.violations, err.Error())
	}
	f.calls = append(f.calls, Call{r.Method, r.URL.Path, withoutSignature(r.URL.Query()), w.Code})
	return w, refusal
}

func (f *Fake) serve(w *httptest.ResponseRecorder, r *http.Request) {
	for _, prefix := range []string{"/repos/", "/app/", "/installation/"} {
		if strings.HasPrefix(r.URL.Path, prefix) {
			f.serveDescribed(w, r)
			return
		}
	}
	f.mux.ServeHTTP(w, r)
}

func withoutSignature(query url.Values) string {
	query.Del("sig")
	return query.Encode()
}
