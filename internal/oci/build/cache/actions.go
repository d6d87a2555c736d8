package cache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/oci"
)

// Entries is GitHub's cache as one run sees it. Entries have a key and never
// change. Its methods may run concurrently.
type Entries interface {
	// Open opens an entry; content is nil where there is none.
	Open(ctx context.Context, key string) (content io.ReadCloser, err error)

	// OpenNewest opens the newest entry whose key begins with prefix, and tells
	// its key; content is nil where there is none.
	OpenNewest(ctx context.Context, prefix string) (key string, content io.ReadCloser, err error)

	// Add stores an entry, unless it is there.
	Add(ctx context.Context, key string, content io.ReaderAt, size int64) error
}

// Actions says how builds use GitHub's cache.
type Actions struct {
	Entries Entries
	Name    string               // of what is built; builds of one name share their records
	Read    []string             // scopes that are looked in, in this order
	Write   string               // the scope that is written to; "" writes nothing
	Target  *artifact.Repository // where the image will be pushed; nil for nowhere
}

// actions is the store in GitHub's cache: an entry for each layer, and a list of
// the records. The list is read once, and written once at the end if there is
// something new. A layer is read when somebody needs its files, or if the image
// has it and its target does not. Layers are written while the build goes on.
//
// Lists never change: who has something to add writes another. The newest counts,
// and of two that were written at the same time one is lost.
//
// After the first failure to read nothing more is asked, after one to write nothing
// more is written, and each part has its time.
type actions struct {
	Actions
	client oci.Client
	target *oci.Session // nil for none
	note   func(string)

	unreadable, unwritable atomic.Bool

	load      func()          // reads the lists, once
	lasting   context.Context // of the whole build: uploads outlast the steps
	uploading context.Context
	stop      context.CancelFunc // ends uploading
	writers   chan struct{}      // one entry for each upload
	uploads   sync.WaitGroup

	mu      sync.Mutex // guards what follows
	records map[string]entry
	before  list     // the one that will be added to
	used    []string // keys that were found or made
	news    bool     // whether any was made
}

const (
	// listPatience is how long it may take to read the lists, and to write one.
	listPatience = 30 * time.Second

	// fetchPatience is how long it may take to read one layer.
	fetchPatience = 2 * time.Minute

	// uploadPatience is how long layers may be uploaded after the build.
	uploadPatience = 90 * time.Second

	// keyPrefix begins the keys of all entries.
	keyPrefix = "deploy-action/"
)

var _ store = (*actions)(nil)

func openActions(ctx context.Context, o Options) (*actions, error) {
	a := &actions{
		Actions: *o.Actions, client: o.Client, note: o.Note,
		writers: make(chan struct{}, writers), records: map[string]entry{}, lasting: ctx,
	}
	if a.note == nil {
		a.note = func(string) {}
	}
	if err := checkScopes(a.Write, a.Read); err != nil {
		return nil, err
	}
	if a.Target != nil {
		var err error
		if a.target, err = o.Client.Session(ctx, *a.Target); err != nil {
			return nil, err
		}
	}
	a.load = sync.OnceFunc(func() { a.readLists(ctx) })
	a.uploading, a.stop = context.WithCancel(ctx)
	return a, nil
}

// layerKey is the key of a layer's entry.
func layerKey(digest v1.Hash) string { return keyPrefix + "layer/" + digest.String() }

// listPrefix begins the keys of the lists of a scope.
func (a *actions) listPrefix(scope string) string {
	name := sha256.Sum256([]byte(a.Name))
	return keyPrefix + "steps/" + hex.EncodeToString(name[:16]) + "/" + scope + "/"
}

// find implements [store].
func (a *actions) find(_ context.Context, key string) (Record, bool) {
	a.load()
	a.mu.Lock()
	defer a.mu.Unlock()
	found, ok := a.records[key]
	if !ok || a.unreadable.Load() {
		return Record{}, false
	}
	a.used = append(a.used, key)
	return Record{Layer: oci.Layer{DiffID: found.DiffID, Descriptor: found.Descriptor}}, true
}

