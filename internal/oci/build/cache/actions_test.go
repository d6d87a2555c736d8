package cache_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/oci"
	"github.com/deploy-action/deploy-action/internal/oci/build/cache"
	"github.com/deploy-action/deploy-action/internal/testkit/actionscache"
	"github.com/deploy-action/deploy-action/internal/testkit/githubfake"
)

const (
	mainRef = "refs/heads/main"
	pullRef = "refs/pull/1/merge"
)

// notes collects what a cache tells. It may be added to concurrently.
type notes struct {
	mu   sync.Mutex
	told []string
}

func (n *notes) add(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.told = append(n.told, text)
}

// onGitHub opens a cache that is only in GitHub's, for a run of a ref.
func onGitHub(t *testing.T, fake *githubfake.Fake, ref string, scopes ...string) (*cache.Cache, *notes) {
	t.Helper()
	told := &notes{}
	return open(t, cache.Options{Note: told.add, Actions: &cache.Actions{
		Entries: actionscache.Of(t, fake, ref), Name: "shop/web", Read: scopes, Write: scopes[0],
	}}), told
}

// methods counts the calls of a fake since before, by the last part of their path.
func methods(fake *githubfake.Fake, before int) map[string]int {
	found := map[string]int{}
	for _, call := range fake.Calls()[before:] {
		name := call.Path[strings.LastIndex(call.Path, "/")+1:]
		if strings.HasPrefix(call.Path, "/blob/") {
			name = call.Method
		}
		found[name]++
	}
	return found
}

// TestActions finds in a second build what the first one recorded: with one look
// for all records, and without reading a layer.
func TestActions(t *testing.T) {
	t.Parallel()
	fake := actionscache.New(t)
	first, _ := onGitHub(t, fake, mainRef, "default")
	layers := put(t, first, "a", "b")
	closeIt(t, first)
	if got := len(fake.Caches()); got != 3 {
		t.Fatalf("GitHub's cache has %d entries, want two layers and a list", got)
	}
	before := len(fake.Calls())
	second, told := onGitHub(t, fake, mainRef, "default")
	for i, name := range []string{"a", "b"} {
		found, ok := second.Find(t.Context(), key(name))
		if diff := cmp.Diff(cache.Record{Layer: layers[i]}, found); !ok || diff != "" {
			t.Errorf("Find(%s) = %v (-put +found):\n%s", name, ok, diff)
		}
	}
	if _, ok := second.Find(t.Context(), key("c")); ok {
		t.Error("a key that nobody put is found")
	}
	closeIt(t, second)
	want := map[string]int{"GetCacheEntryDownloadURL": 1, "GET": 1}
	if diff := cmp.Diff(want, methods(fake, before)); diff != "" {
		t.Errorf("calls of a build without news (-want +got):\n%s", diff)
	}
	into := newLayout(t)
	if err := second.Fetch(t.Context(), key("a"), layers[0], into); err != nil || !into.Holds(layers[0]) {
		t.Errorf("Fetch: %v", err)
	}
	if len(told.told) > 0 {
		t.Errorf("notes: %q", told.told)
	}
}

// TestActionsAdds keeps what earlier builds recorded when another adds to it, and
// goes on from there.
func TestActionsAdds(t *testing.T) {
	t.Parallel()
	fake := actionscache.New(t)
	for _, name := range []string{"a", "b", "a", "c"} {
		c, _ := onGitHub(t, fake, mainRef, "default")
		if _, ok := c.Find(t.Context(), key(name)); !ok {
			put(t, c, name)
		}
		closeIt(t, c)
	}
	if got := len(fake.Caches()); got != 6 {
		t.Errorf("GitHub's cache has %d entries, want three layers and three lists", got)
	}
	last, _ := onGitHub(t, fake, mainRef, "default")
	defer closeIt(t, last)
	for _, name := range []string{"a", "b", "c"} {
		if _, ok := last.Find(t.Context(), key(name)); !ok {
			t.Errorf("the record %s is not found", name)
		}
	}
	// A step that is made without a look, to the same result, is no news.
	anew, _ := onGitHub(t, fake, mainRef, "default")
	put(t, anew, "a")
	closeIt(t, anew)
	if got := len(fake.Caches()); got != 6 {
		t.Errorf("GitHub's cache has %d entries after the same was made again, want 6", got)
	}
	// What was forgotten is not in the next list.
	forgetful, _ := onGitHub(t, fake, mainRef, "default")
	forgetful.Forget(key("a"))
	put(t, forgetful, "d")
	closeIt(t, forgetful)
	next, _ := onGitHub(t, fake, mainRef, "default")
	defer closeIt(t, next)
	if _, ok := next.Find(t.Context(), key("a")); ok {
		t.Error("a forgotten record is found")
	}
}

