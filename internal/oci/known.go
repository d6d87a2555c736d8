package oci

import (
	"context"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/deploy-action/deploy-action/internal/artifact"
)

// Ask lets the layout ask which layers exist elsewhere, before it compresses
// a large one. It asks once, and not at all for small layers. It is called
// before the first layer is added.
func (l *Layout) Ask(known func(context.Context) []Layer) { l.ask = known }

// mayAsk reports whether there is somebody left to ask.
func (l *Layout) mayAsk() bool {
	l.asking.Lock()
	defer l.asking.Unlock()
	return l.ask != nil
}

// askOnce asks, unless that was done, and reports whether layers were
// found.
func (l *Layout) askOnce(ctx context.Context) (news bool) {
	l.asking.Lock() // of those who ask at once, all wait for the answer
	defer l.asking.Unlock()
	if l.ask != nil {
		for _, layer := range l.ask(ctx) {
			l.news = true
			l.remember(layer)
		}
		l.ask = nil
	}
	return l.news
}

// remember notes a layer, unless one with its content is known.
func (l *Layout) remember(layer Layer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.made[layer.DiffID]; !known {
		l.made[layer.DiffID] = layer
	}
}

func (l *Layout) knowsAny() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.made) > 0
}

// known returns the layer with a content, if it is there, or in a repository.
func (l *Layout) known(content v1.Hash) (Layer, bool) {
	l.mu.Lock()
	layer, known := l.made[content]
	l.mu.Unlock()
	if !known || layer.Descriptor.MediaType != l.mediaType() {
		return Layer{}, false
	}
	return layer, l.has(layer.Descriptor) || layer.From != nil
}

// Layers lists the layers of an image in a registry, each with the repository
// that has it.
func (c Client) Layers(ctx context.Context, img artifact.Image, from artifact.Repository, platform string) ([]Layer, error) {
	content, err := c.Fetch(ctx, img, &from, platform)
	if err != nil {
		return nil, err
	}
	manifest, err := content.Manifest()
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", img.Reference(), err)
	}
	config, err := content.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", img.Reference(), err)
	}
	if len(config.RootFS.DiffIDs) != len(manifest.Layers) {
		return nil, fmt.Errorf("reading %s: it has %d layers, but its configuration names %d", img.Reference(), len(manifest.Layers), len(config.RootFS.DiffIDs))
	}
	var layers []Layer
	for i, desc := range manifest.Layers {
		if desc.MediaType == types.DockerLayer {
			desc.MediaType = types.OCILayer // the same bytes
		}
		layers = append(layers, Layer{DiffID: config.RootFS.DiffIDs[i], Descriptor: desc, From: &from})
	}
	return layers, nil
}
