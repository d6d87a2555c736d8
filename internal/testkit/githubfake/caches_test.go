package githubfake_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

// version is that of the entries of a test.
var version = strings.Repeat("0a", 32)

// cache calls the cache service as a job with a token. Its answer is good or
// shows the status and what the service says.
func (w world) cache(t *testing.T, token, method, fields string) (answer map[string]any, problem string) {
	t.Helper()
	body := `{"version":"` + version + `",` + fields + `}`
	status, content := w.send(t, "POST", "/twirp/github.actions.results.api.v1.CacheService/"+method, body, "Authorization", "Bearer "+token)
	if err := json.Unmarshal([]byte(content), &answer); err != nil {
		t.Fatalf("%s answers %q: %v", method, content, err)
	}
	if status != http.StatusOK {
		problem, _ = answer["code"].(string)
	}
	return answer, problem
}

// keep stores an entry.
func (w world) keep(t *testing.T, token, key, content string) {
	t.Helper()
	created, problem := w.cache(t, token, "CreateCacheEntry", `"key":"`+key+`"`)
	if problem != "" {
		t.Fatalf("CreateCacheEntry: %s", problem)
	}
	url, _ := created["signed_upload_url"].(string)
	if status, body := w.send(t, "PUT", url, content, "x-ms-blob-type", "BlockBlob"); status != http.StatusCreated {
		t.Fatalf("uploading: %d %s", status, body)
	}
	if _, problem := w.cache(t, token, "FinalizeCacheEntryUpload", `"key":"`+key+`","size_bytes":"`+string(rune('0'+len(content)))+`"`); problem != "" {
		t.Fatalf("FinalizeCacheEntryUpload: %s", problem)
	}
}

// TestCaches keeps entries, finds them by key and by how a key begins, and keeps
// those of other refs apart.
func TestCaches(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.AddRun(githubfake.Run{ID: 8, Ref: "refs/pull/1/merge"})
	theirs := w.Token(8, "job")
	w.keep(t, w.token, "a-1", "one")
	w.keep(t, w.token, "a-2", "two")
	w.keep(t, theirs, "a-1", "own")
	for name, c := range map[string]struct{ token, fields, key, content string }{
		"a key":                    {w.token, `"key":"a-1"`, "a-1", "one"},
		"the own before others":    {theirs, `"key":"a-1"`, "a-1", "own"},
		"the default branch's":     {theirs, `"key":"a-2"`, "a-2", "two"},
		"the beginning of a key":   {w.token, `"key":"x","restore_keys":["y","a-"]`, "a-2", "two"},
		"a key that others extend": {w.token, `"key":"a-"`, "a-2", "two"},
		"none":                     {w.token, `"key":"x","restore_keys":["y"]`, "", ""},
	} {
		found, problem := w.cache(t, c.token, "GetCacheEntryDownloadURL", c.fields)
		if problem != "" || found["matched_key"] != c.key || found["ok"] != (c.key != "") {
			t.Errorf("%s: found %v, %s; want %q", name, found, problem, c.key)
			continue
		}
		if url, _ := found["signed_download_url"].(string); c.key != "" {
			if _, content := w.send(t, "GET", url, ""); content != c.content {
				t.Errorf("%s: the content is %q, want %q", name, content, c.content)
			}
		}
	}
	if got := w.Caches(); len(got) != 3 || got[2].Ref != "refs/pull/1/merge" || string(w.CacheContent(got[0].ID)) != "one" {
		t.Errorf("the entries are %+v", got)
	}
}

// TestCachesAreStrict refuses what GitHub refuses.
func TestCachesAreStrict(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.keep(t, w.token, "kept", "one")
	if _, problem := w.cache(t, w.token, "CreateCacheEntry", `"key":"begun"`); problem != "" {
		t.Fatal(problem)
	}
	for name, c := range map[string]struct{ token, method, fields, want string }{
		"a key that is kept":          {w.token, "CreateCacheEntry", `"key":"kept"`, "already_exists"},
		"a key that is begun":         {w.token, "CreateCacheEntry", `"key":"begun"`, "already_exists"},
		"no key":                      {w.token, "CreateCacheEntry", `"key":""`, "invalid_argument"},
		"a long key":                  {w.token, "CreateCacheEntry", `"key":"` + strings.Repeat("k", 513) + `"`, "invalid_argument"},
		"a comma":                     {w.token, "CreateCacheEntry", `"key":"a,b"`, "invalid_argument"},
		"another version":             {w.token, "CreateCacheEntry", `"key":"a","version":"1"`, "invalid_argument"},
		"many keys":                   {w.token, "GetCacheEntryDownloadURL", `"key":"a","restore_keys":["1","2","3","4","5","6","7","8","9","10"]`, "invalid_argument"},
		"an unknown field":            {w.token, "CreateCacheEntry", `"key":"a","size":"1"`, "malformed"},
		"somebody else's token":       {w.token + "x", "CreateCacheEntry", `"key":"a"`, "unauthenticated"},
		"the end without a beginning": {w.token, "FinalizeCacheEntryUpload", `"key":"a","size_bytes":"1"`, "not_found"},
		"the end without an upload":   {w.token, "FinalizeCacheEntryUpload", `"key":"begun","size_bytes":"0"`, "invalid_argument"},
		"another size":                {w.token, "FinalizeCacheEntryUpload", `"key":"kept","size_bytes":"2"`, "invalid_argument"},
	} {
		if _, problem := w.cache(t, c.token, c.method, c.fields); problem != c.want {
			t.Errorf("%s: %q, want %q", name, problem, c.want)
		}
	}
	if found, _ := w.cache(t, w.token, "GetCacheEntryDownloadURL", `"key":"begun"`); found["ok"] != false {
		t.Errorf("an entry that was not finished is found: %v", found)
	}
}