// TestActionsScopes keeps what a pull request writes from others, both where
// GitHub does and where it does not.
func TestActionsScopes(t *testing.T) {
	t.Parallel()
	for name, ref := range map[string]string{"in a cache of its own": pullRef, "in that of the default branch": mainRef} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := actionscache.New(t)
			theirs, _ := onGitHub(t, fake, ref, "pr-1", "default")
			put(t, theirs, "a")
			closeIt(t, theirs)
			ours, _ := onGitHub(t, fake, mainRef, "default")
			if _, ok := ours.Find(t.Context(), key("a")); ok {
				t.Error("the default branch finds what a pull request wrote")
			}
			put(t, ours, "b")
			closeIt(t, ours)
			again, _ := onGitHub(t, fake, ref, "pr-1", "default")
			defer closeIt(t, again)
			for _, name := range []string{"a", "b"} {
				if _, ok := again.Find(t.Context(), key(name)); !ok {
					t.Errorf("the pull request does not find %s", name)
				}
			}
			other, _ := onGitHub(t, fake, "refs/pull/12/merge", "pr-12", "default")
			defer closeIt(t, other)
			if _, ok := other.Find(t.Context(), key("a")); ok {
				t.Error("another pull request finds it")
			}
		})
	}
}

// TestActionsFails breaks each kind of request in each way, while a build reads
// and while it writes. That is told once and takes minutes at most.
func TestActionsFails(t *testing.T) {
	t.Parallel()
	refusals := map[string]githubfake.Refusal{
		"too many requests": {Status: 429, Header: http.Header{"Retry-After": {"3600"}}},
		"broken":            {Status: 500},
		"not permitted":     {Status: 403},
		"connections break": {Reset: true},
		"answers are cut":   {Cut: true},
		"slow":              {Pause: time.Hour},
		"a proxy's page":    {Status: 200, Body: "<html>"},
	}
	for name, refusal := range refusals {
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodGet} {
			if refusal.Status == http.StatusOK && method == http.MethodGet {
				continue // other content is damage, see TestActionsDamage
			}
			t.Run(name+" "+method, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { failing(t, method, refusal) })
			})
		}
	}
}

// failing puts, finds and fetches where one kind of request goes wrong.
func failing(t *testing.T, method string, refusal githubfake.Refusal) {
	fake := actionscache.New(t)
	good, _ := onGitHub(t, fake, mainRef, "default")
	layer := put(t, good, "a")[0]
	closeIt(t, good)
	fake.Refuse(func(r *http.Request) *githubfake.Refusal {
		if r.Method != method {
			return nil
		}
		return &refusal
	})
	began := time.Now()
	c, told := onGitHub(t, fake, mainRef, "default")
	_, found := c.Find(t.Context(), key("a"))
	err := c.Fetch(t.Context(), key("a"), layer, newLayout(t))
	if _, broken := errors.AsType[*cache.BrokenError](err); err != nil && !broken {
		t.Errorf("Fetch: %v, want an error that is the cache's fault", err)
	}
	put(t, c, "b")
	closeIt(t, c)
	if took := time.Since(began); took > listPatience+fetchPatience+uploadPatience+listPatience {
		t.Errorf("the build took %v longer", took)
	}
	fake.Refuse(nil)
	// Nothing was reserved that would keep a later build from storing it.
	again, _ := onGitHub(t, fake, mainRef, "default")
	defer closeIt(t, again)
	if _, ok := again.Find(t.Context(), key("a")); !ok {
		t.Error("the record is not found any more")
	}
	if _, stored := again.Find(t.Context(), key("b")); found && err == nil && stored != (len(told.told) == 0) {
		t.Errorf("the new record was stored: %v, and the notes are %q", stored, told.told)
	}
	if len(told.told) > 1 || (!found || err != nil) && len(told.told) != 1 {
		t.Errorf("the record was found: %v, read with %v, and the notes are %q, want one for what went wrong", found, err, told.told)
	}
}

