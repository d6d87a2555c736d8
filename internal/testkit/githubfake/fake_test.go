package githubfake_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

const (
	head    = "0123456789abcdef0123456789abcdef01234567"
	backend = "00000000-0000-4000-8000-000000000007" // of run 7
	service = "/twirp/github.actions.results.api.v1.ArtifactService/"
)

// world is a fake behind a real socket, and its clock.
type world struct {
	*githubfake.Fake
	url   string
	token string // of run 7
	now   *time.Time
}

func newWorld(t *testing.T) world {
	t.Helper()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	fake, err := githubfake.New(githubfake.Options{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	return world{fake, server.URL, fake.Token(7, "job"), &now}
}

// send returns the status of the answer, and its body.
func (w world) send(t *testing.T, method, url, body string, header ...string) (int, string) {
	t.Helper()
	if strings.HasPrefix(url, "/") {
		url = w.url + url
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if location := response.Header.Get("Location"); location != "" {
		return response.StatusCode, location
	}
	return response.StatusCode, string(content)
}

// call calls the artifact service as the job of run 7. Its answer is good or
// the test ends.
func (w world) call(t *testing.T, method, fields string) map[string]any {
	t.Helper()
	status, body := w.send(t, "POST", service+method, message(fields), "Authorization", "Bearer "+w.token)
	if status != http.StatusOK {
		t.Fatalf("%s(%s) = %d %s", method, fields, status, body)
	}
	answer := map[string]any{}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

func message(fields string) string {
	return `{"workflow_run_backend_id":"` + backend + `","workflow_job_run_backend_id":"job",` + fields + `}`
}

// upload makes a finalized artifact of the given content.
func (w world) upload(t *testing.T, name, content string) {
	t.Helper()
	url, _ := w.call(t, "CreateArtifact", `"name":"`+name+`","version":4`)["signed_upload_url"].(string)
	if status, body := w.send(t, "PUT", url, content, "x-ms-blob-type", "BlockBlob"); status != http.StatusCreated {
		t.Fatalf("upload = %d %s", status, body)
	}
	w.call(t, "FinalizeArtifact", fmt.Sprintf(`"name":%q,"size":"%d","hash":%q`, name, len(content), digest(content)))
}

func digest(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "sha256:" + hex.EncodeToString(sum[:])
}

func TestREST(t *testing.T) {
	t.Parallel()
	const statuses = "/repos/octo/shop/statuses/" + head
	cases := map[string]struct {
		method, path, body string
		want               int
		violation          bool
	}{
		"status":               {"POST", statuses, `{"state":"success"}`, 201, false},
		"state is not known":   {"POST", statuses, `{"state":"green"}`, 422, true},
		"state is missing":     {"POST", statuses, `{}`, 422, true},
		"description too long": {"POST", statuses, `{"state":"error","description":"` + strings.Repeat("x", 141) + `"}`, 422, false},
		"commit is unknown":    {"POST", "/repos/octo/shop/statuses/main", `{"state":"error"}`, 422, false},
		"list of statuses":     {"GET", "/repos/octo/shop/commits/" + head + "/statuses", "", 200, false},
		"repository":           {"GET", "/repos/octo/shop", "", 200, false},
		"run":                  {"GET", "/repos/octo/shop/actions/runs/7", "", 200, false},
		"run that is not":      {"GET", "/repos/octo/shop/actions/runs/8", "", 404, false},
		"artifact that is not": {"GET", "/repos/octo/shop/actions/artifacts/8", "", 404, false},
		"page is no number":    {"GET", "/repos/octo/shop/actions/artifacts?page=x", "", 422, true},
		"no such call":         {"GET", "/repos/octo/shop/actions/artefacts", "", 404, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			status, body := w.send(t, c.method, c.path, c.body, "Authorization", "Bearer x")
			if status != c.want || (len(w.Violations()) > 0) != c.violation {
				t.Errorf("%s %s = %d %s with violations %v, want %d", c.method, c.path, status, body, w.Violations(), c.want)
			}
			if status, _ := w.send(t, c.method, c.path, c.body); c.want < 400 && status != http.StatusUnauthorized {
				t.Errorf("without Authorization: %d, want 401", status)
			}
		})
	}
}

func TestArtifactLife(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.upload(t, "state", "zip")
	list := w.call(t, "ListArtifacts", `"name_filter":"state"`)["artifacts"].([]any)
	entry := list[0].(map[string]any)
	want := map[string]any{
		"workflow_run_backend_id": backend, "workflow_job_run_backend_id": "job", "database_id": "2", "name": "state", "size": "3",
		"created_at": "2026-01-02T03:04:05Z", "digest": digest("zip"),
	}
	if diff := cmp.Diff(want, entry); diff != "" || len(list) != 1 {
		t.Errorf("ListArtifacts (-want +got):\n%s", diff)
	}
	signed, _ := w.call(t, "GetSignedArtifactURL", `"name":"state"`)["signed_url"].(string)
	if status, body := w.send(t, "GET", signed, ""); status != http.StatusOK || body != "zip" {
		t.Errorf("download from the service = %d %q, want the content", status, body)
	}
	status, location := w.send(t, "GET", "/repos/octo/shop/actions/artifacts/2/zip", "", "Authorization", "Bearer x")
	if status != http.StatusFound {
		t.Fatalf("download = %d, want 302", status)
	}
	if status, body := w.send(t, "GET", location, ""); status != http.StatusOK || body != "zip" {
		t.Errorf("download from the storage = %d %q, want the content", status, body)
	}
	*w.now = w.now.Add(61 * time.Second)
	if status, _ := w.send(t, "GET", location, ""); status != http.StatusForbidden {
		t.Errorf("download after a minute = %d, want 403", status)
	}
	w.call(t, "DeleteArtifact", `"name":"state"`)
	if got := w.Artifacts(); len(got) != 0 {
		t.Errorf("artifacts after DeleteArtifact: %v", got)
	}
	if v := w.Violations(); len(v) != 0 {
		t.Errorf("violations: %v", v)
	}
}

func TestServiceRefuses(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		method, fields string
		token          func(world) string // nil: the right one
		want           int
	}{
		"name taken":         {"CreateArtifact", `"name":"state","version":4`, nil, 409},
		"name with a slash":  {"CreateArtifact", `"name":"a/b","version":4`, nil, 400},
		"old protocol":       {"CreateArtifact", `"name":"new","version":3`, nil, 400},
		"unknown field":      {"CreateArtifact", `"name":"new","version":4,"color":"red"`, nil, 400},
		"wrong size":         {"FinalizeArtifact", `"name":"open","size":"9","hash":"` + digest("zip") + `"`, nil, 400},
		"wrong hash":         {"FinalizeArtifact", `"name":"open","size":"3","hash":"` + digest("zap") + `"`, nil, 400},
		"nothing uploaded":   {"FinalizeArtifact", `"name":"empty","size":"0","hash":"` + digest("") + `"`, nil, 400},
		"not finalized":      {"GetSignedArtifactURL", `"name":"open"`, nil, 404},
		"nothing to delete":  {"DeleteArtifact", `"name":"new"`, nil, 404},
		"no token":           {"ListArtifacts", `"name":""`, func(world) string { return "" }, 401},
		"token of a forger":  {"ListArtifacts", `"name":""`, func(w world) string { return w.token[:len(w.token)-2] + "xx" }, 401},
		"token of other run": {"ListArtifacts", `"name":""`, func(w world) string { return w.Token(8, "") }, 401},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.upload(t, "state", "zip")
			w.call(t, "CreateArtifact", `"name":"empty","version":4`)
			url, _ := w.call(t, "CreateArtifact", `"name":"open","version":7,"mime_type":"application/zip"`)["signed_upload_url"].(string)
			w.send(t, "PUT", url, "zip", "x-ms-blob-type", "BlockBlob")
			token := w.token
			if c.token != nil {
				token = c.token(w)
			}
			status, body := w.send(t, "POST", service+c.method, message(c.fields), "Authorization", "Bearer "+token)
			if status != c.want {
				t.Errorf("%s(%s) = %d %s, want %d", c.method, c.fields, status, body, c.want)
			}
		})
	}
}

