package github

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/deploy-action/deploy-action/internal/retry"
)

// Cache is what runs of a repository's workflows keep for later ones: entries
// that have a key and never change. A run writes to the cache of its ref, and
// reads that and the one of the default branch; that of a pull request reads its
// base branch's as well. It needs no permission. It is safe for concurrent use.
//
// Nobody depends on it. So it is asked again only for a few seconds, and not at
// all once it asks to be left alone.
type Cache struct{ service *Service }

// Cache returns the cache that this run sees. Nothing is sent.
func (s *Service) Cache() *Cache { return &Cache{s} }

const (
	// cacheVersion tells entries of this form from those of others: it is the
	// digest of "deploy-action build cache 1".
	cacheVersion = "4de44c4eac0a630fd6c5f51922c49889448f03e8820d4c817154fd9b49d5c4e1"

	// cachePatience is how long the storage of the cache may not answer.
	cachePatience = 10 * time.Second
)

type (
	cacheEntry struct {
		Key     string `json:"key"`
		Version string `json:"version"`
	}
	findRequest struct {
		cacheEntry
		RestoreKeys []string `json:"restore_keys,omitempty"` // how keys begin
	}
	findAnswer struct {
		OK  bool   `json:"ok"` // false where there is none
		URL string `json:"signed_download_url"`
		Key string `json:"matched_key"`
	}
	finishRequest struct {
		cacheEntry
		Size int64 `json:"size_bytes,string"`
	}
	makeAnswer struct {
		createAnswer
		cacheRefusal
	}
	finishAnswer struct {
		OK bool `json:"ok"`
		cacheRefusal
	}
	cacheRefusal struct {
		Message string `json:"message"` // why it is not ok, such as a run that may only read
	}
)

// Open opens an entry by its key. Where there is none, content is nil. The
// caller closes content.
func (c *Cache) Open(ctx context.Context, key string) (content io.ReadCloser, err error) {
	found, err := c.find(ctx, findRequest{cacheEntry: cacheEntry{key, cacheVersion}})
	// The service also finds keys that only begin so.
	if err != nil || !found.OK || found.Key != "" && found.Key != key {
		return nil, err
	}
	return c.open(ctx, key, found.URL)
}

// OpenNewest opens the entry that was made last of those whose keys begin with
// prefix, and tells its key. Where there is none, content is nil. The caller
// closes content.
func (c *Cache) OpenNewest(ctx context.Context, prefix string) (key string, content io.ReadCloser, err error) {
	found, err := c.find(ctx, findRequest{cacheEntry{prefix, cacheVersion}, []string{prefix}})
	if err != nil || !found.OK || !strings.HasPrefix(found.Key, prefix) {
		return "", nil, err
	}
	content, err = c.open(ctx, found.Key, found.URL)
	return found.Key, content, err
}

func (c *Cache) find(ctx context.Context, request findRequest) (findAnswer, error) {
	var found findAnswer
	err := c.call(ctx, "GetCacheEntryDownloadURL", request, &found)
	if found.OK {
		c.service.hide(found.URL)
	}
	return found, err
}

// open begins to read a signed URL. An entry that has gone meanwhile is none.
func (c *Cache) open(ctx context.Context, key, address string) (io.ReadCloser, error) {
	var content io.ReadCloser
	err := retry.Do(ctx, func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return withoutURL(err)
		}
		response, err := c.service.http.Do(req)
		if err != nil {
			return retry.Transient(withoutURL(err))
		}
		switch response.StatusCode {
		case http.StatusOK:
			content = response.Body
			return nil
		case http.StatusNotFound:
			return response.Body.Close()
		}
		response.Body.Close()
		return storageError(response)
	})
	if err != nil {
		return nil, fmt.Errorf("reading cache entry %q: %w", key, err)
	}
	return content, nil
}

// Add stores an entry. One of that key which is there, or which another job is
// about to store, stays as it is, and that is no error.
func (c *Cache) Add(ctx context.Context, key string, content io.ReaderAt, size int64) error {
	entry := cacheEntry{key, cacheVersion}
	var created makeAnswer
	err := c.call(ctx, "CreateCacheEntry", entry, &created)
	if errors.Is(err, ErrNameTaken) {
		return nil
	}
	if err != nil {
		return err
	}
	if !created.OK {
		return fmt.Errorf("the cache service does not take %q: %s", key, cmp.Or(created.Message, "it does not say why"))
	}
	c.service.hide(created.URL)
	blob := upload{client: c.service.http, mediaType: "application/octet-stream", patience: cachePatience}
	if err := blob.store(ctx, created.URL, content, size); err != nil {
		return fmt.Errorf("uploading cache entry %q: %w", key, err)
	}
	var finished finishAnswer
	if err := c.call(ctx, "FinalizeCacheEntryUpload", finishRequest{entry, size}, &finished); err != nil {
		return err
	}
	if !finished.OK {
		return fmt.Errorf("the cache service did not keep %q: %s", key, cmp.Or(finished.Message, "it does not say why"))
	}
	return nil
}

// call sends one request of the service.
func (c *Cache) call(ctx context.Context, method string, request, answer any) error {
	body, err := json.Marshal(request)
	tries := 0
	if err == nil {
		err = retry.Do(ctx, func(ctx context.Context) error {
			wait, err := c.service.post(ctx, caches+method, body, answer)
			if tries++; tries > 1 && errors.Is(err, ErrNameTaken) {
				return errors.New("an entry was made whose answer got lost") // ours, and nobody can fill it
			}
			refused, answered := errors.AsType[*refusedError](err)
			if err == nil || wait != 0 || answered && refused.status == http.StatusTooManyRequests {
				return err
			}
			return retry.Transient(err)
		})
	}
	if err != nil {
		return fmt.Errorf("calling %s of the cache service: %w", method, err)
	}
	return nil
}
