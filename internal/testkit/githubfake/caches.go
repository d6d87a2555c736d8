package githubfake

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const cachesPath = "POST /twirp/github.actions.results.api.v1.CacheService/"

// Cache is one entry of the cache of a ref. Until it is finalized it has no ID
// and only its key is taken.
type Cache struct {
	ID      int64     `json:"id"`
	Key     string    `json:"key"`
	Version string    `json:"version"`
	Ref     string    `json:"ref"`
	Size    int64     `json:"size"`
	Created time.Time `json:"created"`
	Blob    string    `json:"blob"`
}

// cacheRequest has the fields of every request of the cache service.
type cacheRequest struct {
	Key         string          `json:"key"`
	Version     string          `json:"version"`
	RestoreKeys []string        `json:"restore_keys"`
	Size        string          `json:"size_bytes"`
	Metadata    json.RawMessage `json:"metadata"` // which clients leave to the token
}

// What the service takes.
const (
	longestKey = 512
	mostKeys   = 10
)

var versionForm = regexp.MustCompile("^[0-9a-f]{64}$")

func (f *Fake) routeCaches() {
	methods := map[string]func(http.ResponseWriter, *http.Request, Run, cacheRequest){
		"CreateCacheEntry":         f.createCache,
		"FinalizeCacheEntryUpload": f.finalizeCache,
		"GetCacheEntryDownloadURL": f.findCache,
	}
	for name, method := range methods {
		f.mux.HandleFunc(cachesPath+name, func(w http.ResponseWriter, r *http.Request) {
			var req cacheRequest
			decoder := json.NewDecoder(r.Body)
			decoder.DisallowUnknownFields()
			if err := decoder.Decode(&req); err != nil {
				refuseTwirp(w, http.StatusBadRequest, "malformed", err.Error())
				return
			}
			run, err := f.tokenRun(r)
			if err != nil {
				refuseTwirp(w, http.StatusUnauthorized, "unauthenticated", err.Error())
				return
			}
			if problem := req.problem(); problem != "" {
				refuseTwirp(w, http.StatusBadRequest, "invalid_argument", problem)
				return
			}
			method(w, r, run, req)
		})
	}
}

// problem says what is wrong with a request, if anything is.
func (req cacheRequest) problem() string {
	keys := append([]string{req.Key}, req.RestoreKeys...)
	switch {
	case !versionForm.MatchString(req.Version):
		return "version is no digest"
	case len(keys) > mostKeys:
		return "too many keys"
	case slices.Contains(keys, ""), slices.ContainsFunc(keys, func(key string) bool { return len(key) > longestKey || strings.Contains(key, ",") }):
		return "key is not valid"
	}
	return ""
}

func (f *Fake) createCache(w http.ResponseWriter, r *http.Request, run Run, req cacheRequest) {
	if run.ReadsOnly {
		answerJSON(w, http.StatusOK, map[string]any{"ok": false, "signed_upload_url": "", "message": "cache write denied: the token of this run is read-only"})
		return
	}
	if f.reserved(run, req) != nil {
		refuseTwirp(w, http.StatusConflict, "already_exists", "cache entry with the same key, version, and scope already exists")
		return
	}
	c := &Cache{Key: req.Key, Version: req.Version, Ref: run.Ref, Blob: strconv.FormatInt(f.newID(), 10)}
	f.data.Caches = append(f.data.Caches, c)
	f.data.Blobs[c.Blob] = &blob{}
	answerJSON(w, http.StatusOK, map[string]any{"ok": true, "signed_upload_url": f.signedURL(r, c.Blob, mayWrite, time.Hour)})
}

func (f *Fake) finalizeCache(w http.ResponseWriter, _ *http.Request, run Run, req cacheRequest) {
	c := f.reserved(run, req)
	switch {
	case c == nil:
		refuseTwirp(w, http.StatusNotFound, "not_found", "cache entry not found")
		return
	case !f.data.Blobs[c.Blob].Committed:
		refuseTwirp(w, http.StatusBadRequest, "invalid_argument", "nothing was uploaded")
		return
	case req.Size != strconv.Itoa(len(f.data.Blobs[c.Blob].Content)):
		refuseTwirp(w, http.StatusBadRequest, "invalid_argument", "size does not match what was uploaded")
		return
	}
	if c.ID == 0 {
		c.ID, c.Size, c.Created = f.newID(), int64(len(f.data.Blobs[c.Blob].Content)), f.options.Now().UTC()
	}
	answerJSON(w, http.StatusOK, map[string]any{"ok": true, "entry_id": strconv.FormatInt(c.ID, 10)})
}

// findCache looks in the cache of the run's ref and then in that of the default
// branch: in each for the key, for keys that begin with it, and then for those
// that begin with one of the others. Of several it takes the newest.
func (f *Fake) findCache(w http.ResponseWriter, r *http.Request, run Run, req cacheRequest) {
	for _, ref := range []string{run.Ref, "refs/heads/" + f.options.DefaultBranch} {
		for i, key := range append([]string{req.Key, req.Key}, req.RestoreKeys...) {
			for _, c := range slices.Backward(f.keptCaches()) {
				if c.Ref != ref || c.Version != req.Version || !strings.HasPrefix(c.Key, key) || i == 0 && c.Key != key {
					continue
				}
				answerJSON(w, http.StatusOK, map[string]any{
					"ok": true, "matched_key": c.Key, "signed_download_url": f.signedURL(r, c.Blob, mayRead, 10*time.Minute),
				})
				return
			}
		}
	}
	answerJSON(w, http.StatusOK, map[string]any{"ok": false, "signed_download_url": "", "matched_key": ""})
}

// reserved returns the entry of a key in the cache that a run writes to.
func (f *Fake) reserved(run Run, req cacheRequest) *Cache {
	for _, c := range f.data.Caches {
		if c.Ref == run.Ref && c.Key == req.Key && c.Version == req.Version {
			return c
		}
	}
	return nil
}

// keptCaches returns the finalized entries in the order in which they were.
func (f *Fake) keptCaches() []Cache {
	list := []Cache{}
	for _, c := range f.data.Caches {
		if c.ID != 0 {
			list = append(list, *c)
		}
	}
	slices.SortFunc(list, func(a, b Cache) int { return int(a.ID - b.ID) })
	return list
}

// Caches returns the finalized entries of all refs, oldest first.
func (f *Fake) Caches() []Cache {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.keptCaches()
}

// CacheContent returns the bytes of an entry.
func (f *Fake) CacheContent(id int64) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.data.Caches {
		if c.ID == id {
			return slices.Clone(f.data.Blobs[c.Blob].Content)
		}
	}
	return nil
}

// ChangeCache replaces the content of an entry, or evicts it if content is nil.
func (f *Fake) ChangeCache(id int64, content []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, c := range f.data.Caches {
		if c.ID != id {
			continue
		}
		if content == nil {
			f.data.Caches = slices.Delete(f.data.Caches, i, i+1)
			return
		}
		f.data.Blobs[c.Blob].Content = slices.Clone(content)
	}
}