func TestStorage(t *testing.T) {
	t.Parallel()
	list := func(ids string) string {
		return `<?xml version="1.0"?><BlockList>` + ids + `</BlockList>`
	}
	cases := map[string]struct {
		query  string // added to the signed URL
		body   string
		header []string
		want   int
	}{
		"block":            {"&comp=block&blockid=MQ==", "x", nil, 201},
		"block without id": {"&comp=block", "x", nil, 400},
		"known block":      {"&comp=blocklist", list("<Latest>MA==</Latest>"), nil, 201},
		"unknown block":    {"&comp=blocklist", list("<Latest>MQ==</Latest>"), nil, 400},
		"no list":          {"&comp=blocklist", "{", nil, 400},
		"single":           {"", "x", []string{"x-ms-blob-type", "BlockBlob"}, 201},
		"single, no type":  {"", "x", nil, 400},
		"other operation":  {"&comp=lease", "x", nil, 400},
		"signed in twice":  {"&comp=block&blockid=MQ==", "x", []string{"Authorization", "Bearer x"}, 400},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			url, _ := w.call(t, "CreateArtifact", `"name":"state","version":4`)["signed_upload_url"].(string)
			w.send(t, "PUT", url+"&comp=block&blockid=MA==", "first")
			if status, body := w.send(t, "PUT", url+c.query, c.body, c.header...); status != c.want {
				t.Errorf("PUT %s = %d %s, want %d", c.query, status, body, c.want)
			}
			if status, _ := w.send(t, "GET", url, ""); status != http.StatusForbidden {
				t.Errorf("reading with a URL for writing = %d, want 403", status)
			}
			if status, _ := w.send(t, "PUT", strings.Replace(url, "sp=cw", "sp=r", 1), "x"); status != http.StatusForbidden {
				t.Errorf("a URL with another permission = %d, want 403", status)
			}
		})
	}
}