// What a cache may take of a build's time.
const (
	listPatience   = 30 * time.Second
	fetchPatience  = 2 * time.Minute
	uploadPatience = 90 * time.Second
)

// TestActionsReadOnly reads in a run that may not write, also after it has tried.
func TestActionsReadOnly(t *testing.T) {
	t.Parallel()
	fake := actionscache.New(t)
	first, _ := onGitHub(t, fake, mainRef, "default")
	layer := put(t, first, "a")[0]
	closeIt(t, first)
	told := &notes{}
	c := open(t, cache.Options{Note: told.add, Actions: &cache.Actions{
		Entries: actionscache.ReadOnly(t, fake), Name: "shop/web", Read: []string{"default"}, Write: "default",
	}})
	put(t, c, "b", "c")
	closeIt(t, c)
	if _, ok := c.Find(t.Context(), key("a")); !ok {
		t.Error("the record is not found")
	}
	if err := c.Fetch(t.Context(), key("a"), layer, newLayout(t)); err != nil {
		t.Error(err)
	}
	if len(told.told) != 1 || !strings.Contains(told.told[0], "GitHub's cache cannot be written, and the build goes on: ") {
		t.Errorf("notes: %q", told.told)
	}
}

// TestActionsSlowUploads gives up layers that take too long, and keeps the
// records of the others.
func TestActionsSlowUploads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := actionscache.New(t)
		c, told := onGitHub(t, fake, mainRef, "default")
		put(t, c, "a")
		synctest.Wait()
		slow := true
		fake.Refuse(func(r *http.Request) *githubfake.Refusal {
			if slow && strings.HasSuffix(r.URL.Path, "/FinalizeCacheEntryUpload") {
				slow = false
				return &githubfake.Refusal{Pause: time.Hour}
			}
			return nil
		})
		put(t, c, "b")
		began := time.Now()
		closeIt(t, c)
		if took := time.Since(began); took > uploadPatience+listPatience {
			t.Errorf("the end of the build took %v", took)
		}
		if len(told.told) != 1 || !strings.Contains(told.told[0], "did not get into GitHub's cache") {
			t.Errorf("notes: %q", told.told)
		}
		again, _ := onGitHub(t, fake, mainRef, "default")
		defer closeIt(t, again)
		for name, want := range map[string]bool{"a": true, "b": false} {
			if _, ok := again.Find(t.Context(), key(name)); ok != want {
				t.Errorf("the record %s is found: %v, want %v", name, ok, want)
			}
		}
	})
}

// TestActionsDamage changes what an earlier build left.
func TestActionsDamage(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		part    string // of the key of what is changed
		content []byte // nil removes it
		found   bool   // whether the record is, after that
	}{
		"a list that is none":  {"/steps/", []byte("{"), false},
		"another list":         {"/steps/", []byte(`{"records":[]}`), false},
		"a torn layer":         {"/layer/", []byte("x"), true},
		"a layer that is gone": {"/layer/", nil, true},
		"a list that is gone":  {"/steps/", nil, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := actionscache.New(t)
			first, _ := onGitHub(t, fake, mainRef, "default")
			layer := put(t, first, "a")[0]
			closeIt(t, first)
			for _, c := range fake.Caches() {
				if strings.Contains(c.Key, test.part) {
					fake.ChangeCache(c.ID, test.content)
				}
			}
			second, told := onGitHub(t, fake, mainRef, "default")
			if _, ok := second.Find(t.Context(), key("a")); ok != test.found {
				t.Errorf("the record is found: %v, want %v", ok, test.found)
			}
			if test.found {
				into := newLayout(t)
				err := second.Fetch(t.Context(), key("a"), layer, into)
				if _, broken := errors.AsType[*cache.BrokenError](err); !broken || into.Holds(layer) {
					t.Errorf("Fetch: %v, want an error that is the cache's fault", err)
				}
			}
			if len(told.told) > 0 {
				t.Errorf("notes: %q", told.told)
			}
			put(t, second, "b")
			closeIt(t, second)
			third, _ := onGitHub(t, fake, mainRef, "default")
			defer closeIt(t, third)
			if _, ok := third.Find(t.Context(), key("b")); !ok {
				t.Error("what is recorded after that is not found")
			}
		})
	}
}

