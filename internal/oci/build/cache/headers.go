package cache

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/deploy-action/deploy-action/internal/oci"
)

// headersVersion is a part of every key of headers. It changes with their form.
const headersVersion = "headers 1\n"

// headersKey is the key of the record of what layers hold. Its layer is an
// archive of their headers, which any place for records takes.
func headersKey(layers []v1.Hash) string {
	sum := sha256.New()
	io.WriteString(sum, headersVersion)
	for _, id := range layers {
		io.WriteString(sum, id.String()+"\n")
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// worthHeaders is the size of layers from which on their headers are kept by
// themselves: less is fetched as fast.
const worthHeaders = 4 << 20

// Away is a scan of layers that are not on this machine.
type Away struct {
	Layers []v1.Hash // lowest first
	Size   int64     // of those of their blobs that would have to be fetched
	Layout *oci.Layout
	Keep   func(*tar.Header) bool // of which files the content is seen
	Scan   func(Visit) error      // fetches the layers
	Later  func(func())           // calls a function while the build goes on
}

// ScanAway calls visit for every entry of the layers. Where another machine has
// scanned them, their headers are fetched and the layers are not.
func (c *Cache) ScanAway(ctx context.Context, a Away, visit Visit) error {
	if c == nil || c.registry == nil && c.actions == nil || a.Size < worthHeaders || c.indexed(a.Layers) {
		return a.Scan(visit)
	}
	key := headersKey(a.Layers)
	if entries, ok := c.headers(ctx, key, a.Layout); ok {
		return visitAll(ctx, entries, visit)
	}
	if !c.Shared() {
		return a.Scan(visit)
	}
	var seen []indexed
	err := a.Scan(func(header *tar.Header, r io.Reader) error {
		content, err := kept(header, r, a.Keep)
		if err != nil {
			return err
		}
		copied := *header // visit may change it
		seen = append(seen, indexed{&copied, content})
		return visit(header, bytes.NewReader(content))
	})
	if err == nil {
		a.Later(func() { c.putHeaders(ctx, key, seen, a.Layout) })
	}
	return err
}

// indexed reports whether the folder has the indexes of all layers.
func (c *Cache) indexed(layers []v1.Hash) bool {
	for _, id := range layers {
		if c.folder == nil || !exists(c.folder.path(indexesName, id.Hex)) {
			return false
		}
	}
	return true
}

// headers finds the headers of layers.
func (c *Cache) headers(ctx context.Context, key string, layout *oci.Layout) ([]indexed, bool) {
	record, ok := c.Find(ctx, key)
	if !ok {
		return nil, false
	}
	entries, err := c.readHeaders(ctx, key, record, layout)
	if err != nil {
		c.Forget(key)
	}
	return entries, err == nil
}

// readHeaders reads all of a record before anything is done with it.
func (c *Cache) readHeaders(ctx context.Context, key string, record Record, layout *oci.Layout) ([]indexed, error) {
	if record.File != "" {
		if err := layout.Borrow(record.Layer.Descriptor, record.File); err != nil {
			return nil, err
		}
	} else if err := c.Fetch(ctx, key, record.Layer, layout); err != nil {
		return nil, err
	}
	content, err := layout.OpenLayer(record.Layer.Descriptor, record.Layer.DiffID)
	if err != nil {
		return nil, err
	}
	defer content.Close()
	return readEntries(content)
}

// putHeaders records the headers of layers. That it cannot be done harms nothing.
func (c *Cache) putHeaders(ctx context.Context, key string, entries []indexed, layout *oci.Layout) {
	layer, err := layout.AddLayer(ctx, func(_ context.Context, archive *tar.Writer) error {
		var err error
		for _, e := range entries {
			err = errors.Join(err, add(archive, e.header, e.content))
		}
		return err
	})
	if err == nil {
		_ = c.Put(ctx, key, layer, layout)
	}
}
