package vault_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// fakeVault is a Vault in memory: engines, secrets, leases and tokens. Policies
// are lists of the paths that a token may not read. It is an
// [http.RoundTripper], safe for concurrent use.
type fakeVault struct {
	mu       sync.Mutex
	mounts   map[string]any            // by path
	secrets  map[string]map[string]any // answers by path of the API
	denied   []string                  // paths that no token may read
	tokens   map[string]bool           // good ones; true for those that were used
	login    map[string]any            // what a login must send; nil refuses all
	refusal  string                    // what it says to others
	auth     map[string]any            // further fields of a login's answer
	requests []string
	headers  []http.Header
	bodies   map[string]map[string]any // the newest, by path

	// override answers in its place, where it returns a status.
	override func(*http.Request) (status int, body string)
	offline  error
}

// newFake returns a Vault with the engines and secrets of these tests.
func newFake() *fakeVault {
	return &fakeVault{
		mounts: map[string]any{
			"secret/":   map[string]any{"type": "kv", "options": map[string]any{"version": "2"}},
			"kv1/":      map[string]any{"type": "kv", "options": map[string]any{"version": "1"}},
			"database/": map[string]any{"type": "database"},
			"sys/":      map[string]any{"type": "system"},
		},
		secrets: map[string]map[string]any{
			"secret/data/web": versioned(map[string]any{
				"password": "pa55word-of-web", "data": "a field named data", "n": json.Number("12345678901234567890"), "on": true,
				"list": []any{"a&b", map[string]any{"c/d": "deep"}}, "none": nil,
			}),
			"secret/data/app/web":  versioned(map[string]any{"password": "pa55word-of-app"}),
			"secret/metadata/web":  {"data": map[string]any{"custom_metadata": map[string]any{"owner": "me"}}},
			"kv1/web":              {"data": map[string]any{"password": "pa55word-of-kv1"}},
			"kv1/data/web":         {"data": map[string]any{"password": "pa55word-of-kv1-data"}},
			"database/creds/web":   {"lease_id": "database/creds/web/1", "lease_duration": 60, "renewable": true, "data": map[string]any{"username": "u-1", "password": "pa55word-of-db"}},
			"secret/data/gone":     {"data": map[string]any{"data": nil, "metadata": map[string]any{"version": 1, "deletion_time": "2026-01-02T03:04:05Z"}}},
			"secret/data/app/data": nil,
		},
		tokens: map[string]bool{"a-given-token": false},
		bodies: map[string]map[string]any{},
	}
}

// versioned is an answer of version 2 of the key/value engine.
func versioned(secret map[string]any) map[string]any {
	return map[string]any{"data": map[string]any{"data": secret, "metadata": map[string]any{"version": 1}}}
}

// RoundTrip implements [http.RoundTripper].
func (f *fakeVault) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	var body map[string]any
	if req.Body != nil {
		if err := json.NewDecoder(req.Body).Decode(&body); err != nil && err != io.EOF {
			return nil, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	path := strings.TrimPrefix(req.URL.Path, "/v1/")
	f.requests = append(f.requests, req.Method+" "+path)
	f.headers = append(f.headers, req.Header)
	f.bodies[path] = body
	if f.offline != nil {
		return nil, f.offline
	}
	status, text := 0, ""
	if f.override != nil {
		status, text = f.override(req)
	}
	if status == 0 {
		var answer any
		status, answer = f.answer(req.Method+" "+path, path, req.Header.Get("X-Vault-Token"), body)
		encoded, err := json.Marshal(answer)
		if err != nil {
			return nil, err
		}
		text = string(encoded)
	}
	return &http.Response{
		StatusCode: status, Status: fmt.Sprint(status), Header: http.Header{}, Request: req,
		Body: io.NopCloser(strings.NewReader(text)),
	}, nil
}

func failure(text string) map[string]any { return map[string]any{"errors": []string{text}} }

// answer is what Vault says to one request.
func (f *fakeVault) answer(request, path, token string, body map[string]any) (status int, answer any) {
	if strings.HasSuffix(path, "/login") {
		return f.signIn(body)
	}
	if _, good := f.tokens[token]; !good {
		return http.StatusForbidden, failure("2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n")
	}
	f.tokens[token] = true
	switch {
	case slices.Contains(f.denied, path):
		return http.StatusForbidden, failure("1 error occurred:\n\t* permission denied\n\n")
	case request == "PUT auth/token/revoke-self":
		delete(f.tokens, token)
		return http.StatusNoContent, nil
	case request == "PUT auth/token/renew-self":
		return http.StatusOK, map[string]any{"auth": map[string]any{"client_token": token, "lease_duration": 60, "renewable": true}}
	case request == "PUT sys/leases/renew":
		return http.StatusOK, map[string]any{"lease_id": body["lease_id"], "lease_duration": 60, "renewable": true}
	case request == "GET sys/internal/ui/mounts":
		return http.StatusOK, map[string]any{"data": map[string]any{"secret": f.mounts}}
	case f.secrets[path] != nil && strings.HasPrefix(path, "secret/data/gone"):
		return http.StatusNotFound, f.secrets[path]
	case f.secrets[path] != nil:
		return http.StatusOK, f.secrets[path]
	}
	return http.StatusNotFound, map[string]any{"errors": []string{}}
}

// signIn answers a login.
func (f *fakeVault) signIn(body map[string]any) (status int, answer any) {
	for name, want := range f.login {
		if body[name] != want {
			return http.StatusBadRequest, failure(f.refusal)
		}
	}
	if f.login == nil {
		return http.StatusBadRequest, failure(f.refusal)
	}
	token := fmt.Sprintf("a-minted-token-%d", len(f.tokens))
	f.tokens[token] = false
	auth := map[string]any{"client_token": token, "policies": []string{"web", "default"}, "lease_duration": 60, "renewable": true}
	maps.Copy(auth, f.auth)
	return http.StatusOK, map[string]any{"auth": auth}
}

// used returns the tokens that were minted, used and not revoked. One whose
// answer was lost on the way cannot be given back by anyone.
func (f *fakeVault) used() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var tokens []string
	for token, used := range f.tokens {
		if used && token != "a-given-token" {
			tokens = append(tokens, token)
		}
	}
	return tokens
}

// asked returns the requests since the last time.
func (f *fakeVault) asked() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	requests := f.requests
	f.requests = nil
	return requests
}

// cut makes every request fail from now on; nil mends it.
func (f *fakeVault) cut(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.offline = err
}

// sent returns the body of the newest request for a path.
func (f *fakeVault) sent(path string) map[string]any {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.bodies[path]
}