// TestActionsSettle leaves a layer where it is if the image goes there.
func TestActionsSettle(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	client := oci.Client{HTTP: server.Client()}
	target := artifact.Repository{Name: strings.TrimPrefix(server.URL, "http://") + "/acme/web"}
	fake := actionscache.New(t)
	onBoth := func(registryToo bool) *cache.Cache {
		o := cache.Options{Client: client, Actions: &cache.Actions{
			Entries: actionscache.Of(t, fake, mainRef), Name: "shop/web", Read: []string{"default"}, Write: "default", Target: &target,
		}}
		if registryToo { // which is one way to have the layer there
			o.Repository, o.Read, o.Write = &target, []string{"default"}, "default"
		}
		return open(t, o)
	}
	first := onBoth(true)
	pushed := put(t, first, "a")[0]
	closeIt(t, first)
	second := onBoth(false)
	kept := put(t, second, "b")[0]
	closeIt(t, second)

	third, into := onBoth(false), newLayout(t)
	defer closeIt(t, third)
	before := len(fake.Calls())
	for name, layer := range map[string]oci.Layer{"a": pushed, "b": kept} {
		if _, ok := third.Find(t.Context(), key(name)); !ok {
			t.Fatalf("the record %s is not found", name)
		}
		settled, err := third.Settle(t.Context(), key(name), layer, into)
		if err != nil {
			t.Fatal(err)
		}
		if there := settled.From != nil && settled.From.Name == target.Name; there != (name == "a") || into.Holds(layer) == there {
			t.Errorf("layer %s: in its target %v, in the layout %v", name, there, into.Holds(layer))
		}
	}
	if got := methods(fake, before)["GET"]; got != 2 { // the list, and the layer that the target lacks
		t.Errorf("%d entries were read, want 2", got)
	}
	// What GitHub has removed meanwhile is still there.
	for _, c := range fake.Caches() {
		fake.ChangeCache(c.ID, nil)
	}
	if err := third.Fetch(t.Context(), key("a"), pushed, into); err != nil || !into.Holds(pushed) {
		t.Errorf("Fetch of a layer that only the registry has: %v", err)
	}
}

// TestActionsListIsBounded drops what was not used for longest.
func TestActionsListIsBounded(t *testing.T) {
	t.Parallel()
	fake := actionscache.New(t)
	first, _ := onGitHub(t, fake, mainRef, "default")
	layout := newLayout(t)
	layer := newLayer(t, layout, "a")
	many := 600
	for i := range many {
		if err := first.Put(t.Context(), fmt.Sprintf("%064x", i), layer, layout); err != nil {
			t.Fatal(err)
		}
	}
	closeIt(t, first)
	second, _ := onGitHub(t, fake, mainRef, "default")
	put(t, second, "f")
	closeIt(t, second)
	entries := fake.Caches()
	var list struct {
		Records []struct{ Key string }
	}
	if err := json.Unmarshal(fake.CacheContent(entries[len(entries)-1].ID), &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Records) != 500 || list.Records[0].Key != key("f") {
		t.Errorf("the list has %d records and begins with %s, want 500 with the newest first", len(list.Records), list.Records[0].Key)
	}
}

// TestActionsRefusesScopes refuses a scope that could be a part of another.
func TestActionsRefusesScopes(t *testing.T) {
	t.Parallel()
	_, err := cache.Open(t.Context(), cache.Options{Actions: &cache.Actions{Write: "a/b"}})
	if err == nil || !strings.Contains(err.Error(), `"a/b"`) {
		t.Errorf("a scope that could be a part of another: %v", err)
	}
}
