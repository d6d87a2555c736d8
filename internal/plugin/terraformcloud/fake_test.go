package terraformcloud_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const (
	goodToken = "a-token-of-atlasv1"
	address   = "app.terraform.io"
	mediaType = "application/vnd.api+json"
)

// output is an output in the state of a workspace.
type output struct {
	name      string
	value     string // JSON
	sensitive bool
	denied    bool // it is listed, but its value is not given out
}

// workspace is a workspace of the organization acme.
type workspace struct {
	outputs []output
	empty   bool // nothing was applied yet
	denied  bool // the token may not read its outputs
}

// fake answers as the published API of Terraform Cloud does, as far as the
// plugin may use it. Any other request fails the test. It is an
// [http.RoundTripper] and an [http.Handler].
type fake struct {
	t          *testing.T
	workspaces map[string]workspace // by name
	pageSize   int                  // 0 sends the outputs at once, as Terraform Cloud does

	// instead answers a request in place of the fake where it returns true.
	instead func(w http.ResponseWriter, r *http.Request) bool

	mu       sync.Mutex
	requests []string // paths below /api/v2/, in order
}

// RoundTrip implements [http.RoundTripper].
func (f *fake) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != address || r.URL.Scheme != "https" {
		f.t.Errorf("request to %s", r.URL)
	}
	recorder := httptest.NewRecorder()
	f.ServeHTTP(recorder, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	response := recorder.Result()
	response.Request = r
	return response, nil
}

// ServeHTTP implements [http.Handler].
func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, inside := strings.CutPrefix(r.URL.Path, "/api/v2/")
	if !inside || r.Method != http.MethodGet || r.Header.Get("Accept") != mediaType {
		f.t.Errorf("%s %s with Accept: %q", r.Method, r.URL, r.Header.Get("Accept"))
	}
	f.mu.Lock()
	f.requests = append(f.requests, path)
	f.mu.Unlock()
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("TFP-API-Version", "2.6")
	w.Header().Set("TFP-AppName", "HCP Terraform")
	w.Header().Set("X-RateLimit-Limit", "30")
	w.Header().Set("X-RateLimit-Remaining", "29")
	w.Header().Set("X-RateLimit-Reset", "0.0")
	switch {
	case f.instead != nil && f.instead(w, r):
	case path == "ping":
		w.WriteHeader(http.StatusNoContent)
	case r.Header.Get("Authorization") != "Bearer "+goodToken:
		fail(w, http.StatusUnauthorized, "unauthorized", "")
	default:
		f.answer(w, r, strings.Split(path, "/"))
	}
}

// fail answers with a JSON:API error.
func fail(w http.ResponseWriter, status int, title, detail string) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []any{
		map[string]any{"status": strconv.Itoa(status), "title": title, "detail": detail},
	}})
}

// answer answers a request that is signed in. What is forbidden looks as if it
// did not exist.
func (f *fake) answer(w http.ResponseWriter, r *http.Request, path []string) {
	switch {
	case len(path) == 4 && path[0] == "organizations" && path[2] == "workspaces":
		found, ok := f.workspaces[path[3]]
		if path[1] != "acme" || !ok {
			break
		}
		reply(w, map[string]any{"data": describe(path[3], found)})
		return
	case len(path) == 3 && path[0] == "workspaces" && path[2] == "current-state-version-outputs":
		name := strings.TrimPrefix(path[1], "ws-")
		found, ok := f.workspaces[name]
		if !ok || found.empty || found.denied {
			break
		}
		f.list(w, r, name, found.outputs)
		return
	case len(path) == 2 && path[0] == "state-version-outputs":
		name, index, _ := strings.Cut(strings.TrimPrefix(path[1], "wsout-"), ".")
		i, err := strconv.Atoi(index)
		found := f.workspaces[name]
		if err != nil || i >= len(found.outputs) || found.outputs[i].denied {
			break
		}
		reply(w, map[string]any{"data": found.outputs[i].resource(path[1], true)})
		return
	case len(path) == 2 && path[0] == "account" && path[1] == "details":
		reply(w, map[string]any{"data": map[string]any{"id": "user-1", "type": "users", "attributes": map[string]any{"username": "alice"}}})
		return
	default:
		f.t.Errorf("unexpected request for %s", r.URL)
	}
	fail(w, http.StatusNotFound, "not found", "")
}

func reply(w http.ResponseWriter, document any) { _ = json.NewEncoder(w).Encode(document) }

// describe is a workspace as the API shows it.
func describe(name string, w workspace) any {
	var state any
	if !w.empty {
		state = map[string]string{"id": "sv-" + name, "type": "state-versions"}
	}
	return map[string]any{
		"id": "ws-" + name, "type": "workspaces",
		"attributes":    map[string]any{"name": name, "locked": false, "execution-mode": "remote", "created-at": "2024-01-02T03:04:05.678Z"},
		"relationships": map[string]any{"current-state-version": map[string]any{"data": state}},
	}
}

// list sends the outputs without sensitive values, as a whole or in pages.
func (f *fake) list(w http.ResponseWriter, r *http.Request, workspace string, outputs []output) {
	resources := []any{}
	for i, o := range outputs {
		resources = append(resources, o.resource(fmt.Sprintf("wsout-%s.%d", workspace, i), false))
	}
	if f.pageSize == 0 {
		reply(w, map[string]any{"data": resources})
		return
	}
	number, _ := strconv.Atoi(r.URL.Query().Get("page[number]"))
	size, _ := strconv.Atoi(r.URL.Query().Get("page[size]"))
	if number < 1 || size < 1 || size > 100 {
		f.t.Errorf("page %d of %d outputs is asked for", number, size)
		number, size = 1, 100
	}
	pages := slices.Collect(slices.Chunk(resources, min(size, f.pageSize)))
	var next any
	if number < len(pages) {
		next = number + 1
	}
	reply(w, map[string]any{
		"data": pages[number-1],
		"meta": map[string]any{"pagination": map[string]any{
			"current-page": number, "next-page": next, "total-pages": len(pages), "total-count": len(resources),
		}},
	})
}

// resource is an output as the API shows it.
func (o output) resource(id string, revealed bool) any {
	kind := map[byte]string{'"': "string", '[': "array", '{': "object", 't': "boolean", 'f': "boolean", 'n': "null"}[o.value[0]]
	value := json.RawMessage(o.value)
	if o.sensitive && !revealed {
		value = json.RawMessage("null")
	}
	return map[string]any{
		"id": id, "type": "state-version-outputs",
		"attributes": map[string]any{"name": o.name, "sensitive": o.sensitive, "type": kind, "value": value, "detailed-type": kind},
		"links":      map[string]string{"self": "/api/v2/state-version-outputs/" + id},
	}
}

// took returns the requests so far, sorted, for concurrent ones come in any
// order.
func (f *fake) took() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(slices.Values(f.requests))
}
