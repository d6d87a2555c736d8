// Package cache keeps what the steps of builds made, for later builds: in a
// folder, in a registry, and in GitHub's cache. A record says which layer a step
// made; it is found by the step's key, which stands for everything that the layer
// depends on.
//
// What cannot be read, is gone or is damaged is not there, and never an error:
// the step is carried out again. What a key is made of is not the business of
// this package.
package cache

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/oci"
)

// Options say where records are.
type Options struct {
	Dir     string // folder on this machine, shared by builds; "" for none
	MaxSize int64  // bytes that the folder may have after a build; 0 is 10 GiB
	Lasting bool   // the folder is meant to be there for later builds, which is worth some work

	Repository *artifact.Repository // in a registry; nil for none
	Read       []string             // scopes of the repository that are looked in, in this order
	Write      string               // the scope that is written to; "" writes nothing
	Client     oci.Client

	Actions *Actions // GitHub's cache; nil for none

	Note func(text string) // told once of each place that cannot be used
}

// Cache is open for one build. Its methods may run concurrently.
type Cache struct {
	folder   *folder   // nil for none
	registry *registry // nil for none
	actions  *actions  // nil for none
	client   oci.Client

	mu        sync.Mutex
	forgotten map[string]bool
}

// patienceWithDamage is how many layers may prove unusable before a build does
// without the rest: each means to begin again.
const patienceWithDamage = 2

// Record is what a step made.
type Record struct {
	Layer oci.Layer

	// File holds the layer's blob. It is "" where only the repository
	// Layer.From has it, or without that only GitHub's cache: see [Cache.Fetch].
	File string
}

// store is a place for records. What cannot be read is not found.
type store interface {
	find(ctx context.Context, key string) (Record, bool)
	put(ctx context.Context, key string, layer oci.Layer, from *oci.Layout) error
}

var (
	_ store = (*folder)(nil)
	_ store = (*registry)(nil)
	_ store = (*actions)(nil)
)

// Open opens a cache. Requests end with ctx. The caller closes the cache.
func Open(ctx context.Context, o Options) (*Cache, error) {
	c := &Cache{client: o.Client, forgotten: map[string]bool{}}
	var err error
	if o.Dir != "" {
		if c.folder, err = openFolder(o.Dir, o.MaxSize, o.Lasting); err != nil {
			return nil, err
		}
	}
	if o.Repository != nil {
		if c.registry, err = openRegistry(ctx, o); err != nil {
			return nil, errors.Join(err, c.folder.close())
		}
	}
	if o.Actions != nil {
		if c.actions, err = openActions(ctx, o); err != nil {
			return nil, errors.Join(err, c.folder.close())
		}
	}
	return c, nil
}

// Find looks for the record of a key: on this machine first.
func (c *Cache) Find(ctx context.Context, key string) (Record, bool) {
	if c.gone(key) {
		return Record{}, false
	}
	if c.folder != nil {
		if record, ok := c.folder.find(ctx, key); ok {
			return record, true
		}
	}
	if c.registry != nil {
		if record, ok := c.registry.find(ctx, key); ok {
			return record, true
		}
	}
	if c.actions != nil {
		return c.actions.find(ctx, key)
	}
	return Record{}, false
}

// gone reports whether there is to be nothing under a key.
func (c *Cache) gone(key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.forgotten[key] || len(c.forgotten) > patienceWithDamage
}

// Put records what a step made: a layer that the layout from holds. An error
// harms nothing but the cache; what a registry or GitHub refuses is told and is
// none.
func (c *Cache) Put(ctx context.Context, key string, layer oci.Layer, from *oci.Layout) error {
	if err := c.Keep(ctx, key, layer, from); err != nil {
		return err
	}
	var err error
	if c.registry != nil {
		err = c.registry.put(ctx, key, layer, from)
	}
	if c.actions != nil {
		err = errors.Join(err, c.actions.put(ctx, key, layer, from))
	}
	return err
}

// Shared reports whether what is put into the cache reaches other machines.
func (c *Cache) Shared() bool {
	return c.registry != nil && c.registry.write != "" || c.actions != nil && c.actions.Write != ""
}

// Keep is [Cache.Put] for the folder alone: for what was fetched from elsewhere.
func (c *Cache) Keep(ctx context.Context, key string, layer oci.Layer, from *oci.Layout) error {
	if c.folder == nil {
		return nil
	}
	return c.folder.put(ctx, key, layer, from)
}

// BrokenError says that a record was found and that its layer cannot be had.
type BrokenError struct {
	Key string
	Err error
}

// Error implements error.
func (e *BrokenError) Error() string { return fmt.Sprintf("reading the cache: %v", e.Err) }

// Unwrap returns the cause.
func (e *BrokenError) Unwrap() error { return e.Err }

// Forget makes Find miss a key from now on, and reports whether it did not
// before. After a few keys Find misses all.
func (c *Cache) Forget(key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.forgotten[key] {
		return false
	}
	c.forgotten[key] = true
	if c.folder != nil {
		c.folder.forget(key)
	}
	if c.actions != nil {
		c.actions.forget(key)
	}
	return true
}

// Fetch copies the layer of a record into a layout, unless the layout holds it.
// If it cannot be had, that is a [BrokenError].
func (c *Cache) Fetch(ctx context.Context, key string, layer oci.Layer, into *oci.Layout) error {
	var err error
	switch {
	case into.Holds(layer):
		return nil
	case layer.From == nil && c.actions != nil:
		err = c.actions.fetch(ctx, layer, into)
	default:
		err = into.KeepLayer(ctx, c.client, layer)
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return &BrokenError{key, err}
}

// Settle sees to it that the layer of a record can be pushed, from its
// repository or from the layout, and returns it with its place. If it cannot be
// had any more, that is a [BrokenError].
func (c *Cache) Settle(ctx context.Context, key string, layer oci.Layer, into *oci.Layout) (oci.Layer, error) {
	var err error
	switch {
	case into.Holds(layer):
	case layer.From == nil && c.actions != nil:
		layer, err = c.actions.settle(ctx, layer, into)
	case layer.From != nil && c.registry != nil:
		err = c.registry.check(ctx, layer)
	}
	switch {
	case err == nil:
		return layer, nil
	case ctx.Err() != nil:
		return layer, context.Cause(ctx)
	}
	return layer, &BrokenError{key, err}
}

// Close waits until GitHub's cache has what was put into it, for as long as that
// may take, and lets the folder shrink to its size, unless another build uses it.
func (c *Cache) Close() error {
	c.actions.close()
	return c.folder.close()
}
