// Package cache keeps what the steps of builds made, for later builds: in a
// folder, and in a registry. A record says which layer a step made; it is found
// by the step's key, which stands for everything that the layer depends on.
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

	Repository *artifact.Repository // in a registry; nil for none
	Read       []string             // scopes of the repository that are looked in, in this order
	Write      string               // the scope that is written to; "" writes nothing
	Client     oci.Client

	Note func(text string) // told once if the registry cannot be used
}

// Cache is open for one build. Its methods may run concurrently.
type Cache struct {
	folder   *folder   // nil for none
	registry *registry // nil for none

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
	// Layer.From has it.
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
)

// Open opens a cache. Requests to a registry end with ctx. The caller closes
// the cache.
func Open(ctx context.Context, o Options) (*Cache, error) {
	c := &Cache{forgotten: map[string]bool{}}
	var err error
	if o.Dir != "" {
		if c.folder, err = openFolder(o.Dir, o.MaxSize); err != nil {
			return nil, err
		}
	}
	if o.Repository != nil {
		if c.registry, err = openRegistry(ctx, o); err != nil {
			return nil, errors.Join(err, c.folder.close())
		}
	}
	return c, nil
}

// Find looks for the record of a key: on this machine first.
func (c *Cache) Find(ctx context.Context, key string) (Record, bool) {
	c.mu.Lock()
	gone := c.forgotten[key] || len(c.forgotten) > patienceWithDamage
	c.mu.Unlock()
	if gone {
		return Record{}, false
	}
	if c.folder != nil {
		if record, ok := c.folder.find(ctx, key); ok {
			return record, true
		}
	}
	if c.registry != nil {
		return c.registry.find(ctx, key)
	}
	return Record{}, false
}

// Put records what a step made: a layer that the layout from holds. An error
// harms nothing but the cache; what a registry refuses is told and is none.
func (c *Cache) Put(ctx context.Context, key string, layer oci.Layer, from *oci.Layout) error {
	if err := c.Keep(ctx, key, layer, from); err != nil {
		return err
	}
	if c.registry == nil {
		return nil
	}
	return c.registry.put(ctx, key, layer, from)
}

// Shared reports whether what is put into the cache reaches other machines.
func (c *Cache) Shared() bool { return c.registry != nil && c.registry.write != "" }

// Keep is [Cache.Put] for the folder alone: for what was fetched from the
// registry.
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
	return true
}

// Check looks whether the layer of a record is still in its repository; if not,
// that is a [BrokenError].
func (c *Cache) Check(ctx context.Context, key string, layer oci.Layer) error {
	if c.registry == nil || layer.From == nil {
		return nil
	}
	if err := c.registry.check(ctx, layer); err != nil {
		return &BrokenError{key, err}
	}
	return nil
}

// Close lets the folder shrink to its size, unless another build uses it.
func (c *Cache) Close() error {
	if c.folder == nil {
		return nil
	}
	return c.folder.close()
}