func TestDirSurvives(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open := func() world {
		fake, err := githubfake.New(githubfake.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(fake)
		t.Cleanup(server.Close)
		return world{Fake: fake, url: server.URL}
	}
	first := open()
	status, body := first.send(t, "POST", "/_fake/runs", `{"id":7,"job":"job"}`)
	var run struct {
		Token   string `json:"runtime_token"`
		Backend string `json:"backend"`
	}
	if err := json.Unmarshal([]byte(body), &run); err != nil || status != http.StatusCreated || run.Backend != backend {
		t.Fatalf("POST /_fake/runs = %d %s, %v", status, body, err)
	}
	first.token = run.Token
	first.upload(t, "state", "zip")

	second := open()
	second.token = run.Token
	if got := len(second.call(t, "ListArtifacts", `"name_filter":"state"`)["artifacts"].([]any)); got != 1 {
		t.Errorf("after a restart there are %d artifacts, want 1", got)
	}
	if _, log := second.send(t, "GET", "/_fake/log", ""); !strings.Contains(log, `"name":"state"`) || !strings.Contains(log, "/ListArtifacts") {
		t.Errorf("the log has neither artifact nor call: %s", log)
	}
}

func TestNumericRunIDs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.AddRun(githubfake.Run{ID: 42, Backend: "42"})
	status, body := w.send(t, "POST", service+"ListArtifacts", `{"workflow_run_backend_id":"42","workflow_job_run_backend_id":"42"}`,
		"Authorization", "Bearer "+w.Token(42, ""))
	if status != http.StatusOK {
		t.Errorf("ListArtifacts = %d %s, want 200", status, body)
	}
}