// put implements [store]. It begins to upload the layer, and comes back.
func (a *actions) put(_ context.Context, key string, layer oci.Layer, from *oci.Layout) error {
	if a.load(); a.Write == "" || a.unwritable.Load() {
		return nil
	}
	content, err := from.Open(layer)
	if err != nil {
		return fmt.Errorf("writing the cache: %w", err)
	}
	a.uploads.Go(func() {
		defer content.Close()
		if a.upload(layer, content) {
			a.record(key, layer)
		}
	})
	return nil
}

// upload stores a layer, and reports whether it is there.
func (a *actions) upload(layer oci.Layer, content io.ReaderAt) bool {
	select {
	case a.writers <- struct{}{}:
	case <-a.uploading.Done():
		return false
	}
	defer func() { <-a.writers }()
	if a.unwritable.Load() {
		return false
	}
	err := a.Entries.Add(a.uploading, layerKey(layer.Descriptor.Digest), content, layer.Descriptor.Size)
	if err != nil {
		a.failWriting(a.uploading, err)
	}
	return err == nil
}

// record notes what a step made, for the list.
func (a *actions) record(key string, layer oci.Layer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	before := a.records[key]
	a.records[key] = plainEntry(entry{layer.DiffID, layer.Descriptor})
	a.used = append(a.used, key)
	a.news = a.news || before.DiffID != layer.DiffID || before.Descriptor.Digest != layer.Descriptor.Digest
}

// forget removes a record, also from the next list.
func (a *actions) forget(key string) {
	a.load()
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.records, key)
}

// settle sees to it that a layer of the result can be pushed: it is where the
// image goes to, or else in the layout.
func (a *actions) settle(ctx context.Context, layer oci.Layer, into *oci.Layout) (oci.Layer, error) {
	if a.target != nil {
		if has, err := a.target.Has(ctx, layer.Descriptor.Digest); err == nil && has {
			layer.From = a.Target
			return layer, nil
		}
	}
	return layer, a.fetch(ctx, layer, into)
}

// fetch copies a layer into a layout. One that has been removed from the cache
// may still be where the image goes to.
func (a *actions) fetch(ctx context.Context, layer oci.Layer, into *oci.Layout) error {
	err := a.download(ctx, layer, into)
	if err == nil || a.Target == nil {
		return err
	}
	pushed := layer
	pushed.From = a.Target
	if into.KeepLayer(ctx, a.client, pushed) != nil {
		return err
	}
	return nil
}

// download copies a layer out of the cache, within its time.
func (a *actions) download(ctx context.Context, layer oci.Layer, into *oci.Layout) error {
	ctx, cancel := context.WithTimeout(ctx, fetchPatience)
	defer cancel()
	torn, err := a.read(ctx, layer, into)
	if torn && ctx.Err() == nil {
		_, err = a.read(ctx, layer, into)
	}
	return err
}

// read does so once, and reports whether the layer was there and arrived torn.
func (a *actions) read(ctx context.Context, layer oci.Layer, into *oci.Layout) (torn bool, err error) {
	if a.unreadable.Load() {
		return false, errors.New("GitHub's cache was given up")
	}
	content, err := a.Entries.Open(ctx, layerKey(layer.Descriptor.Digest))
	if err != nil {
		a.failReading(ctx, err)
		return false, err
	}
	if content == nil {
		return false, fmt.Errorf("layer %s is not in GitHub's cache any more", layer.Descriptor.Digest)
	}
	defer content.Close()
	if err := into.Take(layer, content); err != nil {
		return true, err
	}
	return false, nil
}

// failReading gives the cache up, and tells so once.
func (a *actions) failReading(ctx context.Context, err error) {
	if errors.Is(context.Cause(ctx), context.Canceled) || a.unreadable.Swap(true) {
		return
	}
	a.unwritable.Store(true)
	a.note(fmt.Sprintf("GitHub's cache cannot be read, and the build goes on without it: %v", err))
}

// failWriting gives up writing to the cache, and tells so once. What it refuses to
// take it may still have.
func (a *actions) failWriting(ctx context.Context, err error) {
	if errors.Is(context.Cause(ctx), context.Canceled) || a.unwritable.Swap(true) {
		return
	}
	a.note(fmt.Sprintf("GitHub's cache cannot be written, and the build goes on: %v", err))
}
