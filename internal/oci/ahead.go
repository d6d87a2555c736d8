package oci

import (
	"context"
	"io"
	"sync"
	"sync/atomic"

	"github.com/deploy-action/deploy-action/internal/artifact"
	"github.com/deploy-action/deploy-action/internal/oci/transfer"
)

// Ahead sends layers to where an image will be pushed, while the image is still
// being made. It does so on trial: what goes wrong is told by the push, which
// sends what is missing.
type Ahead struct {
	layout *Layout
	anchor io.Closer // of the layout's folder
	target *target
	slots  chan struct{}
	group  sync.WaitGroup
	failed atomic.Bool
}

// Ahead begins to send to a repository. The caller ends that with Wait.
func (c Client) Ahead(to artifact.Repository, layout *Layout) (*Ahead, error) {
	target, err := c.target(to, nil)
	if err != nil {
		return nil, err
	}
	return &Ahead{layout: layout, anchor: io.NopCloser(nil), target: target, slots: make(chan struct{}, uploads)}, nil
}

// Through has layers be read from the layout by another path to its folder,
// which is good until anchor is closed: Wait does that. It is called before the
// first Send.
func (a *Ahead) Through(layout *Layout, anchor io.Closer) { a.layout, a.anchor = layout, anchor }

// Send sends a layer of the layout, unless the repository has it. It returns at
// once. After a failure nothing more is sent.
func (a *Ahead) Send(ctx context.Context, layer Layer) {
	if layer.From != nil {
		return // the push mounts it, or forwards it
	}
	a.group.Go(func() {
		a.slots <- struct{}{}
		defer func() { <-a.slots }()
		if a.failed.Load() {
			return
		}
		err := a.target.repo.Send(ctx, transfer.Blob{
			Digest: layer.Descriptor.Digest.String(), Size: layer.Descriptor.Size,
			Open: func(context.Context) (io.ReadCloser, error) { return a.layout.openBlob(layer.Descriptor.Digest) },
		})
		if err != nil {
			a.failed.Store(true)
		}
	})
}

// Wait waits until nothing is sent any more, and reports whether all of it
// arrived.
func (a *Ahead) Wait() bool {
	a.group.Wait()
	return a.anchor.Close() == nil && !a.failed.Load()
}
