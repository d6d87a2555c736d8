package github_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deploy-action/deploy-action/internal/github"
	"github.com/deploy-action/deploy-action/internal/testkit/actionscache"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

func addEntry(t *testing.T, c *github.Cache, key, content string) {
	t.Helper()
	if err := c.Add(t.Context(), key, strings.NewReader(content), int64(len(content))); err != nil {
		t.Fatal(err)
	}
}

// entry returns an entry's content; "" where there is none.
func entry(t *testing.T, content io.ReadCloser, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if content == nil {
		return ""
	}
	defer content.Close()
	data, err := io.ReadAll(content)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestCacheEntries finds entries by their key and by how it begins, and changes
// none.
func TestCacheEntries(t *testing.T) {
	t.Parallel()
	c := actionscache.Of(t, newFake(t), "refs/heads/main")
	addEntry(t, c, "a/1", "first")
	addEntry(t, c, "a/2", "second")
	addEntry(t, c, "a/1", "changed")
	large := strings.Repeat("0123456789", 900_000) // more than one block
	addEntry(t, c, "large", large)
	addEntry(t, c, "empty", "")
	for key, want := range map[string]string{"a/1": "first", "a/2": "second", "a/": "", "b": "", "large": large, "empty": ""} {
		content, err := c.Open(t.Context(), key)
		if got := entry(t, content, err); got != want {
			t.Errorf("Open(%q) = %d bytes, want %d", key, len(got), len(want))
		}
	}
	for prefix, want := range map[string]string{"a/": "a/2=second", "a/1": "a/1=first", "b": "="} {
		key, content, err := c.OpenNewest(t.Context(), prefix)
		if got := key + "=" + entry(t, content, err); got != want {
			t.Errorf("OpenNewest(%q) = %q, want %q", prefix, got, want)
		}
	}
	denied := actionscache.ReadOnly(t, newFake(t)).Add(t.Context(), "key", bytes.NewReader(nil), 0)
	if denied == nil || !strings.Contains(denied.Error(), "cache write denied: the token of this run is read-only") {
		t.Errorf("Add() of a run that may only read: %v", denied)
	}
	if err := c.Add(t.Context(), strings.Repeat("k", 513), bytes.NewReader(nil), 0); err == nil || !strings.Contains(err.Error(), "key is not valid") {
		t.Errorf("Add() with a key that is too long: %v", err)
	}
}

// TestCacheRefs reads what the own ref and the default branch keep.
func TestCacheRefs(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	ours, theirs := actionscache.Of(t, fake, "refs/heads/main"), actionscache.Of(t, fake, "refs/pull/1/merge")
	addEntry(t, ours, "a/1", "ours")
	addEntry(t, theirs, "a/2", "theirs")
	for name, c := range map[string]struct {
		cache *github.Cache
		want  string
	}{
		"the default branch": {ours, "a/1"},
		"the pull request":   {theirs, "a/2"},
		"another one":        {actionscache.Of(t, fake, "refs/pull/2/merge"), "a/1"},
	} {
		key, content, err := c.cache.OpenNewest(t.Context(), "a/")
		if entry(t, content, err); key != c.want {
			t.Errorf("%s finds %q, want %q", name, key, c.want)
		}
	}
	// One more of a key that only another ref has.
	addEntry(t, ours, "a/2", "ours as well")
	content, err := theirs.Open(t.Context(), "a/2")
	if got := entry(t, content, err); got != "theirs" {
		t.Errorf("the pull request reads %q, want its own", got)
	}
}

// TestCacheRetries asks again for a moment, and not at all where the service asks
// for a pause.
func TestCacheRetries(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		refusal githubfake.Refusal
		suffix  string
		times   int
		good    bool
		calls   int // of that method
	}{
		"unavailable once":              {githubfake.Refusal{Status: 503}, "/CreateCacheEntry", 1, true, 2},
		"unavailable for long":          {githubfake.Refusal{Status: 503}, "/CreateCacheEntry", -1, false, 5},
		"too many requests":             {githubfake.Refusal{Status: 429}, "/CreateCacheEntry", -1, false, 1},
		"told to wait":                  {githubfake.Refusal{Status: 503, Header: http.Header{"Retry-After": {"60"}}}, "/CreateCacheEntry", -1, false, 1},
		"not permitted":                 {githubfake.Refusal{Status: 403, Body: `{"code":"permission_denied","msg":"read only"}`}, "/CreateCacheEntry", -1, false, 1},
		"an entry that nobody can fill": {githubfake.Refusal{Reset: true, Served: true}, "/CreateCacheEntry", 1, false, 2},
		"an answer that is lost":        {githubfake.Refusal{Reset: true, Served: true}, "/FinalizeCacheEntryUpload", 1, true, 2},
		"half an answer":                {githubfake.Refusal{Cut: true}, "/FinalizeCacheEntryUpload", 1, true, 2},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := newFake(t)
				cache := actionscache.Of(t, fake, "refs/heads/main")
				fake.Refuse(refuseTimes(c.times, c.suffix, c.refusal))
				err := cache.Add(t.Context(), "key", strings.NewReader("x"), 1)
				if (err == nil) != c.good {
					t.Errorf("Add() = %v, want success: %v", err, c.good)
				}
				calls := 0
				for _, call := range fake.Calls() {
					if strings.HasSuffix(call.Path, c.suffix) {
						calls++
					}
				}
				if calls != c.calls {
					t.Errorf("%s was called %d times, want %d", c.suffix, calls, c.calls)
				}
			})
		})
	}
}

// TestCacheIsBounded ends with its context where the service hangs.
func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	for _, suffix := range []string{"/GetCacheEntryDownloadURL", "/blob/1"} {
		synctest.Test(t, func(t *testing.T) {
			fake := newFake(t)
			cache := actionscache.Of(t, fake, "refs/heads/main")
			addEntry(t, cache, "key", "content")
			fake.Refuse(refuseTimes(-1, suffix, githubfake.Refusal{Pause: time.Hour}))
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			content, err := cache.Open(ctx, "key")
			if err == nil {
				_, err = io.ReadAll(content)
			}
			if err == nil || ctx.Err() == nil {
				t.Errorf("%s that hangs: %v before the end", suffix, err)
			}
		})
	}
}
